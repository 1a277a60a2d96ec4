//! What is due when. A session has at most one message in it and a stream one arrival, so it never outgrows them.

use std::{cmp::Reverse, collections::BinaryHeap};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    Create(u32),
    /// A stream's arrival, or its return after a cut.
    Connect(u32),
    Send(u32),
    Complete(u32),
    /// A poll of whichever session is next.
    Poll(u32),
}

#[derive(Default)]
pub struct Agenda(BinaryHeap<Reverse<Entry>>);

/// When it is due, what, and since when that is known.
type Entry = (u64, Act, u64);

impl Agenda {
    pub fn add(&mut self, due_us: u64, act: Act, now_us: u64) {
        self.0.push(Reverse((due_us, act, now_us)));
    }

    pub fn next_us(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((due, ..))| *due)
    }

    /// The first thing due, if it is due by now.
    pub fn take(&mut self, now_us: u64) -> Option<Entry> {
        self.next_us().filter(|due| *due <= now_us)?;
        self.0.pop().map(|Reverse(entry)| entry)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
