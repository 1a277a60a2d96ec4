//! 10 s rows merged to minutes, hours and days: each node's, and all nodes' together. Done by the elected node alone, from
//! the marks that every write leaves; merging again gives the same rows. A node that hung may take itself for the elected
//! one beside the next: a lock lets one of them merge at a time.

use super::{
    Store, StoreError,
    samples::{self, Row, rows},
    seconds,
};
use futures::TryStreamExt;
use sqlx::{Connection, PgConnection, PgPool, types::Json};
use std::collections::BTreeMap;
use streamgauge_core::metric::measure::{
    history::all_nodes,
    sample::Sample,
    tiers::{Dropped, Due, TIERS, finer},
};

/// Buckets of one tier that are merged before anything else has its turn.
const BUCKETS: i64 = 240;
/// "Streamgauge merge": any number that nobody else locks in this database.
const LOCK: i64 = 0x5347_6d65_7267;

/// Due buckets of all tiers that touch `[from, to)`.
pub(super) async fn due(pool: &PgPool, from: i64, to: i64) -> sqlx::Result<Due> {
    let rows = sqlx::query!(
        r#"SELECT resolution, extract(epoch FROM bucket_start)::bigint AS "start!" FROM rollup_due
           WHERE bucket_start > $1 AND bucket_start < $2"#,
        // The longest bucket that begins before and reaches in.
        seconds(from - TIERS[3]),
        seconds(to),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (i64::from(row.resolution), row.start)).collect())
}

/// Coarser rows, and the end of old ones.
pub struct Rollups<'a>(&'a Store);

impl Store {
    pub fn rollups(&self) -> Rollups<'_> {
        Rollups(self)
    }
}

impl Rollups<'_> {
    /// Merges what is due and closed before `closed` (Unix seconds). Answers how many buckets that were.
    pub async fn merge(&self, closed: i64) -> Result<usize, StoreError> {
        self.0.try_anyway("merge samples", run(self.0.pool(), closed)).await
    }

    /// Drops the partitions that hold only rows older than their tier is kept, and no row that is still to be merged.
    /// Answers how many. `now`: Unix seconds.
    pub async fn retain(&self, now: i64, keep: &Keep) -> Result<i32, StoreError> {
        self.0.try_anyway("drop samples", retain(self.0.pool(), now, keep)).await
    }
}

/// Merges what is due and closed before `closed` (Unix seconds). Answers how many buckets that were.
pub async fn run(pool: &PgPool, closed: i64) -> sqlx::Result<usize> {
    let mut connection = pool.acquire().await?;
    let mut done = 0;
    for tier in TIERS {
        let Some(fine) = finer(tier) else { continue };
        let marked = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM bucket_start)::bigint AS "start!" FROM rollup_due
               WHERE resolution = $1 AND bucket_start <= $2 ORDER BY bucket_start LIMIT $3"#,
            i32::try_from(tier).unwrap_or(0),
            seconds(closed - tier),
            BUCKETS,
        )
        .fetch_all(&mut *connection)
        .await?;
        for start in marked {
            if !merge(&mut connection, fine, tier, start).await? {
                return Ok(done);
            }
            done += 1;
        }
    }
    Ok(done)
}

/// One bucket in one transaction. A mark that comes meanwhile stays, and the bucket is merged once more. `false`: another
/// node is merging.
async fn merge(connection: &mut PgConnection, fine: i64, tier: i64, start: i64) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    // A node that read older rows must neither write after this one nor clear a mark that is newer than what it read.
    let alone = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "alone!""#, LOCK);
    if !alone.fetch_one(&mut *transaction).await? {
        return Ok(false);
    }
    let marks = sqlx::query_scalar!(
        "SELECT marks FROM rollup_due WHERE resolution = $1 AND bucket_start = $2",
        i32::try_from(tier).unwrap_or(0),
        seconds(start),
    );
    let Some(marks) = marks.fetch_optional(&mut *transaction).await? else { return Ok(true) };
    if samples::is_whole(&mut transaction, fine, start).await? {
        for row in merged_rows(&mut transaction, fine, tier, start).await? {
            samples::write(&mut transaction, &row.pack(), 0).await?;
        }
    } else {
        // What was merged while all rows were there stays.
        tracing::warn!(tier, start, "rows that came after their time are left out");
    }
    sqlx::query!(
        "DELETE FROM rollup_due WHERE resolution = $1 AND bucket_start = $2 AND marks = $3",
        i32::try_from(tier).unwrap_or(0),
        seconds(start),
        marks,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// What the fine rows of a bucket come to, by node and region, and by region over all nodes.
async fn merged_rows(
    connection: &mut PgConnection,
    fine: i64,
    tier: i64,
    start: i64,
) -> sqlx::Result<Vec<Sample>> {
    let mut rows = rows!(
        "WHERE resolution = $1 AND bucket_start >= $2 AND bucket_start < $3",
        i32::try_from(fine).unwrap_or(0),
        seconds(start),
        seconds(start + tier),
    )
    .fetch(connection);
    let mut own: BTreeMap<(String, String), Sample> = BTreeMap::new();
    let mut of_all: BTreeMap<String, BTreeMap<i64, Vec<Sample>>> = BTreeMap::new();
    while let Some(row) = rows.try_next().await? {
        let sample = row.packed(fine).unpack();
        if fine == TIERS[0] {
            let (region, at) = (sample.region.clone(), sample.start);
            of_all.entry(region).or_default().entry(at).or_default().push(sample.clone());
        }
        let whose = (sample.node.clone(), sample.region.clone());
        let mine = own
            .entry(whose.clone())
            .or_insert_with(|| Sample { region: whose.1, ..Sample::new(whose.0, start, tier) });
        mine.merge(&sample);
    }
    let together = of_all.into_iter().map(|(region, buckets)| {
        let rows: Vec<Sample> = buckets.into_values().flatten().collect();
        Sample { region, ..all_nodes(start, tier, &rows) }
    });
    let together: Vec<Sample> = together.collect();
    Ok(own.into_values().chain(together).collect())
}

/// By tier, up to when its rows are gone.
pub(super) async fn dropped(pool: &PgPool) -> sqlx::Result<Dropped> {
    let rows = sqlx::query!(
        r#"SELECT resolution, extract(epoch FROM before)::bigint AS "before!" FROM metric_samples_dropped"#
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.resolution.into(), row.before)).collect())
}

/// For how long rows of each tier are kept, in days, in the order of [`TIERS`].
pub type Keep = [u32; 4];

/// Drops the partitions that hold nothing younger than their tier is kept, and nothing that is still to be merged. Answers
/// how many.
pub async fn retain(pool: &PgPool, now: i64, keep: &Keep) -> sqlx::Result<i32> {
    let mut dropped = 0;
    for (tier, days) in TIERS.into_iter().zip(keep) {
        let before = seconds(now - i64::from(*days) * 86_400);
        let count = sqlx::query_scalar!(
            r#"SELECT metric_samples_drop($1, $2) AS "dropped!""#,
            i32::try_from(tier).unwrap_or(0),
            before
        );
        dropped += count.fetch_one(pool).await?;
    }
    Ok(dropped)
}
