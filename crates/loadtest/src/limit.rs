//! Step by step faster until something gives: which rate was held, and what gave.

use crate::{
    judge::DELIVERY_P95_MS,
    plan::Plan,
    tally::{Tally, Times},
};
use std::collections::{BTreeSet, VecDeque};
use streamgauge_core::{load_test::Step, metric::numbers::PERCENTILE_FLOOR};

pub struct Steps {
    plan: Plan,
    /// Followers of one session, on average.
    fan: f64,
    /// Steps that are not judged yet, the next one first.
    running: VecDeque<Running>,
    pub done: Vec<Step>,
}

/// What is known of a step so far.
#[derive(Default)]
struct Running {
    latency: Times,
    delivered: u64,
    missing: u64,
    /// Those that count, each once however many threads tell of it.
    seconds: BTreeSet<u64>,
}

impl Steps {
    pub fn new(plan: Plan) -> Steps {
        let fan = f64::from(plan.streams) / f64::from(plan.sessions);
        Steps { plan, fan, running: VecDeque::new(), done: Vec::new() }
    }

    /// One thread's second. Answers whether to go on.
    pub fn second(&mut self, second: u64, tally: &Tally) -> bool {
        let (from, to) = (second * 1_000_000, (second + 1) * 1_000_000);
        let current = self.done.len() as u64;
        let step = self.plan.step(from).max(current);
        let Some((begin, end, _)) = self.plan.step_span(step) else { return true };
        let index = (step - current) as usize;
        if self.running.len() <= index {
            self.running.resize_with(index + 1, Running::default);
        }
        let running = &mut self.running[index];
        // What came in the first second of a step may have been sent in the one before.
        if from >= begin + 1_000_000 && to <= end {
            running.latency.merge(&tally.latency);
            running.delivered += tally.counts.delivered;
            running.seconds.insert(second);
        }
        let counts = tally.counts;
        // What lies behind a gap is known once the stream is over: here the gap itself counts.
        running.missing += counts.skipped.saturating_sub(counts.out_of_order)
            + counts.gaps
            + counts.cut
            + counts.publish_failed
            + counts.publish_refused;
        // A whole second later, so that every thread has told its share.
        let over = self.plan.step_span(current).is_some_and(|(_, end, _)| from >= end + 1_000_000);
        !over || self.judge()
    }

    fn judge(&mut self) -> bool {
        let Some((_, _, rate)) = self.plan.step_span(self.done.len() as u64) else { return true };
        let Running { latency, delivered, missing, seconds } = self.running.pop_front().unwrap_or_default();
        let delivered = delivered as f64 / (seconds.len() as f64).max(1.0);
        let (p95, due) = (latency.ms(95.0), rate * self.fan);
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
        scaled(1.0, slow_from, lost_at)
    }

    fn scaled(scale: f64, slow_from: u64, lost_at: Option<u64>) -> Vec<Step> {
        let plan = Plan::new(&read("limit", EMBEDDED[4].1, "limit").expect("good").scaled(scale));
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
        let short = scaled(0.1, 99, None);
        assert!(short.len() > 8 && short.iter().all(|step| step.held), "{short:?}");
    }
}
