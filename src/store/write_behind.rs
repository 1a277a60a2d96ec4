//! The write-behind buffer: what waits in memory for PostgreSQL. Publishing and measuring go on while PostgreSQL is
//! unreachable; their rows wait here, within bounds, and are written once it is reachable again.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use streamgauge_core::{
    access::audit::AuditEntry,
    metric::{beacon::FallbackReason, measure::packed::Packed},
    page::annotation::Annotation,
    session::{
        cohort::Cohort,
        ids::SessionId,
        status::{State, StatusEvent},
    },
};

/// 2.3 days of 10 s rows, or hours of them where there are several regions; about 20 MB. Beyond that the oldest is dropped.
const MAX_SAMPLES: usize = 20_000;
/// Sessions that changed and are not written yet; about 25 MB. After that new ones are left out and counted.
const MAX_SESSIONS: usize = 50_000;

/// Shared by every task that adds entries and the one task that writes them.
#[derive(Default)]
pub struct WriteBehind(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    samples: VecDeque<Packed>,
    sessions: HashMap<SessionId, SessionNote>,
    /// Those among them that the round has still to write.
    due: Vec<SessionId>,
    traces: Traces,
    lost: u64,
}

/// Records beside the samples that explain them.
#[derive(Default)]
pub struct Traces {
    pub fallbacks: Vec<Fallen>,
    /// Pages by ten minutes (Unix seconds) and by place.
    pub pages: HashMap<(i64, Place), i64>,
    pub annotations: Vec<Annotation>,
    /// Audit rows of changes to things that are not in PostgreSQL.
    pub audit: Vec<AuditEntry>,
}

/// Fallbacks, kinds of pages, annotations and audit rows that wait, of each. What is more is left out and counted.
const MAX_TRACES: usize = 10_000;
/// Seconds over which pages are counted together.
const PAGES_STEP: i64 = 600;

/// Where a page came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub browser: String,
    pub region: String,
    pub route: String,
}

pub struct Fallen {
    /// Unix milliseconds.
    pub at: i64,
    pub session: SessionId,
    pub reason: FallbackReason,
    pub place: Place,
}

impl Traces {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.fallbacks.len() + self.pages.len() + self.annotations.len() + self.audit.len()
    }
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
    pub event: Option<Arc<StatusEvent>>,
    /// Unix milliseconds of its first note.
    pub started_at: i64,
}

impl SessionNote {
    pub fn of_event(cohort: Cohort, event: Arc<StatusEvent>) -> SessionNote {
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

    /// Merges a later note into this one, which is not written yet. A session that has ended stays as it ended.
    fn renew(&mut self, later: SessionNote) {
        if self.state().has_ended() {
            return;
        }
        let SessionNote { id: _, kind, region, user, cohort, at, event, started_at } = later;
        self.kind = kind.or(self.kind.take());
        self.region = region.or(self.region.take());
        self.user = user.or(self.user.take());
        self.event = event.or(self.event.take());
        self.started_at = started_at.min(self.started_at);
        (self.cohort, self.at) = (cohort, at);
    }
}

impl WriteBehind {
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
        if let Some(earlier) = waiting.sessions.get_mut(&note.id) {
            earlier.renew(note);
        } else if waiting.sessions.len() < MAX_SESSIONS {
            waiting.sessions.insert(note.id.clone(), note);
        } else {
            waiting.lost += 1;
        }
    }

    /// How a session stands after its event.
    pub fn event(&self, cohort: Cohort, event: &Arc<StatusEvent>) {
        if let Some(note) = self.waiting().sessions.get_mut(&event.session) {
            if note.state().has_ended() {
                return;
            }
            (note.cohort, note.at) = (cohort, event.at);
            note.event = Some(event.clone());
            return;
        }
        self.session(SessionNote::of_event(cohort, event.clone()));
    }

    /// `at`: Unix milliseconds.
    pub fn fallback(&self, at: i64, session: &SessionId, reason: FallbackReason, place: Place) {
        let mut waiting = self.waiting();
        if waiting.traces.fallbacks.len() < MAX_TRACES {
            waiting.traces.fallbacks.push(Fallen { at, session: session.clone(), reason, place });
        } else {
            waiting.lost += 1;
        }
    }

