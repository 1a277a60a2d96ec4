//! Rules over an error budget: two windows must burn it `factor` times as fast as the objective allows. The long one shows
//! that it matters, the short one that it still goes on (Google's SRE workbook, "multiwindow, multi-burn-rate alerts").
//!
//! Where the book compares shares, both windows must show *evidence* by the exact tail: with few events the plain form
//! fires hundreds of times a month.

use super::buckets::History;
use super::dispersion::Phi;
use super::judge::{Recovery, Verdict};
use super::ratio::Counts;
use super::reason::{Burn, Reason, Window};
use super::tables::Critical;
use super::threshold::Threshold;

#[derive(Clone, Debug)]
pub struct BurnRule {
    /// The share of bad events from which on the budget burns too fast.
    threshold: Threshold,
    /// In buckets.
    long: usize,
    short: usize,
    /// Seconds of a bucket.
    step: i64,
    level: f64,
    critical: Critical,
}

impl BurnRule {
    /// Windows in seconds, rounded up to buckets of `step` seconds.
    pub fn new(threshold: Threshold, long: u64, short: u64, step: i64, alpha: f64) -> Self {
        let step = step.max(1);
        let buckets = |seconds: u64| (seconds.div_ceil(step as u64) as usize).max(1);
        let level = alpha / 3.0;
        let critical = Critical::new(threshold, level);
        Self { threshold, long: buckets(long), short: buckets(short), step, level, critical }
    }

    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    pub fn long(&self) -> usize {
        self.long
    }

    pub fn short(&self) -> usize {
        self.short
    }

    /// How many present buckets a judgement looks at.
    pub fn keep(&self) -> usize {
        self.long.max(self.short)
    }

    pub fn critical(&self) -> &Critical {
        &self.critical
    }

    pub fn judge(&self, history: &History<Counts>, phi: Phi) -> Verdict {
        let (long, short) = (history.sum(0, self.long).sound(), history.sum(0, self.short).sound());
        let complete = self.complete(history, self.long) && self.complete(history, self.short);
        let live = complete && self.evidence(long, phi) && self.point(short);
        let fires = live && self.evidence(short, phi);
        let seconds = |buckets: usize| buckets as i64 * self.step;
        let reason = if !complete {
            Reason::Learning { seen: seconds(history.len().min(self.long)), needed: seconds(self.long) }
        } else if long.n == 0 {
            Reason::NoTraffic { seconds: seconds(self.long) }
        } else {
            let window = |of: Counts, buckets| Window { n: of.n, bad: of.bad, seconds: seconds(buckets) };
            let windows = [window(short, self.short), window(long, self.long)];
            let (level, threshold) = (self.level, self.threshold);
            Reason::Burn(Burn { windows, phi, level, threshold, fires })
        };
        let burns = self.point(long) && self.point(short);
        Verdict {
            fire: fires.then_some(self.long),
            live,
            recovery: if burns { Recovery::No } else { Recovery::Counts },
            above: self.point(history.sum(0, 1).sound()),
            traffic: short.n > 0,
            reason,
        }
    }

    fn complete(&self, history: &History<Counts>, window: usize) -> bool {
        history.span(window).is_some_and(|span| span <= 2 * window as i64)
    }

    fn point(&self, sum: Counts) -> bool {
        self.threshold.exceeded(sum.n, sum.bad)
    }

    fn evidence(&self, sum: Counts, phi: Phi) -> bool {
        self.point(sum) && self.critical.reached(phi.thin(sum.n), phi.thin(sum.bad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14.4 x the 0.1 % of the error rate, over an hour and five minutes.
    fn rule() -> BurnRule {
        BurnRule::new(Threshold::new(144, 10_000).unwrap(), 3600, 300, 10, 1e-4)
    }

    /// 100 events a bucket; so many bad ones in each bucket of the last hour but five minutes, and of these.
    fn judged(hour: u64, newest: u64) -> Verdict {
        let mut history = History::new(rule().keep());
        for index in 0..360 {
            history.push(index, Counts::new(100, if index < 330 { hour } else { newest }));
        }
        rule().judge(&history, Phi::ONE)
    }

    #[test]
    fn it_fires_when_both_windows_burn_too_fast() {
        assert_eq!(judged(3, 4).fire, Some(360));
        // 25 of 100 in five minutes are 750 of 36,000 in the hour: 2.1 %, so both burn.
        for (hour, newest, fires) in
            [(3, 0, false), (0, 4, false), (1, 1, false), (3, 2, false), (0, 25, true)]
        {
            let verdict = judged(hour, newest);
            assert_eq!(verdict.fire.is_some(), fires, "{hour} {newest}: {}", verdict.reason);
        }
    }

    /// Over the short window by the point estimate alone: pending, because 54 bad of 3,000 (1.8 %) may be chance.
    #[test]
    fn it_is_pending_while_the_short_window_may_be_chance() {
        let mut history = History::new(rule().keep());
        for index in 0..360 {
            let bad = if index < 330 { 3 } else { 1 + u64::from(index % 5 != 0) };
            history.push(index, Counts::new(100, bad));
        }
        let verdict = rule().judge(&history, Phi::ONE);
        assert!(verdict.live && verdict.fire.is_none(), "{}", verdict.reason);
        assert_eq!(verdict.recovery, Recovery::No);
    }

    #[test]
    fn it_recovers_when_either_window_burns_slowly_again() {
        assert_eq!(judged(3, 4).recovery, Recovery::No);
        assert_eq!(judged(3, 1).recovery, Recovery::Counts);
        assert_eq!(judged(3, 0).recovery, Recovery::Counts);
        assert_eq!(judged(0, 2).recovery, Recovery::Counts);
    }

    #[test]
    fn bursts_need_more_bad_events() {
        let mut history = History::new(rule().keep());
        for index in 0..360 {
            history.push(index, Counts::new(10, 1));
        }
        assert!(rule().judge(&history, Phi::ONE).fire.is_some());
        assert!(rule().judge(&history, Phi::new(1000)).fire.is_none());
    }

    #[test]
    fn an_hour_must_have_been_seen_and_not_be_scattered_over_more_than_two() {
        let with_gap = |count: i64, gap: i64| {
            let mut history = History::new(rule().keep());
            for index in 0..count {
                history.push(if index < 100 { index } else { index + gap }, Counts::new(100, 50));
            }
            rule().judge(&history, Phi::ONE)
        };
        assert!(with_gap(359, 0).fire.is_none());
        assert_eq!(with_gap(359, 0).reason.to_string(), "learning: 59 min of 1 h seen");
        assert!(with_gap(360, 360).fire.is_some());
        assert!(with_gap(360, 361).fire.is_none());
    }

    #[test]
    fn the_reason_has_both_windows() {
        let reason = judged(3, 4).reason.to_string();
        let expected = "120 bad of 3,000 in 5 min, bound 2.7 %; 1,110 bad of 36,000 in 1 h, bound 2.7 %; both are > 1.44 %";
        assert_eq!(reason, expected);
        assert!(judged(3, 0).reason.to_string().ends_with("; fires when both are > 1.44 %"));
    }
}
