//! Rows of `metric_samples`.

use super::seconds;
use futures::{TryStreamExt, stream::BoxStream};
use sqlx::{PgConnection, PgPool, types::Json};
use streamgauge_core::metric::measure::{
    counters::Counters,
    packed::Packed,
    tiers::{Stretch, TIERS},
};

/// Whether all rows of a tier are there from `start` on, so that a bucket can be merged from them. Nothing is dropped until
/// the transaction ends.
pub(super) async fn is_whole(connection: &mut PgConnection, tier: i64, start: i64) -> sqlx::Result<bool> {
    let resolution = i32::try_from(tier).unwrap_or(0);
    let whole =
        sqlx::query_scalar!(r#"SELECT metric_samples_whole($1, $2) AS "whole!""#, resolution, seconds(start));
    whole.fetch_one(connection).await
}

/// Writes a row, or writes it again: the same sample twice changes nothing. `run`: see the migration. Its coarser bucket
/// is marked by a trigger.
pub(super) async fn write(connection: &mut PgConnection, sample: &Packed, run: i64) -> sqlx::Result<()> {
    let resolution = i32::try_from(sample.step).unwrap_or(0);
    let start = seconds(sample.start);
    sqlx::query!("SELECT metric_samples_partition($1, $2)", resolution, start)
        .execute(&mut *connection)
        .await?;
    let [
        delivery,
        connect,
        duration,
        publish_lag,
        staleness,
        poll_time,
        first_update,
        client_latency,
        probe_connect,
        probe_publish,
        probe_delivery,
    ] = sample.histograms();
    sqlx::query!(
        "INSERT INTO metric_samples (node, region, resolution, bucket_start, run, counters,
                                     delivery, connect, duration, publish_lag, staleness, poll_time,
                                     first_update, client_latency, probe_connect, probe_publish, probe_delivery)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (resolution, node, region, bucket_start, run) DO UPDATE
         SET counters = excluded.counters, delivery = excluded.delivery, connect = excluded.connect,
             duration = excluded.duration, publish_lag = excluded.publish_lag,
             staleness = excluded.staleness, poll_time = excluded.poll_time,
             first_update = excluded.first_update, client_latency = excluded.client_latency,
             probe_connect = excluded.probe_connect, probe_publish = excluded.probe_publish,
             probe_delivery = excluded.probe_delivery, stored_at = excluded.stored_at",
        sample.node,
        sample.region,
        resolution,
        start,
        run,
        sample.counters().to_json(),
        delivery,
        connect,
        duration,
        publish_lag,
        staleness,
        poll_time,
        first_update,
        client_latency,
        probe_connect,
        probe_publish,
        probe_delivery,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// As the queries here and in the roll-up read it.
pub(super) struct Row {
    pub(super) node: String,
    pub(super) region: String,
    pub(super) start: i64,
    pub(super) counters: Json<serde_json::Value>,
    pub(super) delivery: Option<Vec<u8>>,
    pub(super) connect: Option<Vec<u8>>,
    pub(super) duration: Option<Vec<u8>>,
    pub(super) publish_lag: Option<Vec<u8>>,
    pub(super) staleness: Option<Vec<u8>>,
    pub(super) poll_time: Option<Vec<u8>>,
    pub(super) first_update: Option<Vec<u8>>,
    pub(super) client_latency: Option<Vec<u8>>,
    pub(super) probe_connect: Option<Vec<u8>>,
    pub(super) probe_publish: Option<Vec<u8>>,
    pub(super) probe_delivery: Option<Vec<u8>>,
}

/// A query of whole rows, by what stands behind their columns.
macro_rules! rows {
    ($rest:literal, $($value:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT node, region, extract(epoch FROM bucket_start)::bigint AS "start!",
                      counters AS "counters: Json<serde_json::Value>",
                      delivery, connect, duration, publish_lag, staleness, poll_time, first_update, client_latency,
                      probe_connect, probe_publish, probe_delivery
               FROM metric_samples "# + $rest,
            $($value),*
        )
    };
}
pub(super) use rows;

impl Row {
    pub(super) fn packed(self, step: i64) -> Packed {
        let histograms = [
            self.delivery,
            self.connect,
            self.duration,
            self.publish_lag,
            self.staleness,
            self.poll_time,
            self.first_update,
            self.client_latency,
            self.probe_connect,
            self.probe_publish,
            self.probe_delivery,
        ];
        let counters = Counters::from_json(&self.counters);
        Packed::new(self.node, self.region, (self.start, step), &counters, histograms)
    }
}

/// One by one: a row's counters weigh ten times as much before they are read.
async fn packed(rows: BoxStream<'_, sqlx::Result<Row>>, step: i64) -> sqlx::Result<Vec<Packed>> {
    rows.map_ok(|row| row.packed(step)).try_collect().await
}

/// Whose rows a chart shows. The fields are empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Whose {
    pub node: String,
    pub region: String,
}

/// The rows of a stretch, oldest first. Of all nodes: their merged rows, and where those are not made yet each node's own.
pub(super) async fn read(pool: &PgPool, stretch: Stretch, whose: &Whose) -> sqlx::Result<Vec<Packed>> {
    let rows = if stretch.tier == TIERS[0] {
        rows!(
"WHERE resolution = 10 AND bucket_start >= $1 AND bucket_start < $2 AND region = $3 AND ($4 = '' OR node = $4) ORDER BY bucket_start",
            seconds(stretch.from),
            seconds(stretch.to),
            whose.region,
            whose.node,
        )
        .fetch(pool)
    } else {
        rows!(
"WHERE resolution = $1 AND node = $2 AND region = $3 AND bucket_start >= $4 AND bucket_start < $5 ORDER BY bucket_start",
            i32::try_from(stretch.tier).unwrap_or(0),
            whose.node,
            whose.region,
            seconds(stretch.from),
            seconds(stretch.to),
        )
        .fetch(pool)
    };
    packed(rows, stretch.tier).await
}

/// The rows by region of a stretch; of all nodes where `node` is empty.
pub(super) async fn read_regions(pool: &PgPool, stretch: Stretch, node: &str) -> sqlx::Result<Vec<Packed>> {
    let base = stretch.tier == TIERS[0];
    let rows = rows!(
"WHERE resolution = $1 AND bucket_start >= $2 AND bucket_start < $3 AND region <> '' AND (node = $4 OR ($4 = '' AND $5))",
        i32::try_from(stretch.tier).unwrap_or(0),
        seconds(stretch.from),
        seconds(stretch.to),
        node,
        base,
    )
    .fetch(pool);
    packed(rows, stretch.tier).await
}

/// 10 s rows of all nodes, about all followers, that start in `[from, to)`.
pub(super) async fn recent(pool: &PgPool, from: i64, to: i64) -> sqlx::Result<Vec<Packed>> {
    read(pool, Stretch { tier: TIERS[0], from, to }, &Whose::default()).await
}

/// Of the same those that other nodes stored within the last `seconds`, however long after their time.
pub(super) async fn of_others(
    pool: &PgPool,
    node: &str,
    (from, to): (i64, i64),
    seconds: f64,
) -> sqlx::Result<Vec<Packed>> {
    let rows = rows!(
"WHERE resolution = 10 AND bucket_start >= $1 AND bucket_start < $2 AND region = '' AND node <> $3 AND stored_at > now() - make_interval(secs => $4)",
        self::seconds(from),
        self::seconds(to),
        node,
        seconds,
    )
    .fetch(pool);
    packed(rows, TIERS[0]).await
}