    /// A page reported for the first time.
    pub fn page(&self, at: i64, place: Place) {
        let mut waiting = self.waiting();
        let bucket = (at / 1_000).div_euclid(PAGES_STEP) * PAGES_STEP;
        let room = waiting.traces.pages.len() < MAX_TRACES;
        match waiting.traces.pages.entry((bucket, place)) {
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(entry) if room => {
                entry.insert(1);
            }
            Entry::Vacant(_) => waiting.lost += 1,
        }
    }

    /// Something that happened around the sessions, for the charts.
    pub fn annotate(&self, annotation: Annotation) {
        let mut waiting = self.waiting();
        if waiting.traces.annotations.len() < MAX_TRACES {
            waiting.traces.annotations.push(annotation);
        } else {
            waiting.lost += 1;
        }
    }

    /// A change whose audit row is written once PostgreSQL can be reached. The caller logs the change as well: beyond the
    /// buffer's bound the log is all that has it.
    pub fn audit(&self, entry: AuditEntry) {
        let mut waiting = self.waiting();
        if waiting.traces.audit.len() < MAX_TRACES {
            waiting.traces.audit.push(entry);
        } else {
            waiting.lost += 1;
        }
    }

    pub(super) fn take_traces(&self) -> Traces {
        std::mem::take(&mut self.waiting().traces)
    }

    /// Puts entries back that could not be written. Newer ones that no longer fit are dropped.
    pub(super) fn traces_back(&self, mut taken: Traces) {
        let mut waiting = self.waiting();
        let newer = std::mem::take(&mut waiting.traces);
        taken.fallbacks.extend(newer.fallbacks);
        taken.annotations.extend(newer.annotations);
        taken.audit.extend(newer.audit);
        for (key, pages) in newer.pages {
            *taken.pages.entry(key).or_default() += pages;
        }
        for waiting_now in [taken.fallbacks.len(), taken.annotations.len(), taken.audit.len()] {
            waiting.lost += waiting_now.saturating_sub(MAX_TRACES) as u64;
        }
        taken.fallbacks.truncate(MAX_TRACES);
        taken.annotations.truncate(MAX_TRACES);
        taken.audit.truncate(MAX_TRACES);
        waiting.traces = taken;
    }

    /// Samples that wait, and entries that were lost because the buffer was full or PostgreSQL refused them.
    pub fn state(&self) -> (usize, u64) {
        let waiting = self.waiting();
        (waiting.samples.len(), waiting.lost)
    }

    /// Samples and sessions that wait, and what is kept beside them.
    pub(super) fn left(&self) -> usize {
        let waiting = self.waiting();
        waiting.samples.len() + waiting.sessions.len() + waiting.traces.len()
    }

    /// The oldest samples, which stay until [`WriteBehind::written`].
    pub(super) fn oldest_samples(&self, most: usize) -> Vec<Packed> {
        self.waiting().samples.iter().take(most).cloned().collect()
    }

    pub(super) fn written(&self, written: &[Packed]) {
        // By content, not by count: a full buffer may have dropped the oldest during the write.
        let mut waiting = self.waiting();
        for sample in written {
            if waiting.samples.front() == Some(sample) {
                waiting.samples.pop_front();
            }
        }
    }

    /// Starts a round with the sessions that wait now. Busy sessions change again during the round; they wait for the next
    /// one, so that a round ends.
    pub(super) fn begin_round(&self) {
        let mut waiting = self.waiting();
        waiting.due = waiting.sessions.keys().cloned().collect();
    }

    /// Takes out up to `most` sessions of the round; what cannot be written goes [`WriteBehind::back`].
    pub(super) fn take_sessions(&self, most: usize) -> Vec<SessionNote> {
        let mut waiting = self.waiting();
        let rest = waiting.due.len().saturating_sub(most);
        let ids = waiting.due.split_off(rest);
        ids.iter().filter_map(|id| waiting.sessions.remove(id)).collect()
    }

    /// PostgreSQL refused entries.
    pub(super) fn lose(&self, entries: usize) {
        self.waiting().lost += entries as u64;
    }

