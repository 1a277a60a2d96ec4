//! Rows of `silences` and `maintenance`.

use super::{
    super::audit,
    Store, change,
    judged::{Line, tell},
    millis,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, Change},
    },
    page::alerts::{Maintenance, MaintenanceList, Silence, SilenceList},
};

/// Checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSilence {
    /// A rule's name, or `*`.
    pub rule: String,
    /// Unix milliseconds. `None`: until the rule is resolved.
    pub ends_at: Option<i64>,
    pub reason: String,
}

/// Checked: once, or again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMaintenance {
    pub rule: String,
    pub reason: String,
    /// Unix milliseconds.
    pub once: Option<(i64, i64)>,
    /// A cron expression, seconds, a time zone.
    pub recurring: Option<(String, i64, String)>,
}

struct SilenceRow {
    id: i64,
    rule: String,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    until_resolved: bool,
    reason: String,
    author: String,
    ended_at: Option<DateTime<Utc>>,
}

impl From<SilenceRow> for Silence {
    fn from(row: SilenceRow) -> Silence {
        Silence {
            id: row.id,
            rule: row.rule,
            starts_at: row.starts_at.timestamp_millis(),
            ends_at: row.ends_at.map(|at| at.timestamp_millis()),
            until_resolved: row.until_resolved,
            reason: row.reason,
            author: row.author,
            ended_at: row.ended_at.map(|at| at.timestamp_millis()),
            mutes: Vec::new(),
        }
    }
}

pub(super) async fn silences(
    pool: &PgPool,
    active: bool,
    before: Option<i64>,
    most: u32,
) -> sqlx::Result<SilenceList> {
    let rows = sqlx::query_as!(
        SilenceRow,
        "SELECT id, rule, starts_at, ends_at, until_resolved, reason, author,
                CASE WHEN ends_at <= now() THEN coalesce(ended_at, ends_at) ELSE ended_at END AS ended_at
         FROM silences WHERE id < $1 AND (NOT $2 OR ended_at IS NULL AND (ends_at IS NULL OR ends_at > now()))
         ORDER BY id DESC LIMIT $3",
        before.unwrap_or(i64::MAX),
        active,
        i64::from(most) + 1,
    )
    .fetch_all(pool)
    .await?;
    let mut rows: Vec<Silence> = rows.into_iter().map(Silence::from).collect();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    Ok(SilenceList { next: rows.last().filter(|_| has_more).map(|row| row.id), rows })
}

