//! What a slow reader has not taken yet: bounded in bytes, its progress conflated.
//!
//! The part that is being written is not counted: a follower that resumes is told a whole history at once, and is not slow
//! because of that. So a reader that stops costs one part and [`HARD`], and the bytes are shared by all that wait for them.

use super::super::{
    message::Message,
    queue::{HARD, SOFT},
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};
use streamgauge_core::{
    metric::measure::counters::Counter,
    session::conflation::{Waiting, conflate},
};

/// Something to write, as a whole.
#[derive(Clone)]
pub struct Part {
    pub bytes: Bytes,
    pub holds: Holds,
    /// When it is written, the stream is over.
    pub ends: Option<Counter>,
}

#[derive(Clone)]
pub enum Holds {
    /// Pings and farewells.
    Nothing,
    /// So many events that were told before: their age says nothing.
    Told(u32),
    One(Arc<Message>),
    Many(Arc<[Arc<Message>]>),
}

impl Holds {
    pub fn events(&self) -> u64 {
        match self {
            Holds::Nothing => 0,
            Holds::Told(events) => u64::from(*events),
            Holds::One(_) => 1,
            Holds::Many(messages) => messages.len() as u64,
        }
    }

    /// As the rule of conflation sees them.
    fn waiting(&self) -> Waiting {
        match self {
            Holds::Nothing => Waiting::Nothing,
            Holds::One(message) => message.waiting(),
            Holds::Told(_) | Holds::Many(_) => Waiting::Several,
        }
    }

    /// When the events were accepted, as far as their age is measured.
    pub fn accepted_us(&self) -> impl Iterator<Item = i64> + '_ {
        let messages = match self {
            Holds::Nothing | Holds::Told(_) => &[],
            Holds::One(message) => std::slice::from_ref(message),
            Holds::Many(messages) => &messages[..],
        };
        messages.iter().filter_map(|message| message.accepted_us)
    }
}

impl Part {
    pub fn one(message: &Arc<Message>) -> Part {
        let ends = message.ends.then_some(Counter::ClosedAtEnd);
        Part { bytes: message.chunk.clone(), holds: Holds::One(message.clone()), ends }
    }
}

/// Only a socket that would block has one.
pub struct Pending {
    queue: VecDeque<Part>,
    /// Bytes of the first part that are written.
    offset: usize,
    /// Bytes of all parts but the first.
    behind: usize,
}

impl Pending {
    pub fn new(part: Part, written: usize) -> Pending {
        Pending { queue: VecDeque::from([part]), offset: written, behind: 0 }
    }

    /// Appends. Answers how many events were conflated, and whether the reader is too slow even so.
    pub fn push(&mut self, part: Part) -> (u64, bool) {
        if !self.queue.is_empty() {
            self.behind += part.bytes.len();
        }
        self.queue.push_back(part);
        if self.behind <= SOFT {
            return (0, false);
        }
        let conflated = self.conflate();
        (conflated, self.behind > HARD)
    }

    /// Drops progress that a later event of the same stage makes old. A change of stage stays, as do `gap` and
    /// `end`, and the part that is being written.
    fn conflate(&mut self) -> u64 {
        let Pending { queue, behind, .. } = self;
        conflate(queue, 1, None, |part| part.holds.waiting(), |part| *behind -= part.bytes.len())
    }

    /// What is to be written next.
    pub fn rest(&self) -> Option<&[u8]> {
        self.queue.front().map(|part| &part.bytes[self.offset..])
    }

    /// `bytes` of [`Pending::rest`] are written. Answers the part if that was its last byte.
    pub fn wrote(&mut self, bytes: usize) -> Option<Part> {
        self.offset += bytes;
        if self.queue.front().is_none_or(|part| self.offset < part.bytes.len()) {
            return None;
        }
        self.offset = 0;
        let whole = self.queue.pop_front();
        self.behind -= self.queue.front().map_or(0, |next| next.bytes.len());
        whole
    }

