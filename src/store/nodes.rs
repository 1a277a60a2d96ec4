//! Rows of `nodes`.

use super::seconds;
use sqlx::{PgConnection, PgPool};

/// Notes that a node measured until `until` (Unix seconds). `run`: start of its process, Unix milliseconds.
pub(super) async fn seen(
    connection: &mut PgConnection,
    name: &str,
    run: i64,
    until: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO nodes AS known (name, version, run, first_seen, last_seen) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (name) DO UPDATE
         SET version = excluded.version, run = excluded.run, last_seen = greatest(known.last_seen, excluded.last_seen)",
        name,
        env!("CARGO_PKG_VERSION"),
        run,
        seconds(until),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nodes that may have measured in `[from, to)`, by name.
pub(super) async fn between(pool: &PgPool, from: i64, to: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT name FROM nodes WHERE last_seen > $1 AND first_seen < $2 ORDER BY name",
        seconds(from),
        seconds(to + 60),
    )
    .fetch_all(pool)
    .await
}
