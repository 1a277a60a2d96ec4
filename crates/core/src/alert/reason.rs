//! Why a rule fires and why it does not, with its numbers, for an operator.
//!
//! The numbers are kept and the text is made when somebody reads it: the bound takes longer than the judgement.

use std::fmt;

use super::binomial::lower_bound;
use super::dispersion::Phi;
use super::judge::Finding;
use super::threshold::Threshold;
use crate::metric::kpi::thousands;

#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Not enough history, in seconds of present buckets.
    Learning {
        seen: i64,
        needed: i64,
    },
    NoTraffic {
        seconds: i64,
    },
    Ratio(Ratio),
    Mean(Mean),
    Share(Share),
    Burn(Burn),
    /// Of `mode: literal`.
    Plain(Plain),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    pub n: u64,
    pub bad: u64,
    pub seconds: i64,
    pub phi: Phi,
    /// The chance below which a count is evidence.
    pub level: f64,
    pub threshold: Threshold,
    /// The least count of bad events that is evidence in `n`.
    pub would_fire: u64,
    pub finding: Finding,
}

/// Of values in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Mean {
    pub mean: f64,
    pub n: u64,
    pub seconds: i64,
    /// `None`: too few values.
    pub bound: Option<f64>,
    pub threshold: i64,
    /// The rule fires below the threshold.
    pub below: bool,
    pub finding: Finding,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub n: u64,
    pub above: u64,
    pub seconds: i64,
    pub percent: u64,
    /// The newest bucket lies above.
    pub up: bool,
    pub fires: bool,
}

/// Both windows of a burn rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Burn {
    pub windows: [Window; 2],
    pub phi: Phi,
    pub level: f64,
    pub threshold: Threshold,
    pub fires: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub n: u64,
    pub bad: u64,
    pub seconds: i64,
}

/// A value, compared as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    /// In the unit of the threshold. `None`: no events.
    pub value: Option<f64>,
    pub seconds: i64,
    /// The comparison and the threshold as the rule has them, such as "> 1 %".
    pub condition: String,
    pub unit: &'static str,
    pub holds: bool,
}

/// With fewer events than make five bad ones at the threshold, a breach of twice the threshold cannot be told from
/// chance within the window.
const EXPECTED: u64 = 5;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learning { seen, needed } => {
                write!(f, "learning: {} of {} seen", span(*seen), span(*needed))
            }
            Self::NoTraffic { seconds } => write!(f, "no traffic in {}", span(*seconds)),
            Self::Ratio(ratio) => ratio.fmt(f),
            Self::Mean(mean) => mean.fmt(f),
            Self::Share(share) => share.fmt(f),
            Self::Burn(burn) => burn.fmt(f),
            Self::Plain(plain) => plain.fmt(f),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, bad) = (thousands(self.n), thousands(self.bad));
        write!(f, "{bad} bad of {n} in {}", span(self.seconds))?;
        let few = (self.n as f64) * self.threshold.share() < EXPECTED as f64;
        if few && self.finding == Finding::Quiet {
            // More bad than events: not even a total failure would be evidence.
            return if self.would_fire > self.n {
                f.write_str(", too few events to judge")
            } else {
                write!(f, ", too few events to judge: {} bad of {n} would fire", thousands(self.would_fire))
            };
        }
        let bound = lower_bound(self.phi.thin(self.n), self.phi.thin(self.bad), self.level);
        write!(f, ", bound {}", percent(bound, self.threshold.share()))?;
        write!(f, " {} {}", if self.finding == Finding::Quiet { "<=" } else { ">" }, self.threshold)?;
        if self.phi != Phi::ONE {
            write!(f, ", errors counted as bursts of {}", self.phi.hundredths() as f64 / 100.0)?;
        }
        f.write_str(remark(self.finding))
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |micros: f64| micros / 1_000.0;
        write!(f, "mean {:.1} ms of {} values in {}", ms(self.mean), thousands(self.n), span(self.seconds))?;
        let Some(bound) = self.bound else { return f.write_str(", too few values to judge") };
        let beyond = if self.below { "<" } else { ">" };
        let within = if self.below { ">=" } else { "<=" };
        let sign = if self.finding == Finding::Quiet { within } else { beyond };
        write!(f, ", bound {:.1} ms {sign} {} ms", ms(bound), ms(self.threshold as f64))?;
        f.write_str(remark(self.finding))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, n) = (thousands(self.above), thousands(self.n));
        write!(f, "{above} of {n} samples beyond the threshold in {}", span(self.seconds))?;
        match (self.fires, self.up) {
            (true, _) => Ok(()),
            (false, true) => write!(f, ", {} % needed from the beginning to now", self.percent),
            (false, false) => f.write_str(", the newest are within it"),
        }
    }
}

