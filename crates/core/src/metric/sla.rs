//! Service levels: the epic's five objectives, how much of their error budgets is left, and how fast it burns.
//!
//! Each objective is a share of bad events that is allowed. "95th percentile under 200 ms" allows five in a hundred to be
//! slower, so that a percentile has a budget like everything else and windows can be compared.

use crate::metric::{
    notice::{Notice, Severity},
    numbers,
    table::{Metric, Unit},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Objective {
    Connect,
    Delivery,
    Uptime,
    Errors,
    Fallback,
}

/// Days over which budgets are counted.
pub const BUDGET_DAYS: i64 = 30;
/// Days of the uptime strip.
pub const STRIP_DAYS: i64 = 90;
/// Windows of the burn rate: seconds, and how they are called.
pub const BURN_WINDOWS: [(i64, &str); 4] =
    [(300, "5 min"), (3_600, "1 h"), (21_600, "6 h"), (259_200, "3 d")];

impl Objective {
    pub const ALL: [Objective; 5] =
        [Objective::Connect, Objective::Delivery, Objective::Uptime, Objective::Errors, Objective::Fallback];

    pub fn title(self) -> &'static str {
        match self {
            Objective::Connect => "Connect p95",
            Objective::Delivery => "Delivery p95",
            Objective::Uptime => "Uptime",
            Objective::Errors => "Error rate",
            Objective::Fallback => "Fallback",
        }
    }

    pub fn metric(self) -> Metric {
        match self {
            Objective::Connect => Metric::ConnectionEstablishmentP95,
            Objective::Delivery => Metric::DeliveryLatencyP95,
            Objective::Uptime => Metric::Uptime,
            Objective::Errors => Metric::ErrorRate,
            Objective::Fallback => Metric::FallbackRate,
        }
    }

    /// As the page says it.
    pub fn target(self) -> String {
        self.metric().target_in_words().unwrap_or_default()
    }

    pub fn unit(self) -> &'static str {
        self.metric().unit().short()
    }

    /// What [`Counted`] counts.
    pub fn events(self) -> &'static str {
        self.metric().samples()
    }

    /// Share of events that may be bad. Each of the five has one.
    pub fn allowed(self) -> f64 {
        self.metric().allowed().unwrap_or_default()
    }

    /// Events under which nothing is said: a share of fewer is chance.
    pub fn floor(self) -> u64 {
        self.metric().floor()
    }

    /// Milliseconds from which on an event is bad, for the two that are percentiles.
    pub fn limit_ms(self) -> Option<u64> {
        let metric = self.metric();
        (metric.unit() == Unit::MsP95).then_some(metric.target()? as u64)
    }
}

/// Events of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub all: u64,
    pub bad: u64,
}

impl Counted {
    /// 0 to 1; `None` without events.
    pub fn share(self) -> Option<f64> {
        (self.all > 0).then(|| self.bad as f64 / self.all as f64)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LevelState {
    Met,
    /// Met, but less than a fifth of the budget is left, or it burns so fast that it will not last.
    AtRisk,
    Missed,
    NotEnoughData,
}

/// How an objective stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    pub objective: Objective,
    /// Over [`BUDGET_DAYS`], in the objective's unit; `None`: not enough data.
    pub value: Option<f64>,
    /// Events in them.
    pub counted: Counted,
    /// Percent of the budget; negative when overspent.
    pub budget_left: Option<f64>,
    /// How many times faster than allowed the budget was spent in each of [`BURN_WINDOWS`].
    pub burn: [Option<f64>; BURN_WINDOWS.len()],
    pub state: LevelState,
}

/// A burn of this over an hour, confirmed by the last five minutes, empties a month's budget in two days (Google's SRE
/// workbook, "multiwindow, multi-burn-rate alerts").
pub const FAST_BURN: f64 = 14.4;

impl Level {
    /// `value`: as measured, in the objective's unit. `windows`: events of each of [`BURN_WINDOWS`].
    pub fn of(
        objective: Objective,
        value: Option<f64>,
        counted: Counted,
        windows: [Counted; BURN_WINDOWS.len()],
    ) -> Level {
        let enough = |counted: &Counted| counted.all >= objective.floor();
        let burn = windows.map(|window| {
            let share = Some(window).filter(enough).and_then(Counted::share)?;
            Some(share / objective.allowed())
        });
        let share = Some(counted).filter(enough).and_then(Counted::share);
        let budget_left = share.map(|share| numbers::budget_left(share, objective.allowed()));
        let fast = burn[0].zip(burn[1]).is_some_and(|(now, hour)| now >= FAST_BURN && hour >= FAST_BURN);
        let state = match budget_left {
            None => LevelState::NotEnoughData,
            Some(left) if left < 0.0 => LevelState::Missed,
            Some(left) if left < 20.0 || fast => LevelState::AtRisk,
            Some(_) => LevelState::Met,
        };
        Level { objective, value: value.filter(|_| share.is_some()), counted, budget_left, burn, state }
    }
}

/// Fewer bad events are chance, whatever they are a share of: one failed probe of the first ten is no missed month.
const WORTH_A_NOTICE: u64 = 5;

impl Level {
    /// What an operator should know of it, on whichever page: the fact, then how it stands. `None`: nothing.
    pub fn notice(&self) -> Option<Notice> {
        if self.counted.bad < WORTH_A_NOTICE {
            return None;
        }
        let (severity, fact) = match self.state {
            LevelState::Met | LevelState::NotEnoughData => return None,
            LevelState::AtRisk => {
                (Severity::Warning, format!("{} is near its limit.", self.objective.title()))
            }
            LevelState::Missed => {
                (Severity::Critical, format!("{} has missed its service level.", self.objective.title()))
            }
        };
        let (objective, value) = (self.objective, self.value?);
        let left = self.budget_left.unwrap_or(0.0).max(0.0);
        let detail = format!(
            "{value:.3} {} in {BUDGET_DAYS} days ({}); {left:.0} % of its error budget is left.",
            objective.unit(),
            objective.target(),
        );
        Some(Notice { severity, fact, detail })
    }
}

/// One day of the uptime strip, or less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// Its beginning, Unix seconds, UTC.
    pub at: i64,
    pub good: u64,
    pub bad: u64,
    /// Probes that could not be made.
    pub unknown: u64,
    /// Seconds of it that are over, and those of them in which a node was there to probe.
    pub seconds: u64,
    pub covered: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// No probe said anything: the node was not there, or could not probe. That is not "down".
    Unknown,
    Up,
    /// Probes failed, and the day still met the objective.
    Dented,
    Down,
}

