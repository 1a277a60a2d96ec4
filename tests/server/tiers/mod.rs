//! Rows in any order, late, sent twice, merged at any moment and by two nodes at once, dropped tier by tier: every row that
//! is left is what a plain recount of the 10 s rows says, and at any moment a page is told what was written so far. Rows
//! that come after others of their time were dropped are counted, and change nothing.

mod counted; // what rows count, and the recount
mod dropped; // rows beyond their time, case by case
mod story; // who writes what, and what happens meanwhile

use crate::support::Database;
use counted::{Base, Gone, covered, recount, stored};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::{PgPool, Row as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use story::{Batch, DAY, FROM, TO, Then, story};
use streamgauge::testing::{Recorder, Store, Telemetry, Whose};
use streamgauge_core::metric::measure::{
    counters::Counter,
    sample::{Measure, Sample},
};
use tokio::sync::watch;

const CASES: u32 = 16;

/// Writes as a server does, until nothing waits. Answers how many rows came too late.
async fn write(url: &str, batch: &Batch) -> u64 {
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
        store.write_behind().sample(sample.pack());
    }
    let recorder = Recorder::new(1);
    store.run(&recorder, &Telemetry::default(), watch::channel(true).1).await;
    assert_eq!(store.write_behind().state(), (0, 0), "all is written");
    let mut told = Sample::new("", 0, 0);
    recorder.collect(&mut told);
    told.counters.get(Counter::RowsLate)
}

async fn merge_all(store: &Store, closed: i64) {
    while store.rollups().merge(closed).await.expect("merged") > 0 {}
}

/// Rows of so many days from [`FROM`] on are beyond their time, by tier. Answers how many partitions went.
async fn drop_days(store: &Store, days: [i64; 4]) -> i32 {
    let keep = days.map(|days| u32::try_from(story::DAYS - days).expect("days of the story"));
    store.rollups().retain(TO, &keep).await.expect("dropped")
}

async fn gone(pool: &PgPool) -> Gone {
    let query = "SELECT resolution, extract(epoch FROM before)::bigint FROM metric_samples_dropped";
    let rows = sqlx::query(query).fetch_all(pool).await.expect("what is dropped");
    rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// From when on a tier has its rows.
fn left(gone: &Gone, tier: i32) -> i64 {
    gone.get(&tier).map_or(FROM, |&before| before.clamp(FROM, TO))
}

/// What pages read, whatever is merged by now.
async fn check_pages(store: &Store, base: &Base, gone: &Gone) {
    let published = |node: &str, region: &str, from: i64| -> u64 {
        let of = |key: &(&str, &str, i64, i64)| {
            (node.is_empty() || key.0 == node) && key.1 == region && key.2 >= from
        };
        base.iter().filter(|(key, _)| of(key)).map(|(_, counted)| counted.get(Counter::Published)).sum()
    };
    for (node, region, steps) in [("", "", [60, 86_400]), ("a", "", [3_600, 86_400]), ("", "de", [60, 3_600])]
    {
        let whose = Whose { node: node.into(), region: region.into() };
        for step in steps {
            let left = left(gone, step);
            let loaded =
                store.history().load((FROM, TO, i64::from(step)), &whose, |_| ()).await.expect("figures");
            let told = loaded.whole.counters.get(Counter::Published);
            assert_eq!(told, published(node, region, left), "{whose:?} by {step} s");
            if node.is_empty() {
                let told = loaded.whole.counters.get(Counter::CoveredSeconds);
                assert_eq!(told, covered(base, region, left, TO), "{whose:?} by {step} s");
            }
        }
    }
    for region in store.history().load_regions((FROM, TO, 86_400), "").await.expect("regions") {
        assert_eq!(
            region.counters.get(Counter::Published),
            published("", &region.region, left(gone, 86_400)),
            "{}",
            region.region
        );
    }
}

async fn check(
    database: &Database,
    (store, pool): (&Store, &PgPool),
    batches: &[Batch],
    order: &[(usize, Then)],
) -> u64 {
    let empty = "TRUNCATE metric_samples, metric_samples_dropped, rollup_due";
    sqlx::query(empty).execute(pool).await.expect("nothing left");
    let url = database.url();
    let (mut base, mut late) = (Base::new(), 0);
    for &(index, then) in order {
        let batch = &batches[index];
        let before = gone(pool).await;
        let mut refused = 0;
        for row in &batch.rows {
            if before.values().all(|&before| before <= row.at) {
                base.insert((batch.node, row.region, row.at, batch.run), row.counted.clone());
            } else {
                refused += 1;
            }
        }
        let told = match then {
            Then::MergeMeanwhile => {
                tokio::join!(write(&url, batch), merge_all(store, TO), merge_all(store, TO)).0
            }
            Then::DropMeanwhile => {
                let first = batch.rows.iter().map(|row| (row.at - FROM) / DAY).min().unwrap_or(0);
                let merges = async { tokio::join!(merge_all(store, TO), merge_all(store, TO)) };
                tokio::join!(write(&url, batch), merges, drop_days(store, [first; 4])).0
            }
            _ => write(&url, batch).await,
        };
        assert_eq!(told, refused, "rows that came too late");
        late += refused;
        if let Then::Merge(closed) = then {
            merge_all(store, closed).await;
        }
        if let Then::MergeAndDrop(_) = then {
            merge_all(store, TO).await;
        }
        if let Then::Drop(days) | Then::MergeAndDrop(days) = then {
            drop_days(store, days).await;
        }
        check_pages(store, &base, &gone(pool).await).await;
    }
    merge_all(store, TO).await;
    check_left(store, pool, &base).await;
    // Nothing is due any more: what is beyond its time goes, and nothing else.
    drop_days(store, [story::DAYS; 4]).await;
    let finest = "SELECT count(*) FROM metric_samples WHERE resolution = 10";
    let finest: i64 = sqlx::query(finest).fetch_one(pool).await.expect("a count").get(0);
    assert_eq!(finest, 0, "all days are over");
    check_left(store, pool, &base).await;
    late
}

/// Once all is merged, by tier: every row that is not gone is there, and what it should be.
async fn check_left(store: &Store, pool: &PgPool, base: &Base) {
    let gone = gone(pool).await;
    check_pages(store, base, &gone).await;
    let mut expected = recount(base);
    expected.retain(|(tier, _, _, start), _| left(&gone, *tier) <= *start);
    assert_eq!(stored(pool).await, expected);
}

#[test]
fn every_tier_is_what_a_recount_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (database, store, pool) = runtime.block_on(async {
        let database = Database::new().await;
        let store = Store::new(&database.url(), "maker", 1).expect("a store");
        store.migrate().await.expect("tables");
        let pool = PgPool::connect(&database.url()).await.expect("the database");
        (database, store, pool)
    });
    let config =
        Config { cases: CASES, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    // The same stories each time.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let late = AtomicU64::new(0);
    let told = runner.run(&story(), |(batches, order)| {
        late.fetch_add(runtime.block_on(check(&database, (&store, &pool), &batches, &order)), Relaxed);
        Ok(())
    });
    if let Err(error) = told {
        panic!("{error}");
    }
    assert!(late.into_inner() > 0, "no story had a row that came too late");
    runtime.block_on(async { tokio::join!(store.close(), pool.close()) });
}
