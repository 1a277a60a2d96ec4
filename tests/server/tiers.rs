//! Rows in any order, late, sent twice, merged at any moment and by two nodes at once: every tier is what a plain recount
//! of the 10 s rows says, and at any moment a page is told what was written so far.

use crate::support::Database;
use hdrhistogram::{Histogram, serialization::Deserializer};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sqlx::{PgPool, Row as _, types::Json};
use std::collections::BTreeMap;
use streamgauge::testing::{Recorder, Store, Whose, load, load_regions, roll_up};
use streamgauge_core::measure::{
    counters::Counter,
    sample::{Measure, Sample},
};
use tokio::sync::watch;

const DAY: i64 = 86_400;
/// Any midnight.
const FROM: i64 = 19_700 * DAY;
const TO: i64 = FROM + 3 * DAY;
const NODES: [&str; 3] = ["a", "b", "c"];
/// The first: rows about all followers.
const REGIONS: [&str; 3] = ["", "de", "us"];
const CASES: u32 = 12;

/// A 10 s row of one process.
#[derive(Clone, Debug)]
struct Row {
    region: &'static str,
    at: i64,
    counted: Counted,
}

/// What a row counts, by name. Histograms are their values, by measure.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counted {
    counters: BTreeMap<String, u64>,
    values: BTreeMap<usize, BTreeMap<u64, u64>>,
}

/// Rows that one process stores in one go.
#[derive(Clone, Debug)]
struct Batch {
    node: &'static str,
    run: i64,
    rows: Vec<Row>,
}

/// When what is due is merged.
#[derive(Clone, Copy, Debug)]
enum Merge {
    No,
    /// Afterwards, up to a moment.
    To(i64),
    /// While the rows are written, by two nodes that both take themselves for the elected one.
    Meanwhile,
}

fn rows() -> impl Strategy<Value = Row> {
    // Few hours and minutes, the first and the last of a day among them: most rows meet others.
    let moment =
        (0i64..3, prop::sample::select(vec![0i64, 9, 23]), prop::sample::select(vec![0i64, 1, 59]), 0i64..6);
    let at = moment
        .prop_map(|(day, hour, minute, slot)| FROM + day * DAY + hour * 3_600 + minute * 60 + slot * 10);
    let values = prop::collection::vec((0..Measure::ALL.len(), 1u64..90_000_000, 1u64..5), 0..5);
    let counters = (0u64..=10, 0u64..1_000, 0u64..1 << 40);
    (prop::sample::select(&REGIONS), at, counters, values).prop_map(|(region, at, counters, values)| {
        let (seconds, published, memory) = counters;
        let mut counted = Counted::default();
        for (counter, amount) in [
            (Counter::Seconds, seconds),
            (Counter::CoveredSeconds, seconds),
            (Counter::Published, published),
            (Counter::MemorySum, memory),
        ] {
            counted.add(counter.name(), amount);
        }
        for (measure, value, count) in values {
            counted.record(measure, value, count);
        }
        Row { region, at, counted }
    })
}

/// Batches, and the order in which they are written: each of them, some more than once.
fn story() -> impl Strategy<Value = (Vec<Batch>, Vec<(usize, Merge)>)> {
    let batch = (prop::sample::select(&NODES), 1i64..3, prop::collection::vec(rows(), 1..10));
    let batch = batch.prop_map(|(node, run, rows)| Batch { node, run, rows });
    let merge = prop_oneof![
        Just(Merge::No),
        Just(Merge::To(TO)),
        (FROM..TO).prop_map(Merge::To),
        Just(Merge::Meanwhile),
    ];
    prop::collection::vec(batch, 3..7).prop_flat_map(move |batches| {
        let count = batches.len();
        let again = prop::collection::vec(0..count, 0..3);
        let order = again.prop_map(move |again| (0..count).chain(again).collect::<Vec<_>>()).prop_shuffle();
        let merges = prop::collection::vec(merge.clone(), count + 2);
        (Just(batches), order, merges)
            .prop_map(|(batches, order, merges)| (batches, order.into_iter().zip(merges).collect()))
    })
}

impl Counted {
    fn add(&mut self, counter: &str, amount: u64) {
        // What is zero is not stored.
        if amount > 0 {
            *self.counters.entry(counter.to_owned()).or_default() += amount;
        }
    }

    /// By the step of the histogram that the value lies in.
    fn record(&mut self, measure: usize, value: u64, count: u64) {
        let histogram = Histogram::<u64>::new_with_max(1 << 40, 2).expect("a histogram");
        let step = histogram.highest_equivalent(value);
        *self.values.entry(measure).or_default().entry(step).or_default() += count;
    }

    fn merge(&mut self, other: &Counted) {
        for (counter, &amount) in &other.counters {
            self.add(counter, amount);
        }
        for (&measure, values) in &other.values {
            for (&value, &count) in values {
                self.record(measure, value, count);
            }
        }
    }

    fn get(&self, counter: Counter) -> u64 {
        self.counters.get(counter.name()).copied().unwrap_or(0)
    }
}

/// Rows as they are told apart: node, region, start, run. What is written again replaces what was.
type Base = BTreeMap<(&'static str, &'static str, i64, i64), Counted>;
/// Tier, node (empty: all), region, start.
type Tiers = BTreeMap<(i32, String, String, i64), Counted>;