    pub(super) fn back(&self, notes: Vec<SessionNote>) {
        let mut waiting = self.waiting();
        for mut note in notes {
            if let Some(newer) = waiting.sessions.remove(&note.id) {
                note.renew(newer);
            }
            waiting.sessions.insert(note.id.clone(), note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::{
        access::{
            Actor,
            audit::{Action, Change},
        },
        metric::measure::sample::Sample,
    };

    #[test]
    fn the_write_behind_buffer_is_bounded_and_keeps_the_newest() {
        let buffer = WriteBehind::default();
        for start in 0..MAX_SAMPLES as i64 + 5 {
            buffer.sample(Sample::new("a", start, 10).pack());
        }
        assert_eq!(buffer.state(), (MAX_SAMPLES, 5));
        let oldest = buffer.oldest_samples(2);
        assert_eq!(oldest[0].start, 5);
        buffer.written(&oldest);
        buffer.written(&oldest);
        assert_eq!(buffer.state().0, MAX_SAMPLES - 2);
    }

    fn note(id: &str, at: i64, kind: Option<&str>) -> SessionNote {
        SessionNote {
            id: id.parse().expect("an id"),
            kind: kind.map(str::to_owned),
            region: None,
            user: None,
            cohort: Cohort::Stream,
            at,
            event: None,
            started_at: at,
        }
    }

    #[test]
    fn a_failed_write_does_not_hide_what_came_meanwhile() {
        let buffer = WriteBehind::default();
        buffer.session(note("job", 1, Some("import")));
        buffer.begin_round();
        let taken = buffer.take_sessions(10);
        buffer.session(note("job", 2, None));
        buffer.back(taken);
        buffer.begin_round();
        let again = buffer.take_sessions(10);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].at, again[0].started_at, again[0].kind.as_deref()), (2, 1, Some("import")));
    }

    #[test]
    fn a_round_ends_however_busy_its_sessions_are() {
        let buffer = WriteBehind::default();
        let all = |at| (0..5).for_each(|n| buffer.session(note(&format!("job-{n}"), at, None)));
        all(1);
        buffer.begin_round();
        let mut written = Vec::new();
        loop {
            let notes = buffer.take_sessions(2);
            if notes.is_empty() {
                break;
            }
            written.extend(notes.into_iter().map(|note| note.id.to_string()));
            // Each has news before the next write.
            all(2);
        }
        written.sort();
        let each: Vec<_> = (0..5).map(|n| format!("job-{n}")).collect();
        assert_eq!((written, buffer.left()), (each, 5));

        // A round that breaks off leaves nothing behind.
        buffer.begin_round();
        let taken = buffer.take_sessions(2);
        assert_eq!((taken.len(), buffer.left()), (2, 3));
        buffer.back(taken);
        buffer.begin_round();
        assert_eq!((buffer.left(), buffer.take_sessions(9).len()), (5, 5));
    }

    #[test]
    fn a_full_write_behind_buffer_still_updates_the_sessions_it_holds() {
        let buffer = WriteBehind::default();
        (0..MAX_SESSIONS).for_each(|n| buffer.session(note(&format!("job-{n}"), 1, None)));
        buffer.begin_round();
        buffer.session(note("job-7", 2, None));
        buffer.session(note("another", 2, None));
        assert_eq!((buffer.state().1, buffer.left()), (1, MAX_SESSIONS));
        let written = buffer.take_sessions(MAX_SESSIONS);
        assert_eq!(written.iter().filter(|note| note.at == 2).count(), 1);
    }

    #[test]
    fn audit_rows_that_could_not_be_written_wait_again_in_their_order_and_within_their_bound() {
        let buffer = WriteBehind::default();
        let entry = |at| AuditEntry {
            at,
            actor: Actor::local_user(None),
            change: Change { action: Action::ChangeLimits, object: "limits/a".into(), old: None, new: None },
        };
        buffer.audit(entry(1));
        let taken = buffer.take_traces();
        (2..=MAX_TRACES as i64 + 1).for_each(|at| buffer.audit(entry(at)));
        buffer.traces_back(taken);
        assert_eq!((buffer.state().1, buffer.left()), (1, MAX_TRACES));
        let again = buffer.take_traces().audit;
        assert_eq!(again.iter().map(|entry| entry.at).take(3).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