impl Day {
    /// For which share of its time its state is known, 0 to 1: a node was there, and its probes could be made.
    pub fn known(self) -> f64 {
        let probes = self.good + self.bad;
        let all = (probes + self.unknown).max(1) as f64;
        (self.covered as f64 / self.seconds.max(1) as f64).min(1.0) * probes as f64 / all
    }

    /// Percent; `None`: unknown.
    pub fn uptime(self) -> Option<f64> {
        let all = self.good + self.bad;
        (all > 0).then(|| self.good as f64 * 100.0 / all as f64)
    }

    pub fn state(self) -> DayState {
        match self.uptime() {
            None => DayState::Unknown,
            Some(_) if self.bad == 0 => DayState::Up,
            Some(percent) if Metric::Uptime.target().is_some_and(|target| percent > target) => {
                DayState::Dented
            }
            Some(_) => DayState::Down,
        }
    }
}

#[cfg(feature = "measure")]
mod measured {
    use super::{Counted, Objective};
    use crate::metric::measure::{
        counters::Counter,
        sample::{Measure, Sample},
    };

    impl Objective {
        pub fn counted(self, sample: &Sample) -> Counted {
            let count = |counter| sample.counters.get(counter);
            match self {
                Objective::Connect => sample.slower(Measure::ConnectionEstablishment, self.limit_ms()),
                Objective::Delivery => sample.slower(Measure::DeliveryLatency, self.limit_ms()),
                Objective::Uptime => {
                    let bad = count(Counter::ProbesBad);
                    Counted { all: count(Counter::ProbesGood) + bad, bad }
                }
                Objective::Errors => {
                    let bad = count(Counter::ConnectFailed) + count(Counter::DroppedSlow);
                    Counted { all: sample.operations(), bad }
                }
                Objective::Fallback => {
                    let all = count(Counter::StreamCohortSessions);
                    Counted { all, bad: count(Counter::SessionsFellBack).min(all) }
                }
            }
        }

        /// In the objective's unit.
        pub fn value(self, sample: &Sample) -> Option<f64> {
            let p95 = |measure| Some(sample.percentile(measure, 95.0, 1)? / 1_000.0);
            match self {
                Objective::Connect => p95(Measure::ConnectionEstablishment),
                Objective::Delivery => p95(Measure::DeliveryLatency),
                Objective::Uptime => sample.uptime(),
                Objective::Errors => sample.error_rate(),
                Objective::Fallback => sample.fallback_activation_rate(),
            }
        }
    }

