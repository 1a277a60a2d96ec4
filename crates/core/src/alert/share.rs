//! Rules over a level: `memory_usage > 80%`, `redis_latency > 100ms`. Each sample is a measurement by itself, so there is
//! no test of chance: most of the samples must lie above the threshold, from D ago to now.
//!
//! Judged node by node and never averaged: one full node among nine empty ones is a fault.

use super::buckets::{History, Tally};
use super::judge::{Recovery, Verdict, Windows};
use super::reason::{Reason, Share};

/// One bucket of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    pub n: u64,
    /// Samples above the threshold; a probe without an answer is one.
    pub above: u64,
    /// Samples above the level of recovery; a probe without an answer is one.
    pub not_recovered: u64,
}

impl Tally for Samples {
    fn plus(self, other: Self) -> Self {
        Self {
            n: self.n.wrapping_add(other.n),
            above: self.above.wrapping_add(other.above),
            not_recovered: self.not_recovered.wrapping_add(other.not_recovered),
        }
    }
    fn minus(self, other: Self) -> Self {
        Self {
            n: self.n.wrapping_sub(other.n),
            above: self.above.wrapping_sub(other.above),
            not_recovered: self.not_recovered.wrapping_sub(other.not_recovered),
        }
    }
}

#[derive(Clone, Debug)]
pub struct ShareRule {
    /// How many per cent of the samples must lie above: 90 for memory, 80 for Redis.
    percent: u64,
    windows: Windows,
}

impl ShareRule {
    pub fn new(percent: u64, windows: Windows) -> Self {
        Self { percent: percent.min(100), windows }
    }

    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// How many buckets of history a judgement may look at, with a hold of so many.
    pub fn keep(&self, hold: u32) -> usize {
        (self.windows.duration() + 1).max(hold as usize)
    }

    /// `hold`: the state's present hold, in judgements.
    pub fn judge(&self, history: &History<Samples>, hold: u32) -> Verdict {
        let duration = self.windows.duration();
        let at = |age: usize| history.sum(age, age + 1);
        let all = history.sum(0, duration + 1);
        let complete = history.span(duration + 1).is_some_and(|span| span <= 2 * (duration as i64 + 1));
        let up = self.reached(at(0));
        let fire = complete && up && self.reached(at(duration)) && self.reached(all);
        let held = history.sum(0, hold as usize);
        let over = wide(held.not_recovered) * 100 <= wide(100 - self.percent) * wide(held.n);
        let reason = if history.len() <= duration {
            Reason::Learning { seen: history.len(), needed: duration + 1 }
        } else if all.n == 0 {
            Reason::NoTraffic { buckets: duration + 1 }
        } else {
            let (n, above) = (all.n, all.above);
            Reason::Share(Share { n, above, buckets: duration + 1, percent: self.percent, up, fires: fire })
        };
        Verdict {
            fire: fire.then_some(duration),
            live: up,
            recovery: if up { Recovery::No } else { Recovery::Window { over } },
            above: up,
            traffic: all.n > 0,
            reason,
        }
    }

    fn reached(&self, bucket: Samples) -> bool {
        bucket.n > 0 && wide(bucket.above) * 100 >= wide(self.percent) * wide(bucket.n)
    }
}

fn wide(count: u64) -> u128 {
    u128::from(count)
}

/// The rule's verdict over its nodes: the worst one's, with its name. It recovers when every node has recovered. The
/// order of the nodes does not matter.
pub fn worst<'a>(nodes: impl IntoIterator<Item = (&'a str, Verdict)>) -> Option<(&'a str, Verdict)> {
    nodes.into_iter().reduce(|a, b| {
        let recovery = together(a.1.recovery, b.1.recovery);
        let traffic = a.1.traffic || b.1.traffic;
        let first = rank(&a.1).cmp(&rank(&b.1)).then_with(|| b.0.cmp(a.0)).is_ge();
        let (name, verdict) = if first { a } else { b };
        (name, Verdict { recovery, traffic, ..verdict })
    })
}

