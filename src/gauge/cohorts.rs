//! For how long which cohort's sessions were followed: what both cohorts' costs are divided by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use streamgauge_core::{
    cohort::Cohort,
    ids::SessionId,
    measure::{counters::Counter, sample::Sample},
};

/// Cloning shares it.
#[derive(Clone, Default)]
pub struct Followed(Arc<Mutex<HashMap<SessionId, Following>>>);

struct Following {
    cohort: Cohort,
    streams: u32,
    /// Unix milliseconds.
    last_poll: Option<i64>,
}

/// One stream's share; gone with the stream.
pub struct StreamFollows {
    followed: Followed,
    session: SessionId,
}

impl Followed {
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Following>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, session: &SessionId, cohort: Cohort, change: impl FnOnce(&mut Following)) {
        let mut sessions = self.sessions();
        change(sessions.entry(session.clone()).or_insert(Following { cohort, streams: 0, last_poll: None }));
    }

    pub fn stream(&self, session: &SessionId, cohort: Cohort) -> StreamFollows {
        self.change(session, cohort, |following| following.streams += 1);
        StreamFollows { followed: self.clone(), session: session.clone() }
    }

    /// A poll of the session at `now`, Unix milliseconds.
    pub fn poll(&self, session: &SessionId, cohort: Cohort, now: i64) {
        self.change(session, cohort, |following| following.last_poll = Some(now));
    }

    /// Adds one second of every followed session to the tick. A poller follows for two intervals after its last poll:
    /// one would lose it between any two polls that are a little late.
    pub fn tick(&self, tick: &mut Sample, now: i64, poll_interval_ms: u32) -> u64 {
        let since = now - 2 * i64::from(poll_interval_ms);
        let mut pollers = 0;
        self.sessions().retain(|_, following| {
            let polls = following.last_poll.is_some_and(|at| at >= since);
            pollers += u64::from(polls);
            let followed = polls || following.streams > 0;
            if followed {
                let counter = match following.cohort {
                    Cohort::Stream => Counter::StreamCohortSeconds,
                    Cohort::Poll => Counter::PollCohortSeconds,
                };
                tick.counters.add(counter, 1);
            }
            followed
        });
        tick.counters.add(Counter::PollerSeconds, pollers);
        pollers
    }
}

impl Drop for StreamFollows {
    fn drop(&mut self) {
        if let Some(following) = self.followed.sessions().get_mut(&self.session) {
            following.streams = following.streams.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_once_however_many_follow_it() {
        let followed = Followed::default();
        let (streamed, polled): (SessionId, SessionId) = ("a".parse().expect("id"), "b".parse().expect("id"));
        let seconds = |now| {
            let mut tick = Sample::new("n", 0, 1);
            let pollers = followed.tick(&mut tick, now, 3_000);
            let count = |counter| tick.counters.get(counter);
            (count(Counter::StreamCohortSeconds), count(Counter::PollCohortSeconds), pollers)
        };
        let one = followed.stream(&streamed, Cohort::Stream);
        let two = followed.stream(&streamed, Cohort::Stream);
        followed.poll(&polled, Cohort::Poll, 10_000);
        assert_eq!(seconds(10_500), (1, 1, 1));
        assert_eq!(seconds(16_000), (1, 1, 1));
        assert_eq!(seconds(16_001), (1, 0, 0));
        drop(one);
        assert_eq!(seconds(17_000), (1, 0, 0));
        drop(two);
        assert_eq!(seconds(18_000), (0, 0, 0));
        assert!(followed.sessions().is_empty());
    }
}
