//! Rules over a mean: `avg_latency > 500ms`.
//!
//! The error of the mean comes from the sums of buckets, not from single values: requests of one moment are slow
//! together, and a formula that takes them for independent fired hundreds of times a month.

use super::buckets::{History, Tally};
use super::judge::{Finding, Test, Verdict, Windows, judge};
use super::reason::{Mean, Reason};
use super::student::Quantiles;

/// Fewer values, or fewer buckets with values, are not judged.
const LEAST_VALUES: u64 = 30;
const LEAST_BUCKETS: u64 = 10;

/// Sums over buckets. Values are whole numbers of the metric's smallest unit (microseconds, bytes), so that sums are
/// exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    n: i128,
    s: i128,
    /// Buckets with values.
    filled: u64,
    /// Sums over buckets of s s, s n and n n.
    ss: i128,
    sn: i128,
    nn: i128,
}

impl Sums {
    /// One bucket: `n` values whose sum is `s`. Both are bounded to 2^53, so that no window's squares overflow.
    pub fn bucket(n: u64, s: i64) -> Self {
        const BOUND: i64 = 1 << 53;
        let n = i128::from(n.min(BOUND as u64));
        let s = if n == 0 { 0 } else { i128::from(s.clamp(-BOUND, BOUND)) };
        Self { n, s, filled: u64::from(n > 0), ss: s * s, sn: s * n, nn: n * n }
    }

    pub fn n(&self) -> u64 {
        u64::try_from(self.n).unwrap_or_default()
    }

    /// The mean. `None` without values.
    pub fn value(&self) -> Option<f64> {
        (self.n > 0).then(|| self.mean())
    }

    fn mean(&self) -> f64 {
        self.s as f64 / self.n as f64
    }

    fn zip(self, other: Self, of: impl Fn(i128, i128) -> i128, filled: u64) -> Self {
        Self {
            n: of(self.n, other.n),
            s: of(self.s, other.s),
            filled,
            ss: of(self.ss, other.ss),
            sn: of(self.sn, other.sn),
            nn: of(self.nn, other.nn),
        }
    }
}

impl Tally for Sums {
    fn plus(self, other: Self) -> Self {
        self.zip(other, i128::wrapping_add, self.filled.wrapping_add(other.filled))
    }
    fn minus(self, other: Self) -> Self {
        self.zip(other, i128::wrapping_sub, self.filled.wrapping_sub(other.filled))
    }
}