fn together(a: Recovery, b: Recovery) -> Recovery {
    match (a, b) {
        (Recovery::Window { over: a }, Recovery::Window { over: b }) => Recovery::Window { over: a && b },
        (Recovery::Counts, Recovery::Counts) => Recovery::Counts,
        _ => Recovery::No,
    }
}

/// Firing before live, then by the share above in millionths.
fn rank(verdict: &Verdict) -> (bool, bool, u128) {
    let share = match &verdict.reason {
        Reason::Share(share) if share.n > 0 => wide(share.above) * 1_000_000 / wide(share.n),
        _ => 0,
    };
    (verdict.fire.is_some(), verdict.live, share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Memory above 80 % for 10m, recover 75: one sample a bucket.
    fn history(values: impl IntoIterator<Item = u64>) -> History<Samples> {
        let mut history = History::new(9999);
        for (index, value) in values.into_iter().enumerate() {
            let sample = Samples { n: 1, above: u64::from(value > 80), not_recovered: u64::from(value > 75) };
            history.push(index as i64, sample);
        }
        history
    }

    fn memory() -> ShareRule {
        ShareRule::new(90, Windows::new(600))
    }

    fn step(low: usize, high: usize) -> Verdict {
        memory().judge(&history((0..low).map(|_| 70).chain((0..high).map(|_| 90))), 60)
    }

    #[test]
    fn a_level_fires_when_it_has_lasted_for_the_duration() {
        assert_eq!(step(100, 60).fire, None);
        assert!(step(100, 60).live);
        assert_eq!(step(100, 61).fire, Some(60));
    }

    #[test]
    fn a_redis_stall_of_exactly_the_duration_does_not_fire() {
        let redis = ShareRule::new(80, Windows::new(300));
        for (buckets, fires) in [(12, false), (30, false), (31, true)] {
            let mut history = History::new(99);
            for index in 0..99 {
                let slow = if index >= 99 - buckets { 10 } else { 0 };
                history.push(index, Samples { n: 10, above: slow, not_recovered: slow });
            }
            assert_eq!(redis.judge(&history, 30).fire.is_some(), fires, "{buckets}");
        }
    }

    #[test]
    fn recovery_asks_the_lower_level_for_the_whole_hold() {
        let after = |value: u64, count: usize| {
            memory().judge(&history((0..99).map(|_| 90).chain((0..count).map(|_| value))), 60).recovery
        };
        assert_eq!(after(90, 60), Recovery::No);
        assert_eq!(after(78, 60), Recovery::Window { over: false });
        assert_eq!(after(70, 53), Recovery::Window { over: false });
        assert_eq!(after(70, 54), Recovery::Window { over: true });
    }

    #[test]
    fn a_node_without_samples_says_nothing() {
        let mut empty = History::new(99);
        for index in 0..99 {
            empty.push(index, Samples::default());
        }
        let verdict = memory().judge(&empty, 60);
        assert!(!verdict.live && !verdict.traffic);
    }

    #[test]
    fn the_worst_node_fires_and_is_named() {
        let nodes = [("a", step(200, 3)), ("b", step(100, 70)), ("c", step(200, 0))];
        let (name, verdict) = worst(nodes).unwrap();
        assert_eq!((name, verdict.fire, verdict.recovery), ("b", Some(60), Recovery::No));
        assert_eq!(
            worst([("c", step(200, 0)), ("a", step(200, 0))]).unwrap(),
            ("a", step(200, 0)),
            "equal nodes by name"
        );
    }

    proptest! {
        #[test]
        fn the_order_of_nodes_does_not_change_the_worst(highs in prop::collection::vec(0usize..80, 1..5)) {
            let names = ["a", "b", "c", "d", "e"];
            let nodes: Vec<_> = names.into_iter().zip(highs.iter().map(|high| step(80, *high))).collect();
            let expected = worst(nodes.clone());
            let mut turned = nodes;
            turned.reverse();
            prop_assert_eq!(worst(turned.clone()), expected.clone());
            turned.rotate_left(highs.len() / 2);
            prop_assert_eq!(worst(turned), expected);
        }
    }
}