pub(super) async fn silence(
    store: &Store,
    silence: &NewSilence,
    actor: &Actor,
) -> sqlx::Result<Option<Silence>> {
    let mut transaction = change(store, false).await?;
    let open = open(&mut transaction, &silence.rule).await?;
    if silence.ends_at.is_none() && open.is_empty() {
        return Ok(None);
    }
    let row = sqlx::query_as!(
        SilenceRow,
        // Never longer than a week, also where the clocks of this node and of PostgreSQL differ.
        "INSERT INTO silences (rule, starts_at, ends_at, until_resolved, reason, author)
         VALUES ($1, now(), CASE WHEN $3 THEN NULL ELSE least($2, now() + interval '7 days') END, $3, $4, $5)
         RETURNING id, rule, starts_at, ends_at, until_resolved, reason, author, ended_at",
        silence.rule,
        silence.ends_at.map(millis),
        silence.ends_at.is_none(),
        silence.reason,
        actor.name(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    let text = match row.ends_at {
        Some(at) => format!("Silenced until {} UTC: {}", at.format("%Y-%m-%d %H:%M"), row.reason),
        None => format!("Silenced until it is resolved: {}", row.reason),
    };
    for incident in open {
        let at = row.starts_at.timestamp_millis();
        let line = Line { at, kind: "silence", actor: actor.name(), text: &text, value: None };
        tell(&mut transaction, incident, line).await?;
    }
    let silence = Silence::from(row);
    let new = json!({ "rule": silence.rule, "ends_at": silence.ends_at, "reason": silence.reason });
    record(&mut transaction, actor, (Action::AddSilence, format!("silence/{}", silence.id)), None, Some(new))
        .await?;
    transaction.commit().await?;
    Ok(Some(silence))
}

async fn open(transaction: &mut Transaction<'_, Postgres>, rule: &str) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT id FROM incidents WHERE resolved_at IS NULL AND NOT seeded AND ($1 = '*' OR rule = $1)",
        rule
    )
    .fetch_all(&mut **transaction)
    .await
}

pub(super) async fn end_silence(store: &Store, id: i64, actor: &Actor) -> sqlx::Result<bool> {
    let mut transaction = change(store, false).await?;
    let ended = sqlx::query!(
        r#"UPDATE silences SET ended_at = now()
           WHERE id = $1 AND ended_at IS NULL AND (ends_at IS NULL OR ends_at > now())
           RETURNING rule, reason, ended_at AS "ended_at!""#,
        id
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(ended) = ended else { return Ok(false) };
    for incident in open(&mut transaction, &ended.rule).await? {
        let at = ended.ended_at.timestamp_millis();
        let text = "The silence was ended.";
        let line = Line { at, kind: "silence", actor: actor.name(), text, value: None };
        tell(&mut transaction, incident, line).await?;
    }
    let old = json!({ "rule": ended.rule, "reason": ended.reason });
    record(&mut transaction, actor, (Action::EndSilence, format!("silence/{id}")), Some(old), None).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn record(
    transaction: &mut Transaction<'_, Postgres>,
    actor: &Actor,
    (action, object): (Action, String),
    old: Option<serde_json::Value>,
    new: Option<serde_json::Value>,
) -> sqlx::Result<()> {
    audit::write(transaction, actor, &Change { action, object, old, new }).await
}

struct MaintenanceRow {
    id: i64,
    rule: String,
    reason: String,
    author: String,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    cron: Option<String>,
    duration: Option<i64>,
    zone: Option<String>,
}

impl From<MaintenanceRow> for Maintenance {
    /// Whether it is now, and when next, is not in the table.
    fn from(row: MaintenanceRow) -> Maintenance {
        Maintenance {
            id: row.id,
            rule: row.rule,
            reason: row.reason,
            author: row.author,
            starts_at: row.starts_at.map(|at| at.timestamp_millis()),
            ends_at: row.ends_at.map(|at| at.timestamp_millis()),
            cron: row.cron,
            duration: row.duration,
            zone: row.zone,
            active: false,
            next_from: None,
            next_to: None,
        }
    }
}

pub(super) async fn maintenance(
    pool: &PgPool,
    active: bool,
    before: Option<i64>,
    most: u32,
) -> sqlx::Result<MaintenanceList> {
    let rows = sqlx::query_as!(
        MaintenanceRow,
        "SELECT id, rule, reason, author, starts_at, ends_at, cron, duration, zone FROM maintenance
         WHERE id < $1 AND (NOT $2 OR ended_at IS NULL AND (ends_at IS NULL OR ends_at > now()))
         ORDER BY id DESC LIMIT $3",
        before.unwrap_or(i64::MAX),
        active,
        i64::from(most) + 1,
    )
    .fetch_all(pool)
    .await?;
    let mut rows: Vec<Maintenance> = rows.into_iter().map(Maintenance::from).collect();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    Ok(MaintenanceList { next: rows.last().filter(|_| has_more).map(|row| row.id), rows })
}

pub(super) async fn add_maintenance(
    store: &Store,
    maintenance: &NewMaintenance,
    actor: &Actor,
) -> sqlx::Result<Maintenance> {
    let mut transaction = change(store, false).await?;
    let (starts_at, ends_at) = maintenance.once.map_or((None, None), |(from, to)| (Some(from), Some(to)));
    let (cron, duration, zone) = match &maintenance.recurring {
        Some((cron, duration, zone)) => (Some(cron.as_str()), Some(*duration), Some(zone.as_str())),
        None => (None, None, None),
    };
    let row = sqlx::query_as!(
        MaintenanceRow,
        "INSERT INTO maintenance (rule, reason, author, starts_at, ends_at, cron, duration, zone)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id, rule, reason, author, starts_at, ends_at, cron, duration, zone",
        maintenance.rule,
        maintenance.reason,
        actor.name(),
        starts_at.map(millis),
        ends_at.map(millis),
        cron,
        duration,
        zone,
    )
    .fetch_one(&mut *transaction)
    .await?;
    let row = Maintenance::from(row);
    let new = json!({ "rule": row.rule, "reason": row.reason, "starts_at": row.starts_at, "ends_at": row.ends_at,
        "cron": row.cron, "duration": row.duration, "zone": row.zone });
    let object = format!("maintenance/{}", row.id);
    record(&mut transaction, actor, (Action::AddMaintenance, object), None, Some(new)).await?;
    transaction.commit().await?;
    Ok(row)
}

pub(super) async fn end_maintenance(store: &Store, id: i64, actor: &Actor) -> sqlx::Result<bool> {
    let mut transaction = change(store, false).await?;
    let ended = sqlx::query!(
        "UPDATE maintenance SET ended_at = now()
         WHERE id = $1 AND ended_at IS NULL AND (ends_at IS NULL OR ends_at > now()) RETURNING rule, reason",
        id
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(ended) = ended else { return Ok(false) };
    let old = json!({ "rule": ended.rule, "reason": ended.reason });
    let object = format!("maintenance/{id}");
    record(&mut transaction, actor, (Action::EndMaintenance, object), Some(old), None).await?;
    transaction.commit().await?;
    Ok(true)
}