impl fmt::Display for Burn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, window) in self.windows.iter().enumerate() {
            let (n, bad) = (thousands(window.n), thousands(window.bad));
            let bound = lower_bound(self.phi.thin(window.n), self.phi.thin(window.bad), self.level);
            let join = if index > 0 { "; " } else { "" };
            write!(f, "{join}{bad} bad of {n} in {}, bound ", span(window.seconds))?;
            f.write_str(&percent(bound, self.threshold.share()))?;
        }
        let fires = if self.fires { "both are" } else { "fires when both are" };
        write!(f, "; {fires} > {}", self.threshold)
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.value else { return write!(f, "no events in {}", span(self.seconds)) };
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let not = if self.holds { "" } else { "not " };
        write!(f, "{}{unit} over {}, {not}{}", digits(value), span(self.seconds), self.condition)
    }
}

/// With as many decimals as three digits take.
pub fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

fn remark(finding: Finding) -> &'static str {
    match finding {
        Finding::Quiet | Finding::Fires => "",
        Finding::Over => ", but the newest are good",
        Finding::Short => ", not yet for the whole duration",
    }
}

/// With as many decimals as it takes to show on which side of the threshold a share lies.
fn percent(share: f64, threshold: f64) -> String {
    let rounded = |value: f64, decimals: usize| format!("{:.decimals$}", value * 100.0);
    let decimals =
        (1..6).find(|decimals| rounded(share, *decimals) != rounded(threshold, *decimals)).unwrap_or(6);
    let decimals = if share > 0.0 && share < 0.001 { decimals.max(3) } else { decimals };
    format!("{} %", rounded(share, decimals))
}

/// "5 min", "1 h", "7 d", "90 s".
pub fn span(seconds: i64) -> String {
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "min")] {
        if seconds >= unit && seconds % unit == 0 {
            return format!("{} {name}", seconds / unit);
        }
    }
    if seconds > 300 { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(n: u64, bad: u64, finding: Finding) -> Reason {
        Reason::Ratio(Ratio {
            n,
            bad,
            seconds: 300,
            phi: Phi::ONE,
            level: 1e-4 / 3.0,
            threshold: Threshold::new(1, 100).unwrap(),
            would_fire: 8,
            finding,
        })
    }

    #[test]
    fn a_reason_is_one_line_with_its_numbers() {
        let check = |reason: Reason, expected: &str| assert_eq!(reason.to_string(), expected);
        check(
            ratio(100, 2, Finding::Quiet),
            "2 bad of 100 in 5 min, too few events to judge: 8 bad of 100 would fire",
        );
        check(ratio(3, 3, Finding::Quiet), "3 bad of 3 in 5 min, too few events to judge");
        check(ratio(1020, 0, Finding::Quiet), "0 bad of 1,020 in 5 min, bound 0.0 % <= 1 %");
        check(ratio(1020, 47, Finding::Fires), "47 bad of 1,020 in 5 min, bound 2.4 % > 1 %");
        check(
            ratio(1020, 47, Finding::Short),
            "47 bad of 1,020 in 5 min, bound 2.4 % > 1 %, not yet for the whole duration",
        );
        check(Reason::Learning { seen: 120, needed: 360 }, "learning: 2 min of 6 min seen");
        check(Reason::NoTraffic { seconds: 300 }, "no traffic in 5 min");
        let share = Share { n: 61, above: 61, seconds: 600, percent: 90, up: true, fires: true };
        check(Reason::Share(share.clone()), "61 of 61 samples beyond the threshold in 10 min");
        check(
            Reason::Share(Share { above: 5, fires: false, ..share }),
            "5 of 61 samples beyond the threshold in 10 min, 90 % needed from the beginning to now",
        );
    }

    #[test]
    fn a_mean_names_its_bound() {
        let mean = Mean {
            mean: 812_040.0,
            n: 1020,
            seconds: 180,
            bound: Some(640_000.0),
            threshold: 500_000,
            below: false,
            finding: Finding::Fires,
        };
        assert_eq!(mean.to_string(), "mean 812.0 ms of 1,020 values in 3 min, bound 640.0 ms > 500 ms");
        let few = Mean { bound: None, ..mean };
        assert_eq!(few.to_string(), "mean 812.0 ms of 1,020 values in 3 min, too few values to judge");
    }

    #[test]
    fn a_bound_close_to_the_threshold_shows_on_which_side_it_lies() {
        assert_eq!(percent(0.0203, 0.01), "2.0 %");
        assert_eq!(percent(0.010_04, 0.01), "1.004 %");
        assert_eq!(percent(0.0099, 0.01), "0.99 %");
        assert_eq!(percent(0.000_04, 0.01), "0.004 %");
    }
}
