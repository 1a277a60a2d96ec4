//! Rules over a share of failures: `error_rate > 1%`, and `connection_success_rate < 95%` as failures above 5 %.

use super::buckets::{History, Tally};
use super::dispersion::Phi;
use super::judge::{Finding, Test, Verdict, Windows, judge};
use super::reason::{Ratio, Reason};
use super::tables::{Above, Critical};
use super::threshold::Threshold;

/// One bucket of a ratio rule, or the sum of several.
///
/// What was attempted in one bucket may succeed in the next. A bucket by itself may so have more bad events than events,
/// or less than none (wrapped); sums are right, and what is judged is cut off at both ends ([`Counts::sound`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub n: u64,
    pub bad: u64,
    /// Bad by the level of recovery: the same, but for percentiles.
    pub unrecovered: u64,
}

impl Counts {
    pub fn new(n: u64, bad: u64) -> Self {
        Self { n, bad, unrecovered: bad }
    }

    /// Between no bad events and nothing else.
    pub fn sound(self) -> Self {
        let within = |bad: u64| (bad as i64).max(0).unsigned_abs().min(self.n);
        Self { n: self.n, bad: within(self.bad), unrecovered: within(self.unrecovered) }
    }

    fn zip(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            n: of(self.n, other.n),
            bad: of(self.bad, other.bad),
            unrecovered: of(self.unrecovered, other.unrecovered),
        }
    }
}

impl Tally for Counts {
    fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
    fn minus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }
}

#[derive(Clone, Debug)]
pub struct RatioRule {
    threshold: Threshold,
    recover: Threshold,
    windows: Windows,
    eager: bool,
    /// The chance that is left to each of the three windows: alpha / 3.
    level: f64,
    critical: Critical,
    above: Above,
}

impl RatioRule {
    /// `alpha` is 1 less the confidence: 0.0001 for 99.99 %.
    pub fn new(threshold: Threshold, recover: Threshold, windows: Windows, alpha: f64, eager: bool) -> Self {
        let level = alpha / 3.0;
        Self {
            threshold,
            recover,
            windows,
            eager,
            level,
            critical: Critical::new(threshold, level),
            above: Above::new(threshold),
        }
    }

    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// What the measuring of phi needs to know outages by.
    pub fn critical(&self) -> &Critical {
        &self.critical
    }

    pub fn judge(&self, history: &History<Counts>, phi: Phi, fired: Option<usize>) -> Verdict {
        judge(&Measured { rule: self, phi }, &self.windows, self.eager, history, fired)
    }
}

struct Measured<'a> {
    rule: &'a RatioRule,
    phi: Phi,
}

