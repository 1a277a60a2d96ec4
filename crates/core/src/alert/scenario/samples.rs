//! The rows that nodes would have stored, out of series.

use super::series::{Part, Point, Series, Source};
use crate::metric::{
    measure::{
        counters::{Counter, Counters},
        packed::Packed,
        sample::{Histograms, Measure},
    },
    table::Metric,
};
use std::collections::BTreeMap;

/// Values a bucket of latencies, where no series says how many.
const VALUES: u64 = 10;
/// Levels keep three decimals.
const FINE: f64 = 1_000.0;

/// Time of a test.
#[derive(Clone, Copy)]
pub struct Grid {
    /// Seconds between two values of a series.
    pub interval: i64,
    /// Seconds between two evaluations; it divides the interval.
    pub step: i64,
}

impl Grid {
    /// The value at `at`, in seconds from the start, and which part of its interval that is.
    fn point(self, series: &Series, at: i64) -> (Point, i64) {
        let place = usize::try_from(at.div_euclid(self.interval)).ok();
        let point = place.and_then(|place| series.points.get(place)).copied().unwrap_or(Point::Missing);
        (point, at.rem_euclid(self.interval) / self.step)
    }

    /// Counts are spread over the evaluations of their interval.
    fn count(self, series: &Series, at: i64) -> Option<u64> {
        let (Point::Value(value), part) = self.point(series, at) else { return None };
        let (value, parts) = (value as u64, (self.interval / self.step) as u64);
        let upto = |part: u64| (u128::from(value) * u128::from(part) / u128::from(parts)) as u64;
        Some(upto(part as u64 + 1) - upto(part as u64))
    }

    fn value(self, series: &Series, at: i64) -> Option<f64> {
        match self.point(series, at).0 {
            Point::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Values of one source, node and region at one time.
#[derive(Default)]
struct Measured {
    value: Option<f64>,
    events: Option<u64>,
    errors: Option<u64>,
}

/// One row a node that sent anything, whichever series it was, and one a region of it. `start`: Unix seconds of the bucket.
pub fn rows(series: &[Series], source: Source, grid: Grid, at: i64, start: i64) -> Vec<Packed> {
    let mut rows: BTreeMap<(&str, &str), Row> = BTreeMap::new();
    let mut measured: BTreeMap<(&str, &str), Measured> = BTreeMap::new();
    for each in series {
        if grid.point(each, at).0 == Point::Missing {
            continue;
        }
        let place = (each.node.as_str(), each.region.as_str());
        for region in ["", place.1] {
            rows.entry((place.0, region)).or_default();
        }
        if each.source == source {
            let of = measured.entry(place).or_default();
            match each.part {
                Part::Value => of.value = grid.value(each, at),
                Part::Events => of.events = grid.count(each, at),
                Part::Errors => of.errors = grid.count(each, at),
            }
        }
    }
    for ((node, region), of) in measured {
        add(rows.get_mut(&(node, region)), source, &of, grid);
        // All followers of a node are those of its regions together.
        if !region.is_empty() {
            add(rows.get_mut(&(node, "")), source, &of, grid);
        }
    }
    let packed = |((node, region), row): ((&str, &str), Row)| {
        let values = row.values.as_ref();
        let encoded = Measure::ALL.map(|measure| values.and_then(|values| values.encode(measure)));
        Packed::new(node.to_owned(), region.to_owned(), (start, grid.step), &row.counters, encoded)
    };
    rows.into_iter().map(packed).collect()
}

/// A row in the making. Most have no histogram, and all of them together are large.
#[derive(Default)]
struct Row {
    counters: Counters,
    values: Option<Histograms>,
}

fn add(row: Option<&mut Row>, source: Source, of: &Measured, grid: Grid) {
    use Counter as C;
    let Some(row) = row else { return };
    let mut count = |counter, amount| row.counters.add(counter, amount);
    match source {
        Source::Ratio(metric) => {
            let (n, bad) = (of.events.unwrap_or(0), of.errors.unwrap_or(0));
            let good = n.saturating_sub(bad);
            match metric {
                Metric::ConnectionSuccessRate => {
                    count(C::ConnectAttempts, n);
                    count(C::ConnectEstablished, good);
                }
                Metric::Uptime => {
                    count(C::ProbesGood, good);
                    count(C::ProbesBad, bad);
                }
                Metric::FallbackRate => {
                    count(C::StreamCohortSessions, n);
                    count(C::SessionsFellBack, bad);
                }
                Metric::SessionCompletionRate => {
                    count(C::SessionsCompleted, good);
                    count(C::SessionsFailed, bad);
                }
                _ => {
                    count(C::DeliveriesDue, n);
                    count(C::DroppedSlow, bad);
                }
            }
        }
        Source::Values(measure) => {
            if measure == Measure::RedisLatency {
                count(C::RedisProbesFailed, of.errors.unwrap_or(0));
            }
            if let Some(ms) = of.value {
                let raw = (ms * measure.per_second() as f64 / 1_000.0).round() as u64;
                row.values.get_or_insert_default().record_n(measure, raw, of.events.unwrap_or(VALUES));
            }
        }
        Source::Memory => {
            if let Some(percent) = of.value {
                count(C::MemorySum, (percent * 10_000.0).round() as u64);
                count(C::MemoryLimitSum, 1_000_000);
            }
        }
        Source::Level(counter) => {
            if let Some(level) = of.value {
                count(counter, (level * grid.step as f64 * FINE).round() as u64);
                row.counters.set(C::CoveredSeconds, grid.step as u64 * FINE as u64);
            }
        }
    }
}
