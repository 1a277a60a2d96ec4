//! What happened to single sessions, on its way to PostgreSQL. It is a convenience, and bounded: where more happens than
//! can be written, the newest is left out and counted, and no stream waits for it.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use streamgauge_core::session::{
    ids::SessionId,
    status::StatusEvent,
    timeline::{Mark, MarkKind, is_marked},
};

/// Marks that may wait; about 3 MB.
const MOST: usize = 20_000;
/// Sessions whose last marked event is remembered.
const REMEMBERED: usize = 20_000;

#[derive(Default)]
pub struct Journal {
    node: String,
    marks: Mutex<Vec<(SessionId, Mark)>>,
    /// Stage and time of each session's last marked event.
    last: Mutex<HashMap<SessionId, (Box<str>, i64)>>,
    lost: AtomicU64,
}

impl Journal {
    pub fn new(node: &str) -> Journal {
        Journal { node: node.to_owned(), ..Journal::default() }
    }

    /// `at`: Unix milliseconds.
    pub fn mark(
        &self,
        session: &SessionId,
        at: i64,
        kind: MarkKind,
        detail: impl Into<String>,
        value: Option<f64>,
    ) {
        if session.is_probe() {
            return;
        }
        let mut marks = self.marks.lock();
        if marks.len() >= MOST {
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        let mark = Mark { at, kind, node: self.node.clone(), detail: detail.into(), value };
        marks.push((session.clone(), mark));
    }

    /// A status event, if it is worth a mark.
    pub fn event(&self, event: &StatusEvent) {
        {
            let mut last = self.last.lock();
            let known = last.get(&event.session).map(|(stage, at)| (&**stage, *at));
            if !is_marked(event, known) {
                return;
            }
            if event.state.has_ended() {
                last.remove(&event.session);
            } else {
                if last.len() >= REMEMBERED {
                    // Each of them is marked once more than needed.
                    last.clear();
                }
                last.insert(event.session.clone(), (event.stage.as_str().into(), event.at));
            }
        }
        self.mark(
            &event.session,
            event.at,
            MarkKind::Event,
            event.stage.clone(),
            Some(event.progress.into()),
        );
    }

    /// Marks that wait.
    pub fn waiting(&self) -> usize {
        self.marks.lock().len()
    }

    /// Takes out the oldest of them.
    pub fn take(&self, most: usize) -> Vec<(SessionId, Mark)> {
        let mut marks = self.marks.lock();
        let most = most.min(marks.len());
        let rest = marks.split_off(most);
        std::mem::replace(&mut *marks, rest)
    }

    /// What could not be written comes back, as far as there is room.
    pub fn back(&self, mut taken: Vec<(SessionId, Mark)>) {
        let mut marks = self.marks.lock();
        taken.append(&mut marks);
        self.lost.fetch_add(taken.len().saturating_sub(MOST) as u64, Relaxed);
        taken.truncate(MOST);
        *marks = taken;
    }

    /// Marks that were dropped because the journal was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}
