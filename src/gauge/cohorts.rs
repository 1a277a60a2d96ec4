//! For how long which cohort's sessions were followed: what both cohorts' costs are divided by.

use super::Journal;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use streamgauge_core::{
    cohort::Cohort,
    ids::SessionId,
    measure::{counters::Counter, sample::Sample},
    timeline::MarkKind,
};

/// Sessions that were polled lately. Cloning shares it.
#[derive(Clone, Default)]
pub struct Polled(Arc<Mutex<HashMap<SessionId, Poll>>>);

struct Poll {
    cohort: Cohort,
    /// Unix milliseconds.
    at: i64,
    /// Polls since `since`, which are not on the session's timeline yet.
    count: u32,
    since: i64,
}

/// A session's polls stand on its timeline by the minute.
const MINUTE: i64 = 60_000;

/// Who follows by stream, as far as it matters here.
pub trait Streamed {
    /// Sessions of the cohort that have a stream.
    fn sessions(&self, cohort: Cohort) -> u64;
    fn has(&self, session: &SessionId) -> bool;
}

impl Polled {
    fn polls(&self) -> MutexGuard<'_, HashMap<SessionId, Poll>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A poll of the session at `now`, Unix milliseconds.
    pub fn poll(&self, session: &SessionId, cohort: Cohort, now: i64) {
        let mut polls = self.polls();
        match polls.get_mut(session) {
            Some(poll) => {
                poll.at = now;
                poll.count += 1;
            }
            None => {
                polls.insert(session.clone(), Poll { cohort, at: now, count: 1, since: now });
            }
        }
    }

    /// Adds one second of every followed session to the tick, and answers how many are polled. A poller follows for
    /// two intervals after its last poll: one would lose it between any two polls that are a little late.
    pub fn tick(
        &self,
        streamed: &impl Streamed,
        journal: &Journal,
        tick: &mut Sample,
        now: i64,
        poll_interval_ms: u32,
    ) -> u64 {
        let since = now - 2 * i64::from(poll_interval_ms);
        for cohort in [Cohort::Stream, Cohort::Poll] {
            tick.counters.add(seconds(cohort), streamed.sessions(cohort));
        }
        let mut polls = self.polls();
        for (session, poll) in
            polls.iter_mut().filter(|(_, poll)| poll.at < since || now - poll.since >= MINUTE)
        {
            if poll.count > 0 {
                journal.mark(session, poll.since, MarkKind::Polls, "", Some(poll.count.into()));
            }
            (poll.count, poll.since) = (0, now);
        }
        polls.retain(|_, poll| poll.at >= since);
        for (session, poll) in polls.iter() {
            // A session counts once, however many follow it in whichever way.
            if !streamed.has(session) {
                tick.counters.add(seconds(poll.cohort), 1);
            }
        }
        tick.counters.add(Counter::PollerSeconds, polls.len() as u64);
        polls.len() as u64
    }
}

fn seconds(cohort: Cohort) -> Counter {
    match cohort {
        Cohort::Stream => Counter::StreamCohortSeconds,
        Cohort::Poll => Counter::PollCohortSeconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions of the stream cohort that have a stream.
    struct Streams(Vec<SessionId>);

    impl Streamed for Streams {
        fn sessions(&self, cohort: Cohort) -> u64 {
            if cohort == Cohort::Stream { self.0.len() as u64 } else { 0 }
        }

        fn has(&self, session: &SessionId) -> bool {
            self.0.contains(session)
        }
    }

    #[test]
    fn a_session_counts_once_however_many_follow_it() {
        let polled = Polled::default();
        let (both, alone): (SessionId, SessionId) = ("a".parse().expect("id"), "b".parse().expect("id"));
        let seconds = |streams: &Streams, now| {
            let mut tick = Sample::new("n", 0, 1);
            let pollers = polled.tick(streams, &Journal::default(), &mut tick, now, 3_000);
            let count = |counter| tick.counters.get(counter);
            (count(Counter::StreamCohortSeconds), count(Counter::PollCohortSeconds), pollers)
        };
        let streams = Streams(vec![both.clone()]);
        polled.poll(&both, Cohort::Stream, 10_000);
        polled.poll(&alone, Cohort::Poll, 10_000);
        assert_eq!(seconds(&streams, 10_500), (1, 1, 2));
        assert_eq!(seconds(&streams, 16_000), (1, 1, 2));
        assert_eq!(seconds(&streams, 16_001), (1, 0, 0));
        assert_eq!(seconds(&Streams(Vec::new()), 17_000), (0, 0, 0));
        assert!(polled.polls().is_empty());
    }
}
