//! For how long which cohort's sessions were followed: what both cohorts' costs are divided by.

use crate::{
    broker,
    measure::{Journal, Streamed},
};
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use streamgauge_core::{
    metric::measure::{counters::Counter, sample::Sample},
    session::{cohort::Cohort, ids::SessionId, timeline::MarkKind},
};

/// Sessions that were polled lately. Cloning shares it.
#[derive(Clone, Default)]
pub struct Polled(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    polls: HashMap<SessionId, Poll>,
    /// Time that is counted and not told yet, ms: rows keep whole seconds.
    rests: HashMap<&'static str, u64>,
}

struct Poll {
    cohort: Cohort,
    /// Unix milliseconds.
    at: i64,
    /// For how long the session is followed by what was polled, and is not counted yet, ms.
    owed: u64,
    is_streamed_elsewhere: bool,
    /// Polls since `since`, which are not on the session's timeline yet.
    count: u32,
    since: i64,
}

/// A session's polls stand on its timeline by the minute.
const MINUTE: i64 = 60_000;

impl Polled {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// A poll of the session at `now`, Unix milliseconds.
    pub fn poll(&self, session: &SessionId, cohort: Cohort, now: i64, found: &broker::Poll) {
        let polls = &mut self.state().polls;
        let new = || Poll { cohort, at: now, owed: 0, is_streamed_elsewhere: false, count: 0, since: now };
        // The id is copied for the first poll only.
        let poll = match polls.get_mut(session) {
            Some(poll) => poll,
            None => polls.entry(session.clone()).or_insert_with(new),
        };
        poll.at = now;
        poll.count += 1;
        poll.owed += found.followed_ms;
        poll.is_streamed_elsewhere = found.is_streamed_elsewhere;
    }

    /// Adds one second of every followed session to the tick, and answers how many are polled: those whose last poll is
    /// at most two intervals ago, for one would lose a poller between any two polls that are a little late.
    pub fn tick(
        &self,
        streamed: &impl Streamed,
        journal: &Journal,
        tick: &mut Sample,
        now: i64,
        poll_interval_ms: u32,
    ) -> u64 {
        let since = now - 2 * i64::from(poll_interval_ms);
        let State { polls, rests } = &mut *self.state();
        for cohort in [Cohort::Stream, Cohort::Poll] {
            add(tick, rests, seconds(cohort), streamed.followed_ms(cohort));
        }
        for (session, poll) in
            polls.iter_mut().filter(|(_, poll)| poll.at < since || now - poll.since >= MINUTE)
        {
            if poll.count > 0 {
                journal.mark(session, poll.since, MarkKind::Polls, "", Some(poll.count.into()));
            }
            (poll.count, poll.since) = (0, now);
        }
        for (session, poll) in polls.iter_mut() {
            // Second by second, so that no row gets more than its time.
            let followed = poll.owed.min(1_000);
            poll.owed -= followed;
            add(tick, rests, Counter::PollerSeconds, followed);
            // A session counts once, however many follow it in whichever way.
            if !poll.is_streamed_elsewhere && !streamed.has(session) {
                add(tick, rests, seconds(poll.cohort), followed);
            }
        }
        // What is owed is still paid where polls come faster than ticks.
        polls.retain(|_, poll| poll.at >= since || poll.owed > 0);
        polls.values().filter(|poll| poll.at >= since).count() as u64
    }
}

fn add(tick: &mut Sample, rests: &mut HashMap<&'static str, u64>, counter: Counter, ms: u64) {
    let rest = rests.entry(counter.name()).or_default();
    *rest += ms;
    tick.counters.add(counter, *rest / 1_000);
    *rest %= 1_000;
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
    use streamgauge_core::session::ids::{Epoch, EventId};

    /// Sessions of the stream cohort that have a stream.
    struct Streams(Vec<SessionId>);

    impl Streamed for Streams {
        fn followed_ms(&self, cohort: Cohort) -> u64 {
            if cohort == Cohort::Stream { self.0.len() as u64 * 1_000 } else { 0 }
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
        let found = |followed_ms, is_streamed_elsewhere| broker::Poll {
            current: broker::Current { id: EventId { epoch: Epoch(1), seq: 0 }, event: None },
            followed_ms,
            is_streamed_elsewhere,
        };
        let (streams, none) = (Streams(vec![both.clone()]), Streams(Vec::new()));
        polled.poll(&both, Cohort::Stream, 10_000, &found(3_000, false));
        polled.poll(&alone, Cohort::Poll, 10_000, &found(2_500, false));
        assert_eq!(seconds(&streams, 10_500), (1, 1, 2));
        assert_eq!(seconds(&streams, 11_500), (1, 1, 2));
        assert_eq!(seconds(&streams, 12_500), (1, 0, 2));
        // Half a second is left; what a poll of another node stands for is not counted here.
        polled.poll(&alone, Cohort::Poll, 13_000, &found(600, false));
        polled.poll(&both, Cohort::Stream, 13_000, &found(3_000, true));
        assert_eq!(seconds(&none, 13_500), (0, 1, 2));
        assert_eq!(seconds(&none, 19_000), (0, 0, 2));
        assert_eq!(seconds(&none, 19_001), (0, 0, 0));
        assert!(polled.state().polls.is_empty());
    }
}
