//! Rows of `metric_samples`.

use super::seconds;
use sqlx::{PgPool, types::Json};
use streamgauge_core::measure::{counters::Counters, sample::Packed};

/// Writes a row, or writes it again: the same sample twice changes nothing. `run`: see the migration.
pub(super) async fn write(pool: &PgPool, sample: &Packed, run: i64) -> sqlx::Result<()> {
    let resolution = i32::try_from(sample.step).unwrap_or(0);
    let start = seconds(sample.start);
    sqlx::query!("SELECT metric_samples_partition($1, $2)", resolution, start).execute(pool).await?;
    let [delivery, connect, duration, publish_lag, staleness, poll_time, first_update, client_latency] =
        &sample.histograms;
    sqlx::query!(
        "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters,
                                     delivery, connect, duration, publish_lag, staleness, poll_time,
                                     first_update, client_latency)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (resolution, bucket_start, node, run) DO UPDATE
         SET counters = excluded.counters, delivery = excluded.delivery, connect = excluded.connect,
             duration = excluded.duration, publish_lag = excluded.publish_lag,
             staleness = excluded.staleness, poll_time = excluded.poll_time,
             first_update = excluded.first_update, client_latency = excluded.client_latency",
        sample.node,
        resolution,
        start,
        run,
        sample.counters.to_json(),
        delivery.as_deref(),
        connect.as_deref(),
        duration.as_deref(),
        publish_lag.as_deref(),
        staleness.as_deref(),
        poll_time.as_deref(),
        first_update.as_deref(),
        client_latency.as_deref(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

struct Row {
    node: String,
    start: i64,
    counters: Json<serde_json::Value>,
    delivery: Option<Vec<u8>>,
    connect: Option<Vec<u8>>,
    duration: Option<Vec<u8>>,
    publish_lag: Option<Vec<u8>>,
    staleness: Option<Vec<u8>>,
    poll_time: Option<Vec<u8>>,
    first_update: Option<Vec<u8>>,
    client_latency: Option<Vec<u8>>,
}

impl Row {
    fn packed(self, step: i64) -> Packed {
        let histograms = [
            self.delivery,
            self.connect,
            self.duration,
            self.publish_lag,
            self.staleness,
            self.poll_time,
            self.first_update,
            self.client_latency,
        ];
        let counters = Counters::from_json(&self.counters);
        Packed { node: self.node, start: self.start, step, counters, histograms }
    }
}

/// The rows of one tier that start in `[from, to)`, oldest first. `node`: of that node only. `coarser`: without those
/// that a row of this coarser tier covers.
pub(super) async fn read(
    pool: &PgPool,
    step: i64,
    from: i64,
    to: i64,
    node: Option<&str>,
    coarser: Option<i64>,
) -> sqlx::Result<Vec<Packed>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT node, extract(epoch FROM bucket_start)::bigint AS "start!", counters AS "counters: Json<serde_json::Value>",
                  delivery, connect, duration, publish_lag, staleness, poll_time, first_update, client_latency
           FROM metric_samples AS fine
           WHERE resolution = $1 AND bucket_start >= $2 AND bucket_start < $3 AND ($4::text IS NULL OR node = $4)
             AND NOT EXISTS (
                 SELECT FROM metric_samples AS coarse
                 WHERE coarse.resolution = $5 AND coarse.node = fine.node
                   AND coarse.bucket_start
                       = to_timestamp(floor(extract(epoch FROM fine.bucket_start) / greatest($5, 1)) * greatest($5, 1)))
           ORDER BY bucket_start"#,
        i32::try_from(step).unwrap_or(0),
        seconds(from),
        seconds(to),
        node,
        // No tier is 0 seconds long: nothing covers.
        i32::try_from(coarser.unwrap_or(0)).unwrap_or(0),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.packed(step)).collect())
}

/// 10 s rows of nodes other than `node` that start in `[from, to)`.
pub async fn of_others_since(pool: &PgPool, node: &str, from: i64, to: i64) -> sqlx::Result<Vec<Packed>> {
    let mut rows = read(pool, 10, from, to, None, None).await?;
    rows.retain(|row| row.node != node);
    Ok(rows)
}

/// 10 s rows of all nodes that start in `[from, to)`.
pub async fn recent(pool: &PgPool, from: i64, to: i64) -> sqlx::Result<Vec<Packed>> {
    read(pool, 10, from, to, None, None).await
}

/// End of the newest row of a tier of this node; `None` without one.
pub(super) async fn end_of_tier(pool: &PgPool, step: i64, node: &str) -> sqlx::Result<Option<i64>> {
    let newest = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM max(bucket_start))::bigint FROM metric_samples
           WHERE resolution = $1 AND node = $2"#,
        i32::try_from(step).unwrap_or(0),
        node,
    )
    .fetch_one(pool)
    .await?;
    Ok(newest.map(|start| start + step))
}

/// Start of the oldest row of a tier of this node at or after `from`.
pub(super) async fn first_from(pool: &PgPool, step: i64, node: &str, from: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM min(bucket_start))::bigint FROM metric_samples
           WHERE resolution = $1 AND node = $2 AND bucket_start >= $3"#,
        i32::try_from(step).unwrap_or(0),
        node,
        seconds(from),
    )
    .fetch_one(pool)
    .await
}
