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
            let seconds = |buckets| self.windows.seconds(buckets);
            Reason::Learning { seen: seconds(history.len()), needed: seconds(duration + 1) }
        } else if all.n == 0 {
            Reason::NoTraffic { seconds: self.windows.seconds(duration) }
        } else {
            let (n, above, seconds) = (all.n, all.above, self.windows.seconds(duration));
            Reason::Share(Share { n, above, seconds, percent: self.percent, up, fires: fire })
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

/// How bad a node is compared with others: firing before live, then by the share above in millionths.
pub fn rank(verdict: &Verdict) -> (bool, bool, u128) {
    let share = match &verdict.reason {
        Reason::Share(share) if share.n > 0 => wide(share.above) * 1_000_000 / wide(share.n),
        _ => 0,
    };
    (verdict.fire.is_some(), verdict.live, share)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