/// Adds what several nodes counted in one bucket: the squares are those of the sums.
pub fn merged(nodes: impl IntoIterator<Item = (u64, i64)>) -> Option<Sums> {
    let add = |a: (u64, i64), b: (u64, i64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
    nodes.into_iter().reduce(add).map(|(n, s)| Sums::bucket(n, s))
}

#[derive(Clone, Debug)]
pub struct MeanRule {
    /// In the unit of the values.
    threshold: i64,
    recover: i64,
    /// `-1` for rules that fire below the threshold. Both sides of each comparison are multiplied by it.
    sign: i64,
    windows: Windows,
    eager: bool,
    t: Quantiles,
}

impl MeanRule {
    pub fn above(threshold: i64, recover: i64, windows: Windows, alpha: f64, eager: bool) -> Self {
        Self { threshold, recover, sign: 1, windows, eager, t: Quantiles::new(alpha / 3.0) }
    }

    pub fn below(threshold: i64, recover: i64, windows: Windows, alpha: f64, eager: bool) -> Self {
        Self { sign: -1, ..Self::above(threshold, recover, windows, alpha, eager) }
    }

    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    pub fn judge(&self, history: &History<Sums>, fired: Option<usize>) -> Verdict {
        judge(self, &self.windows, self.eager, history, fired)
    }

    fn beyond(&self, sum: &Sums, limit: i64) -> bool {
        let sign = i128::from(self.sign);
        sum.s * sign > sum.n * i128::from(limit) * sign
    }

    /// What the mean surely is at least (at most, for rules below): t standard errors from it. `None`: too few values.
    fn bound(&self, sum: &Sums) -> Option<f64> {
        if sum.n < i128::from(LEAST_VALUES) || sum.filled < LEAST_BUCKETS {
            return None;
        }
        let (mean, m) = (sum.mean(), sum.filled as f64);
        let squares = sum.ss as f64 - 2.0 * mean * sum.sn as f64 + mean * mean * sum.nn as f64;
        let error = (m / (m - 1.0) * squares.max(0.0)).sqrt() / sum.n as f64;
        Some(mean - self.sign as f64 * self.t.at(sum.filled - 1) * error)
    }
}

impl Test for MeanRule {
    type Bucket = Sums;

    fn point(&self, sum: &Sums) -> bool {
        self.beyond(sum, self.threshold)
    }

    fn above(&self, sum: &Sums) -> bool {
        self.point(sum)
    }

    fn evidence(&self, sum: &Sums) -> bool {
        let sign = self.sign as f64;
        self.point(sum) && self.bound(sum).is_some_and(|bound| bound * sign > self.threshold as f64 * sign)
    }

    fn recovered(&self, sum: &Sums) -> bool {
        !self.beyond(sum, self.recover)
    }

    fn events(&self, sum: &Sums) -> u64 {
        sum.n()
    }

    fn reason(&self, sum: &Sums, finding: Finding, seconds: i64) -> Reason {
        Reason::Mean(Mean {
            mean: sum.value().unwrap_or_default(),
            n: self.events(sum),
            seconds,
            bound: self.bound(sum),
            threshold: self.threshold,
            below: self.sign < 0,
            finding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1000;

    /// One mean a bucket in milliseconds, ten values each, of a rule `mean > 500 ms for 3m`.
    fn judged(means: impl IntoIterator<Item = i64>) -> Verdict {
        let rule = MeanRule::above(500 * MS, 500 * MS, Windows::new(180), 1e-4, false);
        let mut history = History::new(rule.windows().keep());
        for (index, mean) in means.into_iter().enumerate() {
            history.push(index as i64, Sums::bucket(10, 10 * mean * MS));
        }
        rule.judge(&history, None)
    }

    #[test]
    fn a_slow_service_fires_after_its_duration() {
        let slow = |count: i64| judged((0..100).map(|_| 300).chain((0..count).map(|i| 800 + i % 7 * 20)));
        // Of the half minute that ended three minutes ago, two buckets must be slow for its mean to be.
        assert_eq!(slow(19).fire, None);
        assert_eq!(slow(20).fire, Some(18));
        assert!(!slow(12).live && slow(17).live);
    }

    #[test]
    fn one_stall_does_not_fire() {
        for stall in 1..=9 {
            assert_eq!(judged((0..100).map(|_| 300).chain((0..stall).map(|_| 60_000))).fire, None);
        }
    }

    #[test]
    fn a_mean_above_the_threshold_by_chance_is_no_evidence() {
        let verdict = judged((0..240).map(|i| if i % 2 == 0 { 100 } else { 910 }));
        assert!(!verdict.live, "{}", verdict.reason);
    }

    /// By hand: ten buckets of ten values with means 500 and 700. The squares add up to 10 x 1000^2, so the error is
    /// sqrt(10 / 9 x 10^7) / 100 = 33.333, and 6.952421 of it lie below the mean of 600.
    #[test]
    fn the_bound_comes_from_the_sums_of_buckets() {
        let rule = MeanRule::above(300, 300, Windows::new(100), 1e-4, false);
        let sum = (0..10).map(|i| Sums::bucket(10, 5000 + i % 2 * 2000)).reduce(Sums::plus).unwrap();
        assert!((rule.bound(&sum).unwrap() - 368.252_6).abs() < 1e-3);
        assert!(rule.evidence(&sum));
        let nine = (0..9).map(|_| Sums::bucket(10, 9000)).reduce(Sums::plus).unwrap();
        assert_eq!(rule.bound(&nine), None, "nine buckets");
        assert_eq!(merged([(10, 5000), (10, 7000)]), Some(Sums::bucket(20, 12_000)));
    }

    #[test]
    fn few_values_are_not_judged() {
        let rule = MeanRule::above(500, 500, Windows::new(180), 1e-4, false);
        let mut history = History::new(rule.windows().keep());
        for index in 0..22 {
            history.push(index, Sums::bucket(1, 9000));
        }
        let verdict = rule.judge(&history, None);
        assert!(!verdict.live);
        assert!(verdict.reason.to_string().contains("too few"), "{}", verdict.reason);
    }

    #[test]
    fn a_rule_below_a_threshold_is_the_mirror_of_one_above() {
        let above = MeanRule::above(500, 400, Windows::new(180), 1e-4, false);
        let below = MeanRule::below(-500, -400, Windows::new(180), 1e-4, false);
        let (mut high, mut low) = (History::new(999), History::new(999));
        for index in 0..300 {
            let value = 300 + index * 7 % 500;
            high.push(index, Sums::bucket(10, 10 * value));
            low.push(index, Sums::bucket(10, -10 * value));
            let (high, low) = (above.judge(&high, None), below.judge(&low, None));
            assert_eq!((high.fire, high.live, high.recovery), (low.fire, low.live, low.recovery));
        }
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let rule = MeanRule::above(1, 1, Windows::new(86_400), 1e-4, false);
        let mut history = History::new(rule.windows().keep());
        for index in 0..61_000 {
            history.push(index, Sums::bucket(u64::MAX, i64::MAX));
        }
        assert!(rule.bound(&history.sum(0, 60_480)).is_some());
    }
}