    /// Events that are not written in whole.
    pub fn events(&self) -> u64 {
        self.queue.iter().map(|part| part.holds.events()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge_core::session::{
        frame::GapReason,
        ids::{Epoch, EventId},
        status::{Draft, State, StatusEvent},
    };

    /// `u1` is an event of stage `u`; a capital letter ends the session; `gap` tells of one.
    fn part(seq: u64, name: &str) -> Part {
        let state = if name.starts_with(char::is_uppercase) { State::Completed } else { State::Running };
        let stage = name[..1].to_owned();
        let message = Some("x".repeat(4_000));
        let draft = Draft { state, stage, progress: 1, message, data: None };
        let id = EventId { epoch: Epoch(1), seq };
        let event = StatusEvent::new(id, "job".parse().expect("an id"), draft, 0);
        Part::one(&Arc::new(match name {
            "gap" => Message::after_gap(&event, GapReason::Evicted),
            _ => Message::again(&event),
        }))
    }

    fn check(names: &str, expected: &str) {
        let mut names = names.split(' ').zip(1..);
        let (first, seq) = names.next().expect("one");
        let mut pending = Pending::new(part(seq, first), 10);
        let mut conflated = 0;
        let mut slow = false;
        for (name, seq) in names {
            let (more, too_slow) = pending.push(part(seq, name));
            conflated += more;
            slow |= too_slow;
        }
        let left: Vec<String> = pending
            .queue
            .iter()
            .map(|part| match &part.holds {
                Holds::One(message) => message.id.seq.to_string(),
                _ => "?".into(),
            })
            .collect();
        let behind: usize = pending.queue.iter().skip(1).map(|part| part.bytes.len()).sum();
        assert_eq!(pending.behind, behind);
        assert_eq!(format!("{} {conflated} {slow}", left.join(",")), expected, "{seq}");
    }

    #[test]
    fn the_latest_of_a_stage_wins_and_stages_stay() {
        check("u1 u2 u3", "1,2,3 0 false");
        // The first is half written. Of each later run the last one stays.
        check("u1 u2 u3 u4 v5 v6 v7 w8 w9", "1,4,7,9 5 false");
        check("u1 u2 v3 u4 v5 u6 v7 u8 V9", "1,2,3,4,5,6,7,8,9 0 false");
        check("a1 b2 c3 d4 e5 f6 g7 h8 i9 j1 k2 l3 m4 n5 o6 p7 q8", &{
            let all: Vec<String> = (1..=17).map(|n: u64| n.to_string()).collect();
            format!("{} 0 true", all.join(","))
        });
    }

    #[test]
    fn bytes_are_taken_in_any_portions() {
        let first = part(1, "u1");
        let length = first.bytes.len();
        let mut pending = Pending::new(first, 0);
        pending.push(part(2, "u2"));
        assert!(pending.wrote(length - 1).is_none());
        assert_eq!(pending.rest().map(<[u8]>::len), Some(1));
        assert!(pending.wrote(1).is_some());
        assert_eq!(pending.events(), 1);
        assert!(pending.wrote(length).is_some());
        assert!(pending.rest().is_none());
    }

    /// A history of 2 MB on its way to a phone, while the session goes on.
    #[test]
    fn who_is_told_a_long_history_is_not_slow() {
        let history = Part { bytes: vec![b'x'; 2 << 20].into(), holds: Holds::Told(256), ends: None };
        let mut pending = Pending::new(history, 100_000);
        for seq in 257..300 {
            let (_, slow) = pending.push(part(seq, "u"));
            assert!(!slow, "{seq}");
        }
        assert!(pending.queue.len() < 12, "the latest of its progress is kept");
    }

    proptest! {
        /// However the socket takes it, what is written are whole frames in their order; what is missing was progress
        /// that a later one of its stage made old; and the bound holds.
        #[test]
        fn whole_frames_in_order_and_nothing_that_counts_is_missing(
            steps in prop::collection::vec((0usize..4, 0usize..9_000), 1..120),
        ) {
            let names = ["u1", "u2", "v1", "gap"];
            let mut pending: Option<Pending> = None;
            let (mut out, mut expected, mut seq) = (Vec::new(), Vec::new(), 0);
            for (name, taken) in steps {
                seq += 1;
                let next = part(seq, names[name]);
                expected.push((seq, &names[name][..1], next.bytes.clone()));
                match &mut pending {
                    None => pending = Some(Pending::new(next, 0)),
                    Some(waiting) => {
                        let (_, slow) = waiting.push(next);
                        prop_assert!(slow == (waiting.behind > HARD));
                        if slow {
                            return Ok(());
                        }
                    }
                }
                let mut left = taken;
                while let Some(waiting) = &mut pending
                    && let Some(rest) = waiting.rest()
                    && left > 0
                {
                    let now = rest.len().min(left);
                    out.extend_from_slice(&rest[..now]);
                    left -= now;
                    waiting.wrote(now);
                }
                if pending.as_ref().is_some_and(|waiting| waiting.rest().is_none()) {
                    pending = None;
                }
            }
            while let Some(rest) = pending.as_ref().and_then(Pending::rest).map(<[u8]>::to_vec) {
                out.extend_from_slice(&rest);
                pending.as_mut().expect("it has a rest").wrote(rest.len());
            }
            let mut written = Vec::new();
            let mut at = 0;
            for (seq, stage, bytes) in &expected {
                if out[at..].starts_with(bytes) {
                    at += bytes.len();
                    written.push((*seq, *stage));
                }
            }
            prop_assert_eq!(at, out.len(), "whole frames, in their order");
            for two in expected.windows(2) {
                let (seq, stage, _) = &two[0];
                let old = two[1].1 == *stage;
                let counts = !old || *stage == "g";
                prop_assert!(!counts || written.contains(&(*seq, stage)), "{} of {} was to be told", seq, stage);
            }
        }
    }
}
