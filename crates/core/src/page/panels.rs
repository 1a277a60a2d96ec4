//! The Overview's quieter panels: what changes by the minute and not by the second.

use crate::{
    metric::{
        fallback::Analysis,
        range::View,
        sla::{Day, Level},
        sources::{Account, Pair},
        table::{Entry, Metric},
    },
    page::annotation::Annotation,
    savings::Saved,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panels {
    pub view: View,
    /// `[from, to)`, Unix seconds.
    pub from: i64,
    pub to: i64,
    /// Unix milliseconds.
    pub as_of: i64,
    /// What the pickers offer.
    pub nodes: Vec<String>,
    pub regions: Vec<String>,
    /// Over thirty days, whatever the range.
    pub levels: Vec<Level>,
    /// Ninety days, oldest first.
    pub strip: Vec<Day>,
    /// The most streams first.
    pub health: Vec<RegionHealth>,
    pub fallback: Analysis,
    /// `None`: not enough data in the range.
    pub saved: Option<Saved>,
    /// Session length under which polling takes fewer bytes, seconds.
    pub break_even: Option<f64>,
    pub pairs: Vec<Pair>,
    pub account: Account,
    /// All numbers of the range, in [`crate::metric::table::Metric::ALL`]'s order.
    pub numbers: Vec<Entry>,
    /// Oldest first.
    pub annotations: Vec<Annotation>,
}

/// How one region's followers were served in the range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionHealth {
    pub region: String,
    /// Open on average.
    pub streams: f64,
    pub deliveries: u64,
    /// ms; `None`: too few deliveries.
    pub p95: Option<f64>,
    /// Percent.
    pub error_rate: Option<f64>,
    /// Fallbacks that pages from there reported.
    pub fallbacks: u64,
}

/// From not known to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Unknown,
    Good,
    /// Worse than the epic's target.
    Warning,
    Bad,
}

impl RegionHealth {
    /// A region that is quick to those whom it loses is not well.
    pub fn health(&self) -> Health {
        self.speed().max(self.reliability())
    }

    /// p95 of the delivery latency, ms, from which on a region is bad.
    pub const BAD_MS: f64 = 250.0;
    /// The epic's alarm: error rate from which on a region is bad, percent.
    pub const BAD_PERCENT: f64 = 1.0;

    /// Good within the metric's target.
    pub fn speed(&self) -> Health {
        judged(Metric::DeliveryLatencyP95, self.p95, RegionHealth::BAD_MS)
    }

    pub fn reliability(&self) -> Health {
        judged(Metric::ErrorRate, self.error_rate, RegionHealth::BAD_PERCENT)
    }
}

fn judged(metric: Metric, value: Option<f64>, limit: f64) -> Health {
    match value {
        None => Health::Unknown,
        Some(value) if metric.meets(value) == Some(true) => Health::Good,
        Some(value) if value < limit => Health::Warning,
        Some(_) => Health::Bad,
    }
}

#[cfg(feature = "measure")]
impl RegionHealth {
    pub fn of(sample: &crate::metric::measure::sample::Sample) -> RegionHealth {
        use crate::metric::{
            beacon::FallbackReason,
            measure::{counters::Counter, sample::Measure},
            numbers,
        };
        let count = |counter| sample.counters.get(counter);
        let fallbacks = FallbackReason::ALL.map(|reason| count(reason.counter()));
        RegionHealth {
            region: sample.region.clone(),
            streams: sample.level(Counter::StreamSeconds).unwrap_or(0.0),
            deliveries: count(Counter::Delivered),
            p95: sample
                .percentile(Measure::DeliveryLatency, 95.0, numbers::PERCENTILE_FLOOR)
                .map(|micros| micros / 1_000.0),
            error_rate: sample.error_rate().filter(|_| sample.operations() >= numbers::RATE_FLOOR),
            fallbacks: fallbacks.iter().sum(),
        }
    }
}

#[cfg(feature = "measure")]
impl crate::metric::beacon::FallbackReason {
    /// Where it is counted.
    pub fn counter(self) -> crate::metric::measure::counters::Counter {
        use crate::metric::{beacon::FallbackReason, measure::counters::Counter};
        match self {
            FallbackReason::NoEventSource => Counter::FallbackNoEventSource,
            FallbackReason::ConnectFailed => Counter::FallbackConnectFailed,
            FallbackReason::Watchdog => Counter::FallbackWatchdog,
            FallbackReason::Buffered => Counter::FallbackBuffered,
            FallbackReason::Refused => Counter::FallbackRefused,
            FallbackReason::TooManyTabs => Counter::FallbackTooManyTabs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_as_well_as_its_worse_side() {
        let check = |p95, error_rate, expected| {
            let region = RegionHealth { p95, error_rate, ..RegionHealth::default() };
            assert_eq!(region.health(), expected, "{p95:?} ms, {error_rate:?} %");
        };
        check(None, None, Health::Unknown);
        check(Some(99.0), None, Health::Good);
        check(None, Some(0.0), Health::Good);
        check(Some(12.0), Some(0.1), Health::Warning);
        check(Some(100.0), Some(0.0), Health::Warning);
        check(Some(12.0), Some(1.0), Health::Bad);
        check(Some(250.0), Some(0.0), Health::Bad);
    }
}
