//! What is to be written to PostgreSQL. Everything that is measured or published goes on while the database is
//! away; it waits here, within bounds, and is written when the database is back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};
use streamgauge_core::{
    cohort::Cohort,
    ids::SessionId,
    measure::sample::Packed,
    status::{State, StatusEvent},
};

/// A day of 10 s rows; about 10 MB. After that the oldest goes.
const MAX_SAMPLES: usize = 8_640;
/// Sessions that changed and are not written yet; about 25 MB. After that new ones are left out and counted.
const MAX_SESSIONS: usize = 50_000;

#[derive(Default)]
pub struct Outbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    samples: VecDeque<Packed>,
    sessions: HashMap<SessionId, SessionNote>,
    lost: u64,
}

/// How a session stands, to be written to its row.
#[derive(Clone, Debug)]
pub struct SessionNote {
    pub id: SessionId,
    pub kind: Option<String>,
    pub region: Option<String>,
    pub user: Option<String>,
    pub cohort: Cohort,
    /// Unix milliseconds.
    pub at: i64,
    pub event: Option<StatusEvent>,
    /// Unix milliseconds of its first note.
    pub started_at: i64,
}

impl SessionNote {
    pub fn of_event(cohort: Cohort, event: StatusEvent) -> SessionNote {
        SessionNote {
            id: event.session.clone(),
            kind: None,
            region: None,
            user: None,
            cohort,
            at: event.at,
            started_at: event.at,
            event: Some(event),
        }
    }

    pub fn state(&self) -> State {
        self.event.as_ref().map_or(State::Running, |event| event.state)
    }

    /// A later note over an earlier one that has not been written yet.
    fn over(self, earlier: SessionNote) -> SessionNote {
        SessionNote {
            kind: self.kind.or(earlier.kind),
            region: self.region.or(earlier.region),
            user: self.user.or(earlier.user),
            event: self.event.or(earlier.event),
            started_at: earlier.started_at.min(self.started_at),
            ..self
        }
    }
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sample(&self, sample: Packed) {
        let mut waiting = self.waiting();
        if waiting.samples.len() >= MAX_SAMPLES {
            waiting.samples.pop_front();
            waiting.lost += 1;
        }
        waiting.samples.push_back(sample);
    }

    pub fn session(&self, note: SessionNote) {
        let mut waiting = self.waiting();
        match waiting.sessions.remove(&note.id) {
            Some(earlier) => {
                waiting.sessions.insert(note.id.clone(), note.over(earlier));
            }
            None if waiting.sessions.len() < MAX_SESSIONS => {
                waiting.sessions.insert(note.id.clone(), note);
            }
            None => waiting.lost += 1,
        }
    }

    /// Samples that wait, and entries that were lost for want of room.
    pub fn state(&self) -> (usize, u64) {
        let waiting = self.waiting();
        (waiting.samples.len(), waiting.lost)
    }

    /// The oldest samples, which stay until [`Outbox::written`].
    pub(super) fn oldest_samples(&self, most: usize) -> Vec<Packed> {
        self.waiting().samples.iter().take(most).cloned().collect()
    }

    pub(super) fn written(&self, written: &[Packed]) {
        // By content and not by count: while they were written, a full outbox may have let the oldest go.
        let mut waiting = self.waiting();
        for sample in written {
            if waiting.samples.front() == Some(sample) {
                waiting.samples.pop_front();
            }
        }
    }

    /// Takes out up to `most` sessions; what cannot be written goes [`Outbox::back`].
    pub(super) fn take_sessions(&self, most: usize) -> Vec<SessionNote> {
        let mut waiting = self.waiting();
        let ids: Vec<SessionId> = waiting.sessions.keys().take(most).cloned().collect();
        ids.iter().filter_map(|id| waiting.sessions.remove(id)).collect()
    }

    pub(super) fn back(&self, notes: Vec<SessionNote>) {
        let mut waiting = self.waiting();
        for note in notes {
            let newer = waiting.sessions.remove(&note.id);
            let note = match newer {
                Some(newer) => newer.over(note),
                None => note,
            };
            waiting.sessions.insert(note.id.clone(), note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::measure::sample::Sample;

    #[test]
    fn the_outbox_is_bounded_and_keeps_the_newest() {
        let outbox = Outbox::default();
        for start in 0..MAX_SAMPLES as i64 + 5 {
            outbox.sample(Sample::new("a", start, 10).pack());
        }
        assert_eq!(outbox.state(), (MAX_SAMPLES, 5));
        let oldest = outbox.oldest_samples(2);
        assert_eq!(oldest[0].start, 5);
        outbox.written(&oldest);
        outbox.written(&oldest);
        assert_eq!(outbox.state().0, MAX_SAMPLES - 2);
    }

    #[test]
    fn a_failed_write_does_not_hide_what_came_meanwhile() {
        let outbox = Outbox::default();
        let note = |at, kind: Option<&str>| SessionNote {
            id: "job".parse().expect("an id"),
            kind: kind.map(str::to_owned),
            region: None,
            user: None,
            cohort: Cohort::Stream,
            at,
            event: None,
            started_at: at,
        };
        outbox.session(note(1, Some("import")));
        let taken = outbox.take_sessions(10);
        outbox.session(note(2, None));
        outbox.back(taken);
        let again = outbox.take_sessions(10);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].at, again[0].started_at, again[0].kind.as_deref()), (2, 1, Some("import")));
    }
}
