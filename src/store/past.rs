//! The demo's made-up past: written by the same functions as what is measured, but a day at a time.

use super::{SessionNote, Store, StoreError, Traces, samples, seconds, sessions, traces};
use sqlx::{Connection, PgPool};
use streamgauge_core::metric::measure::{packed::Packed, tiers::TIERS};

/// Rows in one statement.
const ROWS: usize = 1_000;

/// How far the past is written, Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Everything before was made up.
    pub until: i64,
    pub from: i64,
}

/// A day of it.
pub struct Day {
    pub written: Written,
    pub samples: Vec<Packed>,
    pub sessions: Vec<SessionNote>,
    pub traces: Traces,
}

/// Rows of a made-up past.
pub struct Past<'a>(&'a Store);

impl Store {
    pub fn past(&self) -> Past<'_> {
        Past(self)
    }
}

impl Past<'_> {
    /// `None`: nothing of it is written.
    pub async fn written(&self) -> Result<Option<Written>, StoreError> {
        self.0.try_anyway("read the demo's past", written(self.0.pool())).await
    }

    /// Writes a day and how far that is, all or nothing. `node`: who is said to have measured it.
    pub async fn write(&self, node: &str, day: &Day) -> Result<(), StoreError> {
        self.0.try_anyway("write the demo's past", write(self.0.pool(), node, day)).await
    }

    /// Notes up to when each tier has no rows, as retention does (Unix seconds, in the order of the tiers).
    pub async fn leaves_out(&self, before: [i64; 3]) -> Result<(), StoreError> {
        self.0.try_anyway("note the demo's past", leaves_out(self.0.pool(), before)).await
    }
}

async fn written(pool: &PgPool) -> sqlx::Result<Option<Written>> {
    let row = sqlx::query!(
        r#"SELECT extract(epoch FROM until)::bigint AS "until!", extract(epoch FROM written_from)::bigint AS "from!"
           FROM demo_past"#
    );
    Ok(row.fetch_optional(pool).await?.map(|row| Written { until: row.until, from: row.from }))
}

async fn write(pool: &PgPool, node: &str, day: &Day) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    // A demo may lose its past in a power cut: it is made up again.
    sqlx::query!("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
    // Its coarse rows come with the fine ones: no trigger marks them as due. Only a private PostgreSQL lets us.
    sqlx::query!("SET LOCAL session_replication_role = replica").execute(&mut *transaction).await?;
    for rows in day.samples.chunks(ROWS) {
        samples::write_many(&mut transaction, rows).await?;
    }
    for notes in day.sessions.chunks(ROWS) {
        sessions::write(&mut transaction, notes).await?;
    }
    traces::write(&mut transaction, node, &day.traces).await?;
    sqlx::query!(
        "INSERT INTO demo_past (until, written_from) VALUES ($1, $2)
         ON CONFLICT (one) DO UPDATE SET written_from = excluded.written_from",
        seconds(day.written.until),
        seconds(day.written.from),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

async fn leaves_out(pool: &PgPool, before: [i64; 3]) -> sqlx::Result<()> {
    for (tier, before) in TIERS.into_iter().zip(before) {
        sqlx::query!(
            "INSERT INTO metric_samples_dropped AS noted (resolution, before) VALUES ($1, $2)
             ON CONFLICT (resolution) DO UPDATE SET before = greatest(noted.before, excluded.before)",
            i32::try_from(tier).unwrap_or(0),
            seconds(before),
        )
        .execute(pool)
        .await?;
    }
    Ok(())
}
