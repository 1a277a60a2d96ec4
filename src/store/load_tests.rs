//! Rows of `load_tests`.

use super::{Store, StoreError, audit, millis};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgPool, types::Json};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, Change},
    },
    load_test::{Kept, KeptList, Outcome, Row},
};

/// Runs that are kept: years of nightly ones, and a bound for what a loop could post.
const KEPT: i64 = 500;

/// Results of load tests.
pub struct LoadTests<'a>(&'a Store);

impl Store {
    pub fn load_tests(&self) -> LoadTests<'_> {
        LoadTests(self)
    }
}

impl LoadTests<'_> {
    /// Keeps a run and deletes those beyond the bound. Answers its id.
    pub async fn add(&self, row: &Row, outcome: &Outcome, actor: &Actor) -> Result<i64, StoreError> {
        self.0.ask("add load test", add(self.0.pool(), row, outcome, actor)).await
    }

    /// The newest runs, of one scenario if one is named.
    pub async fn list(&self, scenario: Option<&str>, most: i64) -> Result<KeptList, StoreError> {
        self.0.ask("list load tests", list(self.0.pool(), scenario, most)).await
    }

    /// One run with its document, and the run of the same load before it; interrupted runs do not count as one before.
    pub async fn find(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        self.0.ask("find load test", find(self.0.pool(), id)).await
    }
}

async fn add(pool: &PgPool, row: &Row, outcome: &Outcome, actor: &Actor) -> sqlx::Result<i64> {
    let mut transaction = pool.begin().await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO load_tests (scenario, options, title, started_at, node, server_version, time_scale, passed,
                                 interrupted, missed, unjudged, peak_streams, deliveries, delivery_p95_ms,
                                 delivery_p99_ms, connects, connect_p95_ms, lost, repeated,
                                 memory_mb_per_100_streams, cpu_peak_percent, document)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
         RETURNING id",
        row.scenario,
        row.options,
        row.title,
        millis(row.started_at),
        row.node,
        row.server_version,
        row.time_scale,
        row.passed,
        row.interrupted,
        signed(row.missed),
        signed(row.unjudged),
        i64::from(row.peak_streams),
        big(row.deliveries),
        row.delivery_p95_ms,
        row.delivery_p99_ms,
        big(row.connects),
        row.connect_p95_ms,
        big(row.lost),
        big(row.repeated),
        row.memory_mb_per_100_streams,
        row.cpu_peak_percent,
        Json(outcome) as Json<&Outcome>,
    )
    .fetch_one(&mut *transaction)
    .await?;
    let added = of_load_test(Action::AddLoadTest, id, None, Some(summary(&row.scenario, row.passed)));
    audit::write(&mut transaction, actor, &added).await?;
    let deleted = sqlx::query!(
        "DELETE FROM load_tests WHERE id <= (SELECT id FROM load_tests ORDER BY id DESC OFFSET $1 LIMIT 1)
         RETURNING id, scenario, passed",
        KEPT
    )
    .fetch_all(&mut *transaction)
    .await?;
    for old in deleted {
        let change =
            of_load_test(Action::DeleteLoadTest, old.id, Some(summary(&old.scenario, old.passed)), None);
        audit::write(&mut transaction, &Actor::server(), &change).await?;
    }
    transaction.commit().await?;
    Ok(id)
}

fn of_load_test(
    action: Action,
    id: i64,
    old: Option<serde_json::Value>,
    new: Option<serde_json::Value>,
) -> Change {
    Change { action, object: format!("load-test/{id}"), old, new }
}

/// Not the document, which has up to 512 kB.
fn summary(scenario: &str, passed: bool) -> serde_json::Value {
    json!({ "scenario": scenario, "passed": passed })
}

