//! Step by step faster until something gives: which rate was held, and what gave.

use crate::{
    judge::DELIVERY_P95_MS,
    plan::Plan,
    tally::{Tally, Times},
};
use serde::Serialize;
use streamgauge_core::numbers::PERCENTILE_FLOOR;

/// One rate, held for a while.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Messages a second, all sessions together.
    pub messages_per_second: f64,
    pub deliveries_per_second: f64,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub samples: u64,
    pub held: bool,
    /// What gave, where something did.
    pub why: Option<String>,
}

pub struct Steps {
    plan: Plan,
    /// Followers of one session, on average.
    fan: f64,
    current: u64,
    latency: Times,
    delivered: u64,
    missing: u64,
    seconds: Vec<u64>,
    pub done: Vec<Step>,
}

impl Steps {
    pub fn new(plan: Plan) -> Steps {
        let fan = f64::from(plan.streams) / f64::from(plan.sessions);
        Steps {
            plan,
            fan,
            current: 0,
            latency: Times::default(),
            delivered: 0,
            missing: 0,
            seconds: vec![],
            done: vec![],
        }
    }

    /// One thread's second. Answers whether to go on.
    pub fn second(&mut self, second: u64, tally: &Tally) -> bool {
        let (from, to) = (second * 1_000_000, (second + 1) * 1_000_000);
        let Some((begin, end, _)) = self.plan.step_span(self.current) else { return true };
        // What came in the first second of a step may have been sent in the one before.
        let settled = begin + if end - begin > 3_000_000 { 1_000_000 } else { 0 };
        if from >= settled && to <= end {
            self.latency.merge(&tally.latency);
            self.delivered += tally.counts.delivered;
            if !self.seconds.contains(&second) {
                self.seconds.push(second);
            }
        }
        if from >= begin {
            let counts = tally.counts;
            self.missing +=
                counts.skipped.saturating_sub(counts.out_of_order) + counts.cut + counts.publish_failed;
        }
        // A whole second later, so that every thread has told its share.
        from < end + 1_000_000 || self.judge()
    }

    fn judge(&mut self) -> bool {
        let Some((_, _, rate)) = self.plan.step_span(self.current) else { return true };
        self.current += 1;
        let seconds = std::mem::take(&mut self.seconds).len() as f64;
        let latency = std::mem::take(&mut self.latency);
        let delivered = std::mem::take(&mut self.delivered) as f64 / seconds.max(1.0);
        let missing = std::mem::take(&mut self.missing);
        let p95 = latency.ms(95.0);
        let due = rate * self.fan;
        let why = if missing > 0 {
            Some(format!("{missing} messages or streams were lost"))
        } else if latency.count() < PERCENTILE_FLOOR {
            Some("too few deliveries to judge".into())
        } else if p95.is_some_and(|ms| ms >= DELIVERY_P95_MS) {
            Some(format!("p95 passed {DELIVERY_P95_MS} ms"))
        } else if delivered < due * 0.95 {
            Some(format!("only {delivered:.0} of {due:.0} deliveries a second came"))
        } else {
            None
        };
        let held = why.is_none();
        self.done.push(Step {
            messages_per_second: rate,
            deliveries_per_second: delivered,
            p95_ms: p95,
            p99_ms: latency.ms(99.0),
            samples: latency.count(),
            held,
            why,
        });
        held
    }
}

/// The fastest step that was held.
pub fn held(steps: &[Step]) -> Option<&Step> {
    steps.iter().rev().find(|step| step.held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{EMBEDDED, read};

    /// Runs the limit scenario against a server that is slow from the given second of messages on.
    fn steps(slow_from: u64, lost_at: Option<u64>) -> Vec<Step> {
        let plan = Plan::new(&read("limit", EMBEDDED[4].1, "limit").expect("good"));
        let start = plan.start_us().expect("all together") / 1_000_000 + 1;
        let mut steps = Steps::new(plan.clone());
        for second in 0..start + 45 {
            let mut tally = Tally::default();
            let rate = plan.step_span(plan.step(second * 1_000_000)).expect("a step").2 * 10.0;
            for _ in 0..rate as u64 {
                tally.latency.record(if second >= start + slow_from { 150_000 } else { 2_000 });
            }
            tally.counts.delivered = rate.ceil() as u64;
            tally.counts.skipped = u64::from(Some(second) == lost_at.map(|at| start + at));
            if !steps.second(second, &tally) {
                break;
            }
        }
        steps.done
    }

    #[test]
    fn it_stops_at_the_step_that_gives() {
        let check = |done: &[Step], rates: &[f64], why: &str| {
            assert_eq!(done.iter().map(|s| s.messages_per_second).collect::<Vec<_>>(), rates, "{done:?}");
            assert!(done.last().and_then(|s| s.why.as_deref()).unwrap_or("").contains(why), "{done:?}");
        };
        check(&steps(20, None), &[100.0, 125.0, 156.25], "p95 passed 100 ms");
        check(&steps(99, Some(12)), &[100.0, 125.0], "1 messages or streams were lost");
        assert_eq!(held(&steps(20, None)).map(|step| step.messages_per_second), Some(125.0));
        assert!(steps(99, None).iter().all(|step| step.held));
    }
}