/// Every row of every coarser tier, straight from the 10 s rows.
fn recount(base: &Base) -> Tiers {
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
fn covered(base: &Base, region: &str, from: i64, to: i64) -> u64 {
    let mut slots: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
    for (&(node, of, at, _), counted) in base {
        if of == region && (from..to).contains(&at) {
            *slots.entry(at).or_default().entry(node).or_default() += counted.get(Counter::Seconds);
        }
    }
    slots.values().filter_map(|nodes| nodes.values().max()).sum()
}

/// Writes as a server does, until nothing waits.
async fn write(url: &str, batch: &Batch) {
    let store = Store::new(url, batch.node, batch.run).expect("a store");
    for row in &batch.rows {
        let mut sample = Sample { region: row.region.into(), ..Sample::new(batch.node, row.at, 10) };
        for &counter in Counter::ALL {
            sample.counters.add(counter, row.counted.get(counter));
        }
        for (&measure, values) in &row.counted.values {
            for (&value, &count) in values {
                sample.histograms.record_n(Measure::ALL[measure], value, count);
            }
        }
        store.outbox().sample(sample.pack());
    }
    store.run(Recorder::new(1), watch::channel(true).1).await;
    assert_eq!(store.outbox().state(), (0, 0), "all is written");
}

async fn merge_all(pool: &PgPool, closed: i64) {
    while roll_up(pool, closed).await.expect("merged") > 0 {}
}

async fn stored(pool: &PgPool) -> Tiers {
    let query = "SELECT resolution, node, region, extract(epoch FROM bucket_start)::bigint, counters,
                        delivery, connect, duration, publish_lag, staleness, poll_time, first_update, client_latency,
                        probe_connect, probe_delivery
                 FROM metric_samples WHERE resolution > 10";
    let rows = sqlx::query(query).fetch_all(pool).await.expect("rows");
    let tiers = rows.into_iter().map(|row| {
        let Json(counters) = row.get(4);
        let mut counted = Counted { counters, ..Counted::default() };
        for measure in 0..Measure::ALL.len() {
            let Some(bytes) = row.get::<Option<Vec<u8>>, _>(5 + measure) else { continue };
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

/// What pages read, whatever is merged by now.
async fn check_pages(pool: &PgPool, base: &Base) {
    let published = |node: &str, region: &str| -> u64 {
        let of = |key: &(&str, &str, i64, i64)| (node.is_empty() || key.0 == node) && key.1 == region;
        base.iter().filter(|(key, _)| of(key)).map(|(_, counted)| counted.get(Counter::Published)).sum()
    };
    for (node, region, steps) in [("", "", [60, 86_400]), ("a", "", [3_600, 86_400]), ("", "de", [60, 3_600])]
    {
        let whose = Whose { node: node.into(), region: region.into() };
        for step in steps {
            let loaded = load(pool, FROM, TO, step, &whose).await.expect("figures");
            let told = loaded.whole.counters.get(Counter::Published);
            assert_eq!(told, published(node, region), "{whose:?} by {step} s");
            if node.is_empty() {
                let told = loaded.whole.counters.get(Counter::CoveredSeconds);
                assert_eq!(told, covered(base, region, FROM, TO), "{whose:?} by {step} s");
            }
        }
    }
    for region in load_regions(pool, FROM, TO, 86_400, "").await.expect("regions") {
        assert_eq!(
            region.counters.get(Counter::Published),
            published("", &region.region),
            "{}",
            region.region
        );
    }
}

async fn check(database: &Database, pool: &PgPool, batches: &[Batch], order: &[(usize, Merge)]) {
    sqlx::query("TRUNCATE metric_samples, rollup_due").execute(pool).await.expect("nothing left");
    let url = database.url();
    let mut base = Base::new();
    for &(index, merge) in order {
        let batch = &batches[index];
        for row in &batch.rows {
            base.insert((batch.node, row.region, row.at, batch.run), row.counted.clone());
        }
        match merge {
            Merge::No => write(&url, batch).await,
            Merge::To(closed) => {
                write(&url, batch).await;
                merge_all(pool, closed).await;
            }
            Merge::Meanwhile => {
                tokio::join!(write(&url, batch), merge_all(pool, TO), merge_all(pool, TO));
            }
        }
        check_pages(pool, &base).await;
    }
    merge_all(pool, TO).await;
    check_pages(pool, &base).await;
    assert_eq!(stored(pool).await, recount(&base));
}

#[test]
fn every_tier_is_what_a_recount_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (database, pool) = runtime.block_on(async {
        let database = Database::new().await;
        Store::new(&database.url(), "maker", 1).expect("a store").migrate().await.expect("tables");
        let pool = PgPool::connect(&database.url()).await.expect("the database");
        (database, pool)
    });
    let config =
        Config { cases: CASES, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    // The same stories each time.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let told = runner.run(&story(), |(batches, order)| {
        runtime.block_on(check(&database, &pool, &batches, &order));
        Ok(())
    });
    if let Err(error) = told {
        panic!("{error}");
    }
    runtime.block_on(pool.close());
}
