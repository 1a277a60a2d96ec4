//! What judging reads of the history: rows with the histograms that rules ask for, and no others, which are most of a row.

use super::{
    super::{StoreError, samples::Row},
    AlertRows, seconds,
};
use sqlx::{PgPool, types::Json};
use streamgauge_core::metric::measure::packed::Packed;

/// What rules need of each row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By name.
    pub histograms: Vec<String>,
    /// Rows by region, beside those of all followers.
    pub regions: bool,
    /// Of minutes, which are those of all nodes together otherwise: also those of these nodes.
    pub nodes: Vec<String>,
}

impl AlertRows<'_> {
    /// 10 s rows of each node that start in `[from, to)` (Unix seconds), oldest first.
    pub async fn samples(&self, (from, to): (i64, i64), wanted: &Wanted) -> Result<Vec<Packed>, StoreError> {
        self.0.ask("read samples for alerts", read(self.0.pool(), 10, (from, to), wanted)).await
    }

    /// Minute rows of all nodes together, and of those that are wanted by themselves.
    pub async fn minutes(&self, (from, to): (i64, i64), wanted: &Wanted) -> Result<Vec<Packed>, StoreError> {
        self.0.ask("read minutes for alerts", read(self.0.pool(), 60, (from, to), wanted)).await
    }
}

async fn read(
    pool: &PgPool,
    step: i32,
    (from, to): (i64, i64),
    wanted: &Wanted,
) -> sqlx::Result<Vec<Packed>> {
    // Coarse rows of single nodes are there too; the node '' has them merged. 10 s rows are of nodes only.
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT node, region, extract(epoch FROM bucket_start)::bigint AS "start!",
                  counters AS "counters: Json<serde_json::Value>",
                  coalesce((SELECT jsonb_object_agg(key, value)
                            FROM jsonb_each(metric_samples_histograms(metric_samples)) WHERE key = ANY ($4)),
                           '{}') AS "histograms!: Json<serde_json::Value>"
           FROM metric_samples
           WHERE resolution = $1 AND bucket_start >= $2 AND bucket_start < $3
             AND (resolution = 10 OR node = '' OR node = ANY ($6)) AND ($5 OR region = '')
           ORDER BY bucket_start"#,
        step,
        seconds(from),
        seconds(to),
        &wanted.histograms,
        wanted.regions,
        &wanted.nodes,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.packed(i64::from(step))).collect())
}