    impl Sample {
        /// Values at or above a limit, of a measure in microseconds.
        fn slower(&self, measure: Measure, limit_ms: Option<u64>) -> Counted {
            let histogram = self.histograms.get(measure);
            let limit = limit_ms.unwrap_or(u64::MAX / 1_000) * 1_000;
            // A step of the histogram that holds the limit counts as below: it is a percent wide.
            let below = histogram.count_between(0, limit);
            Counted { all: histogram.len(), bad: histogram.len().saturating_sub(below) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(objective: Objective, all: u64, bad: u64, windows: [(u64, u64); 4]) -> Level {
        let windows = windows.map(|(all, bad)| Counted { all, bad });
        Level::of(objective, Some(1.0), Counted { all, bad }, windows)
    }

    #[test]
    fn budgets_and_burns() {
        let quiet = level(Objective::Errors, 100_000, 21, [(10, 0), (500, 0), (5_000, 1), (50_000, 10)]);
        assert_eq!((quiet.budget_left.map(f64::round), quiet.state), (Some(79.0), LevelState::Met));
        assert_eq!(
            quiet.burn.map(|burn| burn.map(|b| (b * 10.0).round())),
            [None, Some(0.0), Some(2.0), Some(2.0)]
        );

        let spent = level(Objective::Errors, 10_000, 11, [(0, 0); 4]);
        assert_eq!(spent.state, LevelState::Missed);
        let nearly = level(Objective::Fallback, 1_000, 42, [(0, 0); 4]);
        assert_eq!((nearly.budget_left.map(f64::round), nearly.state), (Some(16.0), LevelState::AtRisk));
        // Little was spent so far, and it goes fast: both windows say so.
        let fast = level(Objective::Uptime, 200_000, 100, [(30, 20), (360, 60), (2_160, 60), (20_000, 60)]);
        assert_eq!(fast.state, LevelState::AtRisk);
        let over = level(Objective::Uptime, 200_000, 100, [(30, 0), (360, 60), (2_160, 60), (20_000, 60)]);
        assert_eq!(over.state, LevelState::Met, "the last five minutes are good again");
    }

    #[test]
    fn what_is_at_risk_is_said() {
        let nearly = Level { value: Some(4.2), ..level(Objective::Fallback, 1_000, 42, [(0, 0); 4]) };
        let notice = nearly.notice().expect("a notice");
        assert_eq!(notice.fact, "Fallback is near its limit.");
        assert_eq!(notice.detail, "4.200 % in 30 days (< 5 %); 16 % of its error budget is left.");
        assert_eq!(level(Objective::Errors, 100_000, 21, [(0, 0); 4]).notice(), None);
        let few = level(Objective::Uptime, 60, 4, [(0, 0); 4]);
        assert_eq!((few.state, few.notice()), (LevelState::Missed, None));
        let more = level(Objective::Uptime, 60, 5, [(0, 0); 4]);
        assert_eq!(more.notice().map(|notice| notice.severity), Some(Severity::Critical));
    }

    #[test]
    fn too_little_is_no_level() {
        let few = level(Objective::Connect, 19, 19, [(19, 19); 4]);
        assert_eq!((few.state, few.value, few.budget_left), (LevelState::NotEnoughData, None, None));
        assert_eq!(few.burn, [None; 4]);
    }

    #[test]
    fn a_day_without_a_probe_is_unknown_and_not_down() {
        let check = |good, bad, unknown, expected| {
            assert_eq!(Day { good, bad, unknown, ..Day::default() }.state(), expected);
        };
        check(0, 0, 0, DayState::Unknown);
        check(0, 0, 8_640, DayState::Unknown);
        check(8_640, 0, 5, DayState::Up);
        check(8_600, 40, 0, DayState::Dented);
        // Exactly the objective is not above it.
        check(199, 1, 0, DayState::Down);
        check(200, 1, 0, DayState::Dented);
        check(8_000, 640, 0, DayState::Down);
        check(0, 1, 0, DayState::Down);
    }

    #[test]
    fn time_without_a_node_or_a_probe_is_not_known() {
        let known = |good, unknown, seconds, covered| {
            Day { good, unknown, seconds, covered, ..Day::default() }.known()
        };
        assert_eq!(known(8_640, 0, 86_400, 86_400), 1.0);
        assert_eq!(known(6_480, 0, 86_400, 64_800), 0.75);
        assert_eq!(known(30, 30, 600, 600), 0.5);
        assert_eq!(known(0, 0, 86_400, 0), 0.0);
        // A row that runs into the next second, and a day that has just begun.
        assert_eq!(known(1, 0, 9, 10), 1.0);
        assert_eq!(known(0, 0, 0, 0), 0.0);
    }

    #[cfg(feature = "measure")]
    #[test]
    fn events_are_counted_from_a_sample() {
        use crate::metric::measure::{
            counters::Counter,
            sample::{Measure, Sample},
        };
        let mut sample = Sample::new("a", 0, 10);
        sample.histograms.record_n(Measure::ConnectionEstablishment, 50_000, 95);
        sample.histograms.record_n(Measure::ConnectionEstablishment, 300_000, 5);
        sample.counters.add(Counter::ProbesGood, 99);
        sample.counters.add(Counter::ProbesBad, 1);
        sample.counters.add(Counter::ProbesUnknown, 50);
        assert_eq!(Objective::Connect.counted(&sample), Counted { all: 100, bad: 5 });
        assert_eq!(Objective::Uptime.counted(&sample), Counted { all: 100, bad: 1 });
        assert_eq!(Objective::Uptime.value(&sample), Some(99.0));
        assert!((Objective::Connect.value(&sample).expect("connects") - 50.0).abs() < 1.0);
    }
}
