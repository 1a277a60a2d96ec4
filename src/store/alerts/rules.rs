//! Rows of `alert_rules` and `alert_rule_versions`.

use super::{super::audit, Store, change, judged};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, Change},
    },
    page::alerts::{RuleHistory, RuleVersion},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    pub name: String,
    /// 0: not stored yet.
    pub version: i64,
    /// One item of `alerts:`.
    pub yaml: String,
    pub enabled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Created(i64),
    /// The new version, or the old one where nothing differs.
    Changed(i64),
    /// Somebody else changed it: its version now, or `None` if it does not exist.
    Conflict(Option<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    Unknown,
    /// Somebody else changed it: its version now.
    Conflict(i64),
}

pub(super) async fn list(pool: &PgPool) -> sqlx::Result<Vec<StoredRule>> {
    sqlx::query_as!(StoredRule, "SELECT name, version, yaml, enabled FROM alert_rules ORDER BY place")
        .fetch_all(pool)
        .await
}

pub(super) async fn seed(pool: &PgPool, rules: &[(String, String, bool)]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let first =
        sqlx::query!("UPDATE alert_evaluator SET seeded = true, revision = revision + 1 WHERE NOT seeded")
            .execute(&mut *transaction)
            .await?;
    if first.rows_affected() == 0 {
        return Ok(());
    }
    for (name, yaml, enabled) in rules {
        sqlx::query!(
            "INSERT INTO alert_rules (name, version, yaml, enabled) VALUES ($1, 1, $2, $3) ON CONFLICT DO NOTHING",
            name,
            yaml,
            enabled,
        )
        .execute(&mut *transaction)
        .await?;
        note(&mut transaction, name, 1, "", (None, Some(yaml))).await?;
    }
    transaction.commit().await
}

/// The rule as it is stored. Nobody changes it until the transaction ends.
async fn find(transaction: &mut Transaction<'_, Postgres>, name: &str) -> sqlx::Result<Option<StoredRule>> {
    sqlx::query_as!(
        StoredRule,
        "SELECT name, version, yaml, enabled FROM alert_rules WHERE name = $1 FOR UPDATE",
        name
    )
    .fetch_optional(&mut **transaction)
    .await
}

async fn note(
    transaction: &mut Transaction<'_, Postgres>,
    name: &str,
    version: i64,
    actor: &str,
    (old, new): (Option<&str>, Option<&str>),
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO alert_rule_versions (rule, version, actor, old_yaml, new_yaml) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        name,
        version,
        actor,
        old,
        new,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// One more than any version that a rule of this name ever had.
async fn next_version(transaction: &mut Transaction<'_, Postgres>, name: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(max(version), 0) + 1 AS "next!" FROM alert_rule_versions WHERE rule = $1"#,
        name
    )
    .fetch_one(&mut **transaction)
    .await
}

pub(super) async fn put(
    store: &Store,
    rule: &StoredRule,
    expected: Option<i64>,
    actor: &Actor,
) -> sqlx::Result<Put> {
    let mut transaction = change(store, true).await?;
    let old = find(&mut transaction, &rule.name).await?;
    let version = old.as_ref().map(|old| old.version);
    if expected.is_some_and(|expected| expected != version.unwrap_or(0)) {
        return Ok(Put::Conflict(version));
    }
    if let Some(old) = old.as_ref().filter(|old| old.yaml == rule.yaml) {
        return Ok(Put::Changed(old.version));
    }
    let next = next_version(&mut transaction, &rule.name).await?;
    sqlx::query!(
        "INSERT INTO alert_rules (name, version, yaml, enabled) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE
         SET version = excluded.version, yaml = excluded.yaml, enabled = excluded.enabled",
        rule.name,
        next,
        rule.yaml,
        rule.enabled,
    )
    .execute(&mut *transaction)
    .await?;
    let before = old.as_ref().map(|old| old.yaml.as_str());
    note(&mut transaction, &rule.name, next, actor.name(), (before, Some(&rule.yaml))).await?;
    let action = if old.is_some() { Action::ChangeAlertRule } else { Action::AddAlertRule };
    let change = of_rule(action, &rule.name, before, Some(&rule.yaml));
    audit::write(&mut transaction, actor, &change).await?;
    tell_incident(&mut transaction, &rule.name, next, actor).await?;
    transaction.commit().await?;
    Ok(if old.is_some() { Put::Changed(next) } else { Put::Created(next) })
}

/// Says in the timeline of the rule's open incident that the rule was edited.
async fn tell_incident(
    transaction: &mut Transaction<'_, Postgres>,
    rule: &str,
    version: i64,
    actor: &Actor,
) -> sqlx::Result<()> {
    let open = sqlx::query!(
        "SELECT id, now() AS \"now!\" FROM incidents WHERE rule = $1 AND resolved_at IS NULL AND NOT seeded",
        rule
    );
    let Some(open) = open.fetch_optional(&mut **transaction).await? else { return Ok(()) };
    let text = format!("The rule was edited: version {version}.");
    let line = judged::Line {
        at: open.now.timestamp_millis(),
        kind: "rule",
        actor: actor.name(),
        text: &text,
        value: None,
    };
    judged::tell(transaction, open.id, line).await
}

pub(super) async fn delete(
    store: &Store,
    name: &str,
    expected: Option<i64>,
    actor: &Actor,
) -> sqlx::Result<Deleted> {
    let mut transaction = change(store, true).await?;
    let Some(old) = find(&mut transaction, name).await? else { return Ok(Deleted::Unknown) };
    if expected.is_some_and(|expected| expected != old.version) {
        return Ok(Deleted::Conflict(old.version));
    }
    let next = next_version(&mut transaction, name).await?;
    sqlx::query!("DELETE FROM alert_rules WHERE name = $1", name).execute(&mut *transaction).await?;
    note(&mut transaction, name, next, actor.name(), (Some(&old.yaml), None)).await?;
    let change = of_rule(Action::DeleteAlertRule, name, Some(&old.yaml), None);
    audit::write(&mut transaction, actor, &change).await?;
    transaction.commit().await?;
    Ok(Deleted::Done)
}

fn of_rule(action: Action, name: &str, old: Option<&str>, new: Option<&str>) -> Change {
    let yaml = |text: &str| json!({ "yaml": text });
    Change { action, object: format!("alert-rule/{name}"), old: old.map(yaml), new: new.map(yaml) }
}

pub(super) async fn history(
    pool: &PgPool,
    name: &str,
    before: Option<i64>,
    most: u32,
) -> sqlx::Result<RuleHistory> {
    struct Columns {
        version: i64,
        at: DateTime<Utc>,
        actor: String,
        old_yaml: Option<String>,
        new_yaml: Option<String>,
    }
    let rows = sqlx::query_as!(
        Columns,
        "SELECT version, at, actor, old_yaml, new_yaml FROM alert_rule_versions
         WHERE rule = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        name,
        before.unwrap_or(i64::MAX),
        i64::from(most) + 1,
    )
    .fetch_all(pool)
    .await?;
    let mut rows: Vec<RuleVersion> = rows
        .into_iter()
        .map(|row| RuleVersion {
            version: row.version,
            at: row.at.timestamp_millis(),
            actor: row.actor,
            old: row.old_yaml,
            new: row.new_yaml,
        })
        .collect();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    Ok(RuleHistory { next: rows.last().filter(|_| has_more).map(|row| row.version), rows })
}
