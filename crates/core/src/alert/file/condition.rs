//! `error_rate > 1%`: metric, comparison, number, unit.

use super::{
    fault::unknown,
    number::Number,
    subject::{Dimension, Subject, Test},
};
use crate::text::said::plainly;
use std::fmt::{self, Display};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub subject: Subject,
    pub comparison: Comparison,
    pub threshold: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A number with the unit that it was written in, so that a file is written back as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub number: Number,
    pub unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub text: &'static str,
    dimension: Dimension,
    /// How many percent, milliseconds or bytes it is.
    factor: u32,
}

/// Sizes are decimal; the binary ones have names of their own.
const UNITS: [Unit; 11] = [
    Unit::new("", Dimension::Count, 1),
    Unit::new("%", Dimension::Percent, 1),
    Unit::new("ms", Dimension::Time, 1),
    Unit::new("s", Dimension::Time, 1_000),
    Unit::new("B", Dimension::Bytes, 1),
    Unit::new("kB", Dimension::Bytes, 1_000),
    Unit::new("MB", Dimension::Bytes, 1_000_000),
    Unit::new("GB", Dimension::Bytes, 1_000_000_000),
    Unit::new("KiB", Dimension::Bytes, 1 << 10),
    Unit::new("MiB", Dimension::Bytes, 1 << 20),
    Unit::new("GiB", Dimension::Bytes, 1 << 30),
];

impl Unit {
    const fn new(text: &'static str, dimension: Dimension, factor: u32) -> Unit {
        Unit { text, dimension, factor }
    }
}

impl Comparison {
    const ALL: [(&'static str, Comparison); 4] = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        (">", Comparison::Above),
        ("<", Comparison::Below),
    ];

    /// Whether high values breach.
    pub fn is_upward(self) -> bool {
        matches!(self, Comparison::Above | Comparison::AtLeast)
    }

    pub fn text(self) -> &'static str {
        Comparison::ALL.iter().find(|(_, comparison)| *comparison == self).map_or("", |(text, _)| text)
    }

    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Comparison::Above => value > threshold,
            Comparison::AtLeast => value >= threshold,
            Comparison::Below => value < threshold,
            Comparison::AtMost => value <= threshold,
        }
    }
}

impl Quantity {
    /// In percent, milliseconds, bytes or a plain count, as the metric is.
    pub fn normalised(self) -> Number {
        self.number.times(self.unit.factor)
    }

    /// The error says which units fit.
    pub fn parse(text: &str, subject: Subject) -> Result<Quantity, String> {
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim());
        let Some(number) = Number::parse(number) else {
            return Err(format!(
                "`{}` does not begin with a number; allowed: up to 12 digits, a point and 6 more, from 0 on",
                plainly(text)
            ));
        };
        let fitting = UNITS.iter().filter(|fitting| fitting.dimension == subject.dimension());
        match fitting.clone().find(|fitting| fitting.text == unit) {
            Some(&unit) => Ok(Quantity { number, unit }),
            None => {
                let name = subject.name();
                let found = if unit.is_empty() { "no unit".into() } else { format!("`{}`", plainly(unit)) };
                let allowed: Vec<&str> = fitting.map(|unit| unit.text).collect();
                let allowed = allowed.join(", ");
                let allowed = if allowed.is_empty() { "no unit".into() } else { allowed };
                Err(format!("{found} does not fit `{name}`; allowed: {allowed}"))
            }
        }
    }
}

/// So many percent of a threshold, as a backtest tries them. Where low values breach, the distance to 100 % is what is
/// scaled, if there is one; others are divided. `None`: below nothing.
pub(in crate::alert) fn scaled(of: Quantity, percent: u32, upward: bool, whole: bool) -> Option<Quantity> {
    let number = match (upward, whole) {
        (true, _) => of.number.percent(percent),
        (false, true) => {
            let rest = Number::whole(100).less(of.number)?.percent(percent);
            Number::whole(100).less(rest)?
        }
        (false, false) => of.number.percent(10_000 / percent.max(1)),
    };
    Some(Quantity { number, ..of })
}

impl Condition {
    pub fn parse(text: &str) -> Result<Condition, String> {
        let form = "allowed: a metric, one of > >= < <=, a number and its unit, such as `error_rate > 1%`";
        let at = text.find(['<', '>', '=', '!']).ok_or_else(|| format!("no comparison; {form}"))?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let subject = Subject::named(name).ok_or_else(|| unknown_metric(name))?;
        let found = Comparison::ALL.iter().find(|(text, _)| rest.starts_with(text));
        let &(sign, comparison) = found.ok_or_else(|| format!("unknown comparison; {form}"))?;
        let threshold = Quantity::parse(rest[sign.len()..].trim(), subject)?;
        let condition = Condition { subject, comparison, threshold };
        match condition.is_decided() {
            Some(always) => Err(format!(
                "`{condition}` is {} true; `{name}` is {}",
                if always { "always" } else { "never" },
                if subject.is_part_of_a_whole() { "between 0 % and 100 %" } else { "never below 0" },
            )),
            None => Ok(condition),
        }
    }

