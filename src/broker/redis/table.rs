//! What this node hears: for each session with followers its position, and for a while that of those it had.

use super::memory::Memory;
use crate::clock;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};
use streamgauge_core::session::{
    heard::{Cursor, Position, Reading},
    history::SessionHistory,
    ids::SessionId,
};
use tokio::sync::Notify;

/// Locks to spread sessions over.
const PARTS: usize = 64;

pub struct Table {
    parts: Vec<Mutex<Part>>,
    hasher: RandomState,
    abandon_after_ms: i64,
    /// Sessions whose history is to be read. Each stands here at most once, so the table bounds it.
    behind: Mutex<VecDeque<SessionId>>,
    more: Notify,
}

#[derive(Default)]
pub struct Part {
    heard: HashMap<SessionId, Heard>,
    memory: Memory,
}

#[derive(Default)]
pub struct Heard {
    /// Watches that are not paid back yet.
    watches: usize,
    pub standing: Cursor,
    /// Its history is to be read, or is being read.
    behind: bool,
    /// Something came meanwhile that this reading may not have seen.
    again: bool,
}

/// One session's entry, locked. Events are passed on under the lock: out of the history or live, they come in order.
pub struct Entry<'a> {
    part: MutexGuard<'a, Part>,
    session: &'a SessionId,
}

impl Entry<'_> {
    /// `None`: nobody watches it.
    pub fn heard(&mut self) -> Option<&mut Heard> {
        self.part.heard.get_mut(self.session).filter(|heard| heard.watches > 0)
    }
}

impl Table {
    pub fn new(abandon_after_ms: i64) -> Table {
        Table {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            abandon_after_ms,
            behind: Mutex::default(),
            more: Notify::new(),
        }
    }

    fn part(&self, session: &SessionId) -> MutexGuard<'_, Part> {
        self.parts[self.hasher.hash_one(session) as usize % PARTS].lock()
    }

    pub fn entry<'a>(&'a self, session: &'a SessionId) -> Entry<'a> {
        Entry { part: self.part(session), session }
    }

    pub fn watch(&self, session: &SessionId) {
        let mut part = self.part(session);
        let heard = part.heard.entry(session.clone()).or_default();
        heard.watches += 1;
        // Since the last one left, messages may have passed by.
        let before = if heard.watches == 1 { heard.standing.rest() } else { None };
        if let Some(position) = before {
            part.memory.keep(session.clone(), position, clock::steady_ms(), self.abandon_after_ms);
        }
    }

    /// `true`: nobody is left.
    pub fn unwatch(&self, session: &SessionId) -> bool {
        let mut part = self.part(session);
        let Some(heard) = part.heard.get_mut(session) else { return false };
        heard.watches = heard.watches.saturating_sub(1);
        heard.watches == 0
    }

    /// Takes the session off the table unless somebody watches it. `true`: nobody does.
    pub fn forget(&self, session: &SessionId) -> bool {
        let mut part = self.part(session);
        match part.heard.get(session) {
            Some(heard) if heard.watches > 0 => return false,
            None => return true,
            Some(_) => {}
        }
        if let Some(position) = part.heard.remove(session).and_then(|mut heard| heard.standing.rest()) {
            part.memory.keep(session.clone(), position, clock::steady_ms(), self.abandon_after_ms);
        }
        true
    }

    /// Sessions that are watched.
    pub fn watched(&self, mut which: impl FnMut(&SessionId) -> bool) -> Vec<SessionId> {
        let mut all = Vec::new();
        for part in &self.parts {
            let part = part.lock();
            let watched = part.heard.iter().filter(|(_, heard)| heard.watches > 0);
            all.extend(watched.map(|(session, _)| session).filter(|session| which(session)).cloned());
        }
        all
    }

    /// What a watcher has read. `false`: it is too old to begin with.
    pub fn read(&self, session: &SessionId, held: &SessionHistory) -> bool {
        let mut part = self.part(session);
        let remembered = part.memory.forget(session);
        let Some(heard) = part.heard.get_mut(session) else { return true };
        let reading = heard.standing.read(held, remembered);
        // Too old for good, if Redis lost something: then the node's own reading shows it.
        if reading != Reading::Good {
            self.fall_behind_in(heard, session);
        }
        reading != Reading::TooOld
    }

    /// What this node last told of a session, for when Redis knows nothing of it.
    pub fn remembered(&self, session: &SessionId) -> Option<Position> {
        let part = self.part(session);
        let position = part.heard.get(session).and_then(|heard| heard.standing.position());
        let running = |position: &&Position| {
            position.has_begun() && position.event.as_ref().is_none_or(|event| !event.state.has_ended())
        };
        position.filter(running).or_else(|| part.memory.of(session, clock::steady_ms())).cloned()
    }

    pub fn position(&self, session: &SessionId) -> Option<Position> {
        self.part(session).heard.get(session).and_then(|heard| heard.standing.position().cloned())
    }

    /// The session's history is to be read.
    pub fn fall_behind(&self, session: &SessionId) {
        if let Some(heard) = self.entry(session).heard()
            && heard.standing.miss()
        {
            self.fall_behind_in(heard, session);
        }
    }

    pub fn fall_behind_in(&self, heard: &mut Heard, session: &SessionId) {
        heard.again = true;
        if !std::mem::replace(&mut heard.behind, true) {
            self.behind.lock().push_back(session.clone());
            self.more.notify_one();
        }
    }

    /// The next session to read. The caller reports with [`Table::done`] how it went.
    pub async fn next_behind(&self) -> SessionId {
        loop {
            let more = self.more.notified();
            let next = self.behind.lock().pop_front();
            if let Some(session) = next {
                if let Some(heard) = self.part(&session).heard.get_mut(&session) {
                    heard.again = false;
                }
                return session;
            }
            more.await;
        }
    }

    /// `false`: it is to be read once more, and now stands in the queue again.
    pub fn done(&self, session: &SessionId, well: bool) -> bool {
        let mut part = self.part(session);
        let Some(heard) = part.heard.get_mut(session) else { return true };
        heard.behind = false;
        let once_more = heard.again || !well;
        if once_more {
            self.fall_behind_in(heard, session);
        }
        !once_more
    }
}
