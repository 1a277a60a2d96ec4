//! What rows count, and a plain recount of every tier from the 10 s rows.

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{Histogram, serialization::Deserializer};
use sqlx::{PgPool, Row as _, types::Json};
use std::collections::{BTreeMap, HashMap};
use streamgauge_core::metric::measure::{counters::Counter, sample::Measure};

/// What a row counts, by name. Histograms are their values, by measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    pub counters: BTreeMap<String, u64>,
    pub values: BTreeMap<usize, BTreeMap<u64, u64>>,
}

impl Counted {
    pub fn add(&mut self, counter: &str, amount: u64) {
        // What is zero is not stored.
        if amount > 0 {
            *self.counters.entry(counter.to_owned()).or_default() += amount;
        }
    }

    /// By the step of the histogram that the value lies in.
    pub fn record(&mut self, measure: usize, value: u64, count: u64) {
        let histogram = Histogram::<u64>::new_with_max(1 << 40, 2).expect("a histogram");
        let step = histogram.highest_equivalent(value);
        *self.values.entry(measure).or_default().entry(step).or_default() += count;
    }

    pub fn merge(&mut self, other: &Counted) {
        for (counter, &amount) in &other.counters {
            self.add(counter, amount);
        }
        for (&measure, values) in &other.values {
            for (&value, &count) in values {
                self.record(measure, value, count);
            }
        }
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.counters.get(counter.name()).copied().unwrap_or(0)
    }
}

/// Rows as they are told apart: node, region, start, run. What is written again replaces what was.
pub type Base = BTreeMap<(&'static str, &'static str, i64, i64), Counted>;
/// Tier, node (empty: all), region, start.
pub type Tiers = BTreeMap<(i32, String, String, i64), Counted>;

/// Up to when the rows of a tier are gone; those of one that is not named are all there.
pub type Gone = BTreeMap<i32, i64>;

/// Every row of every coarser tier, straight from the 10 s rows.
pub fn recount(base: &Base) -> Tiers {
    let mut tiers = Tiers::new();
    for tier in [60, 3_600, 86_400] {
        for (&(node, region, at, _), counted) in base {
            for node in [node, ""] {
                let start = at.div_euclid(i64::from(tier)) * i64::from(tier);
                tiers.entry((tier, node.into(), region.into(), start)).or_default().merge(counted);
            }
        }
    }
    for ((tier, node, region, start), counted) in &mut tiers {
        if node.is_empty() {
            counted.counters.remove(Counter::CoveredSeconds.name());
            counted.add(
                Counter::CoveredSeconds.name(),
                covered(base, region, *start, *start + i64::from(*tier)),
            );
        }
    }
    tiers
}

/// Nodes that measured in the same ten seconds covered them once.
pub fn covered(base: &Base, region: &str, from: i64, to: i64) -> u64 {
    let mut slots: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
    for (&(node, of, at, _), counted) in base {
        if of == region && (from..to).contains(&at) {
            *slots.entry(at).or_default().entry(node).or_default() += counted.get(Counter::Seconds);
        }
    }
    slots.values().filter_map(|nodes| nodes.values().max()).sum()
}

/// The same rows as PostgreSQL has them.
pub async fn stored(pool: &PgPool) -> Tiers {
    let query =
        "SELECT resolution, node, region, extract(epoch FROM bucket_start)::bigint, counters, histograms
                 FROM metric_samples WHERE resolution > 10";
    let rows = sqlx::query(query).fetch_all(pool).await.expect("rows");
    let tiers = rows.into_iter().map(|row| {
        let Json(counters) = row.get(4);
        let Json(histograms): Json<HashMap<String, String>> = row.get(5);
        let mut counted = Counted { counters, ..Counted::default() };
        for (measure, name) in Measure::ALL.iter().map(|measure| measure.name()).enumerate() {
            let Some(text) = histograms.get(name) else { continue };
            let bytes = STANDARD.decode(text).expect("Base64");
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
            for value in histogram.iter_recorded() {
                counted.record(measure, value.value_iterated_to(), value.count_at_value());
            }
        }
        ((row.get(0), row.get(1), row.get(2), row.get(3)), counted)
    });
    tiers.collect()
}