impl Test for Measured<'_> {
    type Bucket = Counts;

    fn point(&self, sum: &Counts) -> bool {
        self.rule.threshold.exceeded(sum.n, sum.sound().bad)
    }

    fn above(&self, sum: &Counts) -> bool {
        let sum = sum.sound();
        self.rule.above.reached(sum.n, sum.bad)
    }

    fn evidence(&self, sum: &Counts) -> bool {
        let sum = sum.sound();
        self.point(&sum) && self.rule.critical.reached(self.phi.thin(sum.n), self.phi.thin(sum.bad))
    }

    fn recovered(&self, sum: &Counts) -> bool {
        !self.rule.recover.exceeded(sum.n, sum.sound().unrecovered)
    }

    fn events(&self, sum: &Counts) -> u64 {
        sum.n
    }

    fn reason(&self, sum: &Counts, finding: Finding, seconds: i64) -> Reason {
        let sum = sum.sound();
        Reason::Ratio(Ratio {
            n: sum.n,
            bad: sum.bad,
            seconds,
            phi: self.phi,
            level: self.rule.level,
            threshold: self.rule.threshold,
            would_fire: self.phi.thick(self.rule.critical.least(self.phi.thin(sum.n))),
            finding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(percent: u64, seconds: u64) -> RatioRule {
        let threshold = Threshold::new(percent, 100).unwrap();
        RatioRule::new(threshold, threshold, Windows::new(seconds), 1e-4, false)
    }

    #[test]
    fn evidence_has_its_known_values() {
        for (percent, n, bad, phi, evidence, least) in [
            (5, 3, 3, 100, false, 4),
            (5, 20, 7, 100, false, 8),
            (5, 100, 17, 100, true, 17),
            (5, 1000, 81, 100, true, 81),
            (1, 100, 7, 100, false, 8),
            (1, 100, 8, 100, true, 8),
            (1, 300, 13, 100, true, 13),
            (1, 1000, 26, 100, true, 26),
            (1, 1000, 60, 250, true, 38),
            (1, 3000, 101, 497, true, 95),
            (1, 10_000, 143, 100, true, 143),
            (1, 120_000, 1341, 100, true, 1341),
        ] {
            let rule = rule(percent, 300);
            let test = Measured { rule: &rule, phi: Phi::new(phi) };
            assert_eq!(test.evidence(&Counts::new(n, bad)), evidence, "{bad} of {n}");
            match test.reason(&Counts::new(n, bad), Finding::Quiet, 300) {
                Reason::Ratio(ratio) => assert_eq!(ratio.would_fire, least, "{n}"),
                other => panic!("{other}"),
            }
            assert!(test.evidence(&Counts::new(n, least)) || least > n);
            assert!(!test.evidence(&Counts::new(n, least - 1)));
        }
    }

    /// 36 buckets, 200 events in the first of each minute; bad events by minute, from the oldest on.
    fn minutes(bad: [u64; 6]) -> Verdict {
        let rule = rule(1, 300);
        let mut history = History::new(rule.windows().keep());
        for (minute, bad) in bad.into_iter().enumerate() {
            let first = 6 * minute as i64;
            history.push(first, Counts::new(200, bad));
            for index in first + 1..first + 6 {
                history.push(index, Counts::default());
            }
        }
        rule.judge(&history, Phi::ONE, None)
    }

    #[test]
    fn the_whole_rule_has_its_known_cases() {
        let quiet = minutes([5, 5, 0, 5, 6, 5]);
        assert!(!quiet.live && quiet.fire.is_none(), "21 of 1000 are no evidence");
        assert_eq!(minutes([6, 6, 0, 7, 7, 6]).fire, Some(30), "26 of 1000 fire");
        for (bad, why) in [
            ([4, 6, 0, 7, 7, 6], "the minute that ended five minutes ago is not above"),
            ([6, 6, 6, 7, 7, 4], "the newest minute is not above"),
            ([6, 6, 4, 4, 8, 8], "three of five are above"),
        ] {
            let verdict = minutes(bad);
            assert!(verdict.live && verdict.fire.is_none(), "{why}: {}", verdict.reason);
        }
    }

    #[test]
    fn eager_does_not_ask_how_the_minute_before_was() {
        let threshold = Threshold::new(1, 100).unwrap();
        let eager = RatioRule::new(threshold, threshold, Windows::new(300), 1e-4, true);
        let mut history = History::new(eager.windows().keep());
        for index in 0..36 {
            history.push(index, Counts::new(30, if index < 6 { 0 } else { 2 }));
        }
        assert_eq!(eager.judge(&history, Phi::ONE, None).fire, Some(30));
        assert_eq!(rule(1, 300).judge(&history, Phi::ONE, None).fire, None);
    }

    #[test]
    fn the_reason_says_what_was_counted() {
        assert_eq!(
            minutes([6, 6, 0, 7, 7, 6]).reason.to_string(),
            "26 bad of 1,000 in 5 min, bound 1.05 % > 1 %"
        );
        assert!(
            minutes([5, 5, 0, 5, 6, 5]).reason.to_string().starts_with("21 bad of 1,000 in 5 min, bound 0.")
        );
    }
}
