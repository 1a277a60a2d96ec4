//! Rows beyond their time, case by case.

use super::{
    counted::{Counted, Tiers, stored},
    drop_days, merge_all,
    story::{Batch, FROM, Row, TO},
    write,
};
use crate::support::Database;
use sqlx::{PgPool, Row as _};
use streamgauge::testing::Store;
use streamgauge_core::metric::measure::counters::Counter;

const DAY_GONE: [i64; 4] = [1, 0, 0, 0];
const NOON: i64 = FROM + 43_200;

async fn tables() -> (Database, Store, PgPool) {
    let database = Database::new().await;
    let store = Store::new(&database.url(), "maker", 1).expect("a store");
    store.migrate().await.expect("tables");
    let pool = PgPool::connect(&database.url()).await.expect("the database");
    (database, store, pool)
}

/// Ten seconds in which one event was published, each.
fn published(node: &'static str, at: impl IntoIterator<Item = i64>) -> Batch {
    let row = |at| {
        let mut counted = Counted::default();
        counted.add(Counter::Published.name(), 1);
        Row { region: "", at, counted }
    };
    Batch { node, run: 1, rows: at.into_iter().map(row).collect() }
}

/// What all nodes published, by each coarser tier.
fn of_all(tiers: &Tiers) -> Vec<(i32, u64)> {
    let rows = tiers.iter().filter(|((_, node, ..), _)| node.is_empty());
    rows.map(|((tier, ..), counted)| (*tier, counted.get(Counter::Published))).collect()
}

async fn count(pool: &PgPool, rows: &'static str) -> i64 {
    sqlx::query(rows).fetch_one(pool).await.expect("a count").get(0)
}

const FINEST: &str = "SELECT count(*) FROM metric_samples WHERE resolution = 10";
const DUE: &str = "SELECT count(*) FROM rollup_due";

#[tokio::test]
async fn a_row_that_comes_after_others_of_its_minute_were_dropped_is_counted_and_changes_nothing() {
    let (database, store, pool) = tables().await;
    assert_eq!(write(&database.url(), &published("a", (NOON..NOON + 60).step_by(10))).await, 0);
    merge_all(&store, TO).await;
    let merged = stored(&pool).await;
    assert_eq!(of_all(&merged), [(60, 6), (3_600, 6), (86_400, 6)]);
    assert_eq!(drop_days(&store, DAY_GONE).await, 1);

    // A node that was cut off; and one that did not hear that its row was stored.
    for node in ["b", "a"] {
        let late = write(&database.url(), &published(node, [NOON + 20])).await;
        merge_all(&store, TO).await;
        assert_eq!(stored(&pool).await, merged, "{node}");
        assert_eq!(late, 1, "{node}");
    }
    // The day after is all there.
    assert_eq!(write(&database.url(), &published("b", [NOON + 86_400])).await, 0);
}

#[tokio::test]
async fn rows_that_are_to_be_merged_wait_for_it_beyond_their_time() {
    let (database, store, pool) = tables().await;
    let days = [NOON, NOON + 86_400];
    write(&database.url(), &published("a", days)).await;
    assert_eq!(drop_days(&store, [2, 0, 0, 0]).await, 0, "nothing is merged yet");
    merge_all(&store, TO).await;
    assert_eq!(
        of_all(&stored(&pool).await),
        [(60, 1), (60, 1), (3_600, 1), (3_600, 1), (86_400, 1), (86_400, 1)]
    );

    // One late row is due: its day waits, and the day after too, so that rows are gone up to one moment.
    write(&database.url(), &published("b", [NOON + 10])).await;
    assert_eq!(drop_days(&store, [2, 0, 0, 0]).await, 0);
    merge_all(&store, TO).await;
    assert_eq!(of_all(&stored(&pool).await)[0], (60, 2));
    assert_eq!((count(&pool, FINEST).await, count(&pool, DUE).await), (3, 0));
    assert_eq!(drop_days(&store, [2, 0, 0, 0]).await, 2);
    assert_eq!(count(&pool, FINEST).await, 0);
}

#[tokio::test]
async fn nothing_goes_while_a_row_is_on_its_way() {
    let (database, store, pool) = tables().await;
    write(&database.url(), &published("a", [NOON])).await;
    merge_all(&store, TO).await;
    let mut writer = pool.begin().await.expect("a transaction");
    let whole = sqlx::query("SELECT metric_samples_whole(10, to_timestamp($1))").bind(NOON as f64);
    assert!(whole.fetch_one(&mut *writer).await.expect("an answer").get::<bool, _>(0));
    assert_eq!(drop_days(&store, DAY_GONE).await, 0);
    writer.commit().await.expect("written");
    assert_eq!(drop_days(&store, DAY_GONE).await, 1);
}

/// As a node of an earlier version does it, which does not ask.
#[tokio::test]
async fn a_bucket_is_never_merged_from_some_of_its_rows() {
    let (database, store, pool) = tables().await;
    write(&database.url(), &published("a", (NOON..NOON + 60).step_by(10))).await;
    merge_all(&store, TO).await;
    let merged = stored(&pool).await;
    drop_days(&store, DAY_GONE).await;
    for statement in [
        "SELECT metric_samples_partition(10, to_timestamp($1))",
        "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters)
         VALUES ('b', 10, to_timestamp($1), 1, '{\"published\": 1}')",
    ] {
        sqlx::query(statement).bind(NOON as f64).execute(&pool).await.expect("a row");
    }
    merge_all(&store, TO).await;
    assert_eq!(stored(&pool).await, merged);
    assert_eq!(count(&pool, DUE).await, 0);
    assert_eq!(drop_days(&store, DAY_GONE).await, 1, "its partition goes again");
}