    /// Whether every value of the metric breaches, or none can. Metrics that compare may be below 0.
    pub(in crate::alert) fn is_decided(self) -> Option<bool> {
        let threshold = self.threshold.normalised();
        let (least, most) = (Number::whole(0), Number::whole(100));
        let whole = self.subject.is_part_of_a_whole();
        let may_be_negative = matches!(self.subject, Subject::Table(metric) if metric.is_compared());
        match self.comparison {
            Comparison::AtLeast if threshold == least && !may_be_negative => Some(true),
            Comparison::Below if threshold == least && !may_be_negative => Some(false),
            Comparison::AtMost if whole && threshold >= most => Some(true),
            Comparison::Below if whole && threshold > most => Some(true),
            Comparison::Above if whole && threshold >= most => Some(false),
            Comparison::AtLeast if whole && threshold > most => Some(false),
            _ => None,
        }
    }

    /// Where events or values are counted: the share of bad ones that is still allowed, as a reduced fraction, so that counts
    /// are compared in whole numbers. Bad are the events that the metric counts if high values breach, and the others if low
    /// ones do; of a percentile, the values beyond the threshold. `at`: the threshold or the recovery level.
    pub fn bad_share(self, at: Quantity) -> Option<(u128, u128)> {
        let upward = self.comparison.is_upward();
        let percent = match self.subject {
            Subject::Percentile(_, percent) => Number::whole(percent.into()),
            subject if subject.test() == Test::Ratio => at.normalised(),
            _ => return None,
        };
        // More than 5 % beyond a p95's threshold; less than 95 % of attempts that succeeded.
        let of_the_rest = matches!(self.subject, Subject::Percentile(..)) == upward;
        Some(if of_the_rest { percent.rest() } else { percent.share() })
    }

    /// Whether `recover` lies on the good side of the threshold, or on it.
    pub fn is_recovered_at(self, recover: Quantity) -> bool {
        let (recover, threshold) = (recover.normalised(), self.threshold.normalised());
        if self.comparison.is_upward() { recover <= threshold } else { recover >= threshold }
    }
}

fn unknown_metric(name: &str) -> String {
    let names: Vec<String> = Subject::all().map(Subject::name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    unknown("metric", name, &names)
}

impl Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit.text)
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.subject.name(), self.comparison.text(), self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_in_the_metrics_own_unit() {
        let check = |text: &str, normalised: u64| {
            let condition = Condition::parse(text).expect(text);
            assert_eq!(condition.threshold.normalised(), Number::whole(normalised), "{text}");
            assert_eq!(condition.to_string(), text);
        };
        check("error_rate > 1%", 1);
        check("avg_latency > 500ms", 500);
        check("avg_latency >= 2s", 2_000);
        check("memory > 1.5GB", 1_500_000_000);
        check("memory > 1GiB", 1 << 30);
        check("streaming_bytes > 40kB", 40_000);
        check("active_connections < 3", 3);
        check("cpu > 150%", 150);
        check("latency_improvement < 0%", 0);
        assert_eq!(Condition::parse(" error_rate>1 % "), Condition::parse("error_rate > 1%"));
    }

    #[test]
    fn what_counts_events_has_a_share_of_bad_ones() {
        let check = |text: &str, share| {
            let condition = Condition::parse(text).expect(text);
            assert_eq!(condition.bad_share(condition.threshold), share, "{text}");
        };
        check("error_rate > 1%", Some((1, 100)));
        check("error_rate > 0.1%", Some((1, 1_000)));
        check("connection_success_rate < 95%", Some((1, 20)));
        check("uptime <= 99.5%", Some((1, 200)));
        check("error_rate < 1%", Some((99, 100)));
        check("delivery_latency_p95 > 100ms", Some((1, 20)));
        check("delivery_latency_p95 < 100ms", Some((19, 20)));
        check("avg_latency > 1s", None);
        check("cpu > 90%", None);
    }

    #[test]
    fn a_wrong_condition_says_what_is_allowed() {
        let check = |text: &str, error: &str| {
            let found = Condition::parse(text).expect_err(text);
            assert!(found.contains(error), "{text}: {found}");
        };
        check("error_rate 1%", "no comparison; allowed: a metric, one of > >= < <=");
        check("error_rate = 1%", "unknown comparison");
        check("error_rate != 1%", "unknown comparison");
        check("eror_rate > 1%", "did you mean `error_rate`?");
        check("> 1%", "unknown metric ``");
        check("error_rate > 1", "no unit does not fit `error_rate`; allowed: %");
        check("error_rate > 1ms", "`ms` does not fit `error_rate`; allowed: %");
        check("avg_latency > 5m", "`m` does not fit `avg_latency`; allowed: ms, s");
        check("memory > 5KB", "`KB` does not fit `memory`; allowed: B, kB, MB, GB, KiB, MiB, GiB");
        check("active_connections > 5%", "`%` does not fit `active_connections`; allowed: no unit");
        check("error_rate > -1%", "`-1%` does not begin with a number");
        check("error_rate > 100%", "is never true; `error_rate` is between 0 % and 100 %");
        check("uptime <= 100%", "is always true");
        check("avg_latency >= 0ms", "is always true; `avg_latency` is never below 0");
        check("delivery_latency_p90 > 1ms", "did you mean `delivery_latency_p50`?");
    }
}
