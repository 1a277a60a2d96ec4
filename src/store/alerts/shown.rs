//! What every node shows: states, changes of the last day, how people judged.

use super::{incidents, millis, seconds};
use serde_json::Value;
use sqlx::PgPool;
use streamgauge_core::page::alerts::Outcome;

/// A rule's stored state.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredState {
    pub rule: String,
    pub state: Value,
    pub newest: i64,
    pub view: Value,
}

/// A change of a rule's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub rule: String,
    /// Unix milliseconds.
    pub at: i64,
    pub kind: String,
    pub incident: Option<i64>,
}

/// Changes that are read: rules that flap must not fill the memory.
const CHANGES: i64 = 5_000;
/// How long they are kept, days.
const KEPT: i64 = 35;

pub(super) async fn states(pool: &PgPool) -> sqlx::Result<Vec<StoredState>> {
    sqlx::query_as!(StoredState, "SELECT rule, state, newest, view FROM alert_state").fetch_all(pool).await
}

pub(super) async fn changed_since(pool: &PgPool, from: i64) -> sqlx::Result<Vec<Changed>> {
    let rows = sqlx::query!(
        "SELECT rule, at, kind, incident FROM alert_transitions WHERE at >= $1 ORDER BY id DESC LIMIT $2",
        millis(from),
        CHANGES,
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().rev().map(|row| Changed {
        rule: row.rule,
        at: row.at.timestamp_millis(),
        kind: row.kind,
        incident: row.incident,
    });
    Ok(rows.collect())
}

/// Of the resolved incidents of the last days: what people said of each. More than that nobody judges by hand.
pub(super) async fn outcomes(pool: &PgPool, days: u32) -> sqlx::Result<Vec<Option<Outcome>>> {
    let rows = sqlx::query_scalar!(
        "SELECT outcome FROM incidents
         WHERE opened_at > now() - make_interval(days => $1) AND resolved_at IS NOT NULL ORDER BY id DESC LIMIT 10000",
        i32::try_from(days).unwrap_or(i32::MAX),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|outcome| outcome.as_deref().and_then(incidents::outcome)).collect())
}

pub(super) async fn retain(pool: &PgPool, now: i64) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM alert_transitions WHERE at < $1", seconds(now - KEPT * 86_400))
        .execute(pool)
        .await?;
    Ok(())
}
