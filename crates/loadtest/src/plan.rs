//! When everything is due: arrivals, messages, ends. Computed, not stored, so that ten thousand streams cost nothing.
//!
//! Times are microseconds after the run's origin. A message's due time never depends on what the server does: that is
//! what keeps a slow server from slowing its own test down (coordinated omission).

use crate::scenario::{Life, Limit, Phase, Scenario};

/// A session is made this long before its first follower is due.
pub const LEAD_US: u64 = 1_000_000;
/// Between the last arrival and the first message, where all speak together: time to weigh the silent streams.
const SETTLE_US: u64 = 4_000_000;

#[derive(Clone, Debug)]
pub struct Plan {
    phases: Vec<Phase>,
    life: Life,
    limit: Option<Limit>,
    every_us: f64,
    pub sessions: u32,
    pub streams: u32,
    /// When the first message may be due, where all speak together.
    start_us: u64,
}

impl Plan {
    pub fn new(scenario: &Scenario) -> Plan {
        let opening: f64 = scenario.phases.iter().map(|phase| phase.duration.as_secs_f64()).sum();
        Plan {
            phases: scenario.phases.clone(),
            life: scenario.life,
            limit: scenario.limit,
            every_us: scenario.message_every.as_secs_f64() * 1e6,
            sessions: scenario.sessions,
            streams: scenario.streams,
            start_us: LEAD_US + (opening * 1e6) as u64 + SETTLE_US,
        }
    }

    pub fn session_of(&self, stream: u32) -> u32 {
        stream % self.sessions
    }

    pub fn arrival_us(&self, stream: u32) -> u64 {
        let (mut at, mut before) = (0.0, 0.0);
        for phase in &self.phases {
            let brings = phase.rate * phase.duration.as_secs_f64();
            if f64::from(stream) < before + brings {
                return LEAD_US + ((at + (f64::from(stream) - before) / phase.rate) * 1e6) as u64;
            }
            at += phase.duration.as_secs_f64();
            before += brings;
        }
        LEAD_US + (at * 1e6) as u64
    }

    pub fn creation_us(&self, session: u32) -> u64 {
        self.arrival_us(session) - LEAD_US
    }

    /// The first message. Sessions are spread over the interval, so that they do not all speak at once.
    pub fn first_us(&self, session: u32) -> u64 {
        let share = f64::from(session) / f64::from(self.sessions);
        match self.life {
            Life::Together(_) => self.start_us + (self.every_us * share) as u64,
            // The golden ratio spreads neighbours well apart. Half an interval lets even a short stay hear something.
            Life::Each(_) => {
                let share = (f64::from(session) * 0.618_033_988_75).fract();
                self.arrival_us(session) + (self.every_us * (0.1 + 0.4 * share)) as u64
            }
        }
    }

    /// The message after the one due then.
    pub fn next_us(&self, due: u64) -> u64 {
        due + ((self.every_us / self.speed(due)) as u64).max(1)
    }

    /// How much faster than at the start a step-wise test is by then.
    fn speed(&self, at: u64) -> f64 {
        self.limit.map_or(1.0, |limit| limit.factor.powi(i32::try_from(self.step(at)).unwrap_or(0)))
    }

    /// Which step of a step-wise test that is, counted from 0.
    pub fn step(&self, at: u64) -> u64 {
        let Some(limit) = self.limit else { return 0 };
        at.saturating_sub(self.start_us) / (limit.step.as_micros() as u64).max(1)
    }

    /// The step's beginning and end, and its messages a second for all sessions.
    pub fn step_span(&self, step: u64) -> Option<(u64, u64, f64)> {
        let length = self.limit?.step.as_micros() as u64;
        let from = self.start_us + step * length;
        let rate = f64::from(self.sessions) * 1e6 / self.every_us * self.speed(from);
        Some((from, from + length, rate))
    }

    /// When the session is completed; no message is due then or later.
    pub fn end_us(&self, session: u32) -> u64 {
        match self.life {
            Life::Together(span) => self.start_us + span.as_micros() as u64,
            Life::Each(stay) => self.arrival_us(session) + stay.as_micros() as u64,
        }
    }

    /// When messages start where all speak together: all streams are open and nothing is said yet.
    pub fn start_us(&self) -> Option<u64> {
        matches!(self.life, Life::Together(_)).then_some(self.start_us)
    }

    /// When the first poll is due: when the first session may have told something.
    pub fn first_poll_us(&self) -> u64 {
        self.first_us(0)
    }

    /// The last thing that is due.
    pub fn last_us(&self) -> u64 {
        self.end_us(self.sessions.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{EMBEDDED, read};
    use proptest::prelude::*;

    fn plan(index: usize, scale: f64) -> Plan {
        Plan::new(&read("x", EMBEDDED[index].1, "x").expect("good").scaled(scale))
    }

    #[test]
    fn arrivals_follow_the_phases() {
        let ramp = plan(0, 1.0);
        let check = |stream, seconds: f64| {
            assert_eq!(ramp.arrival_us(stream), LEAD_US + (seconds * 1e6) as u64, "stream {stream}");
        };
        check(0, 0.0);
        check(149, 29.8);
        check(150, 30.0);
        check(1_350, 90.0);
        check(4_350, 150.0);
        check(10_350, 210.0);
        check(10_499, 239.8);
    }

    #[test]
    fn the_burst_has_as_many_messages_as_the_epic_says() {
        let burst = plan(1, 0.01);
        let mut messages = 0;
        for session in 0..burst.sessions {
            let mut due = burst.first_us(session);
            while due < burst.end_us(session) {
                messages += 1;
                due = burst.next_us(due);
            }
        }
        assert_eq!(messages, 15_000, "5,000 a second for 3 s");
    }

    #[test]
    fn steps_get_faster_by_the_factor() {
        let limit = plan(4, 1.0);
        let rate = |step| limit.step_span(step).expect("a step").2;
        assert_eq!((rate(0), rate(1)), (100.0, 125.0));
        let (from, to, _) = limit.step_span(3).expect("a step");
        assert_eq!((limit.step(from), limit.step(to - 1), limit.step(to)), (3, 3, 4));
    }

    proptest! {
        #[test]
        fn nothing_is_due_before_what_it_needs(stream in 0u32..10_500, index in 0usize..5, scale in 0.01f64..1.0) {
            let plan = plan(index, scale);
            let stream = stream % plan.streams;
            let session = plan.session_of(stream);
            prop_assert!(plan.creation_us(session) + LEAD_US <= plan.arrival_us(stream));
            prop_assert!(plan.arrival_us(stream) < plan.first_us(session).max(plan.end_us(session)));
            prop_assert!(plan.next_us(plan.first_us(session)) > plan.first_us(session));
        }
    }
}