async fn list(pool: &PgPool, scenario: Option<&str>, most: i64) -> sqlx::Result<KeptList> {
    let rows = sqlx::query_as!(
        Columns,
        "SELECT id, scenario, options, title, started_at, node, server_version, time_scale, passed, interrupted, missed,
                unjudged, peak_streams, deliveries, delivery_p95_ms, delivery_p99_ms, connects, connect_p95_ms, lost,
                repeated, memory_mb_per_100_streams, cpu_peak_percent
         FROM load_tests WHERE $1::text IS NULL OR scenario = $1 ORDER BY id DESC LIMIT $2",
        scenario,
        most,
    )
    .fetch_all(pool)
    .await?;
    let kept = sqlx::query_scalar!(
        r#"SELECT count(*) AS "kept!" FROM load_tests WHERE $1::text IS NULL OR scenario = $1"#,
        scenario,
    )
    .fetch_one(pool)
    .await?;
    Ok(KeptList { rows: rows.into_iter().map(Row::from).collect(), kept: count(kept) })
}

async fn find(pool: &PgPool, id: i64) -> sqlx::Result<Option<Kept>> {
    let document = sqlx::query_scalar!(
        r#"SELECT document AS "document: Json<Outcome>" FROM load_tests WHERE id = $1"#,
        id
    );
    let Some(Json(outcome)) = document.fetch_optional(pool).await? else { return Ok(None) };
    let rows = sqlx::query_as!(
        Columns,
        "SELECT b.id, b.scenario, b.options, b.title, b.started_at, b.node, b.server_version, b.time_scale, b.passed,
                b.interrupted, b.missed, b.unjudged, b.peak_streams, b.deliveries, b.delivery_p95_ms, b.delivery_p99_ms,
                b.connects, b.connect_p95_ms, b.lost, b.repeated, b.memory_mb_per_100_streams, b.cpu_peak_percent
         FROM load_tests a JOIN load_tests b ON b.scenario = a.scenario AND b.options = a.options
         WHERE a.id = $1 AND (b.id = a.id OR b.id < a.id AND NOT b.interrupted)
         ORDER BY b.id DESC LIMIT 2",
        id,
    )
    .fetch_all(pool)
    .await?;
    let mut rows = rows.into_iter().map(Row::from);
    Ok(rows.next().map(|row| Kept { row, outcome, before: rows.next() }))
}

struct Columns {
    id: i64,
    scenario: String,
    options: String,
    title: String,
    started_at: DateTime<Utc>,
    node: String,
    server_version: String,
    time_scale: f64,
    passed: bool,
    interrupted: bool,
    missed: i32,
    unjudged: i32,
    peak_streams: i64,
    deliveries: i64,
    delivery_p95_ms: Option<f64>,
    delivery_p99_ms: Option<f64>,
    connects: i64,
    connect_p95_ms: Option<f64>,
    lost: i64,
    repeated: i64,
    memory_mb_per_100_streams: Option<f64>,
    cpu_peak_percent: Option<f64>,
}

impl From<Columns> for Row {
    fn from(row: Columns) -> Row {
        Row {
            id: row.id,
            scenario: row.scenario,
            options: row.options,
            title: row.title,
            started_at: row.started_at.timestamp_millis(),
            node: row.node,
            server_version: row.server_version,
            time_scale: row.time_scale,
            passed: row.passed,
            interrupted: row.interrupted,
            missed: row.missed.unsigned_abs(),
            unjudged: row.unjudged.unsigned_abs(),
            peak_streams: u32::try_from(row.peak_streams).unwrap_or(u32::MAX),
            deliveries: count(row.deliveries),
            delivery_p95_ms: row.delivery_p95_ms,
            delivery_p99_ms: row.delivery_p99_ms,
            connects: count(row.connects),
            connect_p95_ms: row.connect_p95_ms,
            lost: count(row.lost),
            repeated: count(row.repeated),
            memory_mb_per_100_streams: row.memory_mb_per_100_streams,
            cpu_peak_percent: row.cpu_peak_percent,
        }
    }
}

fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn big(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
