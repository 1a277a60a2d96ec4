//! Incidents: lists, one with its timeline, and what people do to it.

use super::{
    super::audit,
    Store, change,
    judged::{Line, end_silences, tell},
    millis,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, Change},
    },
    metric::notice::Severity,
    page::alerts::{Incident, IncidentList, IncidentState, Outcome, RuleState, TimelineEntry, TimelineKind},
};

/// Lines of a timeline that are read: a rule that flaps for a week must not fill a page.
const LINES: i64 = 1_000;
/// Notes and other lines that people add to one incident.
const MOST_LINES: i64 = 2_000;
/// Annotations from so long before it, seconds: a deploy is usually a few minutes older than what it broke.
const BEFORE: i64 = 600;

/// Which incidents a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub rule: Option<String>,
    /// `Some(true)`: those that are not resolved.
    pub open: Option<bool>,
    /// Acknowledged ones or not; of the open ones.
    pub acknowledged: Option<bool>,
    pub outcome: Option<Judged>,
    pub before: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    As(Outcome),
    /// Resolved, and judged by nobody yet.
    NotYet,
}

/// What became of a person's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acted {
    Done,
    Unknown,
    /// A sentence says why it cannot be.
    Conflict(&'static str),
}

/// An incident that is not resolved, as the evaluator and the badge need it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIncident {
    pub id: i64,
    pub rule: String,
    pub severity: Severity,
    pub title: String,
    pub acknowledged_by: Option<String>,
    pub peak: Option<f64>,
    /// `MutedBy` as it is stored.
    pub muted_by: Option<Value>,
}

pub(super) async fn open(pool: &PgPool) -> sqlx::Result<Vec<OpenIncident>> {
    let rows = sqlx::query!(
        "SELECT id, rule, severity, title, acknowledged_by, peak, muted_by FROM incidents
         WHERE resolved_at IS NULL AND NOT seeded ORDER BY id"
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| OpenIncident {
        id: row.id,
        rule: row.rule,
        severity: severity(&row.severity),
        title: row.title,
        acknowledged_by: row.acknowledged_by,
        peak: row.peak,
        muted_by: row.muted_by,
    });
    Ok(rows.collect())
}

fn severity(text: &str) -> Severity {
    match text {
        "critical" => Severity::Critical,
        "warning" => Severity::Warning,
        _ => Severity::Info,
    }
}

struct Columns {
    id: i64,
    rule: String,
    severity: String,
    metric: String,
    title: String,
    unit: String,
    threshold: Option<f64>,
    recover: Option<f64>,
    below: bool,
    node: Option<String>,
    region: Option<String>,
    pending_at: Option<DateTime<Utc>>,
    opened_at: DateTime<Utc>,
    acknowledged_by: Option<String>,
    acknowledged_at: Option<DateTime<Utc>>,
    remind_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    resolution: Option<String>,
    outcome: Option<String>,
    value: Option<f64>,
    peak: Option<f64>,
    reason: String,
    muted_by: Option<Value>,
    published: Option<String>,
    again: Option<i64>,
    seeded: bool,
    rule_state: Option<String>,
}

/// A query of incidents with the present state of their rules.
macro_rules! incidents {
    ($rest:literal, $($value:expr),* $(,)?) => {
        sqlx::query_as!(
            Columns,
            r#"SELECT id, i.rule, severity, metric, title, unit, threshold, recover, below, node, region, pending_at,
                      opened_at, acknowledged_by, acknowledged_at, remind_at, resolved_at, resolution, outcome, value,
                      peak, reason, muted_by, published, again, seeded, s.view->>'state' AS rule_state
               FROM incidents i LEFT JOIN alert_state s ON s.rule = i.rule "# + $rest,
            $($value),*
        )
    };
}

impl From<Columns> for Incident {
    fn from(row: Columns) -> Incident {
        let state = match (row.resolved_at, &row.acknowledged_by) {
            (Some(_), _) => IncidentState::Resolved,
            (None, Some(_)) => IncidentState::Acknowledged,
            (None, None) => IncidentState::Open,
        };
        let rule_state = match row.rule_state.as_deref().filter(|_| row.resolved_at.is_none()) {
            Some("recovering") => RuleState::Recovering,
            _ if row.resolved_at.is_none() => RuleState::Firing,
            _ => RuleState::Ok,
        };
        let ms = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_millis());
        Incident {
            id: row.id,
            rule: row.rule,
            severity: severity(&row.severity),
            metric: row.metric,
            title: row.title,
            unit: row.unit,
            threshold: row.threshold,
            recover: row.recover,
            below: row.below,
            state,
            rule_state,
            node: row.node,
            region: row.region,
            opened_at: row.opened_at.timestamp_millis(),
            pending_at: ms(row.pending_at),
            acknowledged_by: row.acknowledged_by,
            acknowledged_at: ms(row.acknowledged_at),
            remind_at: ms(row.remind_at),
            resolved_at: ms(row.resolved_at),
            resolution: row.resolution,
            outcome: row.outcome.as_deref().and_then(outcome),
            value: row.value,
            peak: row.peak,
            reason: row.reason,
            muted_by: row.muted_by.and_then(|by| serde_json::from_value(by).ok()),
            published: row.published,
            again: row.again,
            seeded: row.seeded,
            timeline: Vec::new(),
            deliveries: Vec::new(),
        }
    }
}

pub(super) fn outcome(text: &str) -> Option<Outcome> {
    [Outcome::Real, Outcome::False, Outcome::Expected, Outcome::Test]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
}

pub(super) async fn list(pool: &PgPool, filter: &Filter, most: u32) -> sqlx::Result<IncidentList> {
    let (not_yet, judged_as) = match filter.outcome {
        Some(Judged::NotYet) => (true, None),
        Some(Judged::As(outcome)) => (false, Some(outcome.as_str())),
        None => (false, None),
    };
    let rows = incidents!(
        "WHERE id < $1 AND ($2::text IS NULL OR i.rule = $2) AND ($3::boolean IS NULL OR (resolved_at IS NULL) = $3)
           AND ($4::boolean IS NULL OR resolved_at IS NULL AND (acknowledged_at IS NOT NULL) = $4)
           AND ($5::text IS NULL OR outcome = $5) AND (NOT $6 OR resolved_at IS NOT NULL AND outcome IS NULL)
         ORDER BY id DESC LIMIT $7",
        filter.before.unwrap_or(i64::MAX),
        filter.rule.as_deref(),
        filter.open,
        filter.acknowledged,
        judged_as,
        not_yet,
        i64::from(most) + 1,
    )
    .fetch_all(pool)
    .await?;
    let mut rows: Vec<Incident> = rows.into_iter().map(Incident::from).collect();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    Ok(IncidentList { next: rows.last().filter(|_| has_more).map(|row| row.id), rows })
}

pub(super) async fn find(pool: &PgPool, id: i64) -> sqlx::Result<Option<Incident>> {
    let Some(row) = incidents!("WHERE id = $1", id).fetch_optional(pool).await? else { return Ok(None) };
    let mut incident = Incident::from(row);
    let lines = sqlx::query!(
        "SELECT at, kind, actor, text, value FROM incident_timeline WHERE incident = $1 ORDER BY id LIMIT $2",
        id,
        LINES
    )
    .fetch_all(pool)
    .await?;
    incident.timeline = lines
        .into_iter()
        .filter_map(|row| {
            let kind = kind(&row.kind)?;
            let at = row.at.timestamp_millis();
            Some(TimelineEntry { at, kind, actor: row.actor, text: row.text, value: row.value })
        })
        .collect();
    let from = incident.pending_at.unwrap_or(incident.opened_at).min(incident.opened_at);
    let near = sqlx::query!(
        "SELECT at, kind, text, author FROM annotations
         WHERE at >= $1::timestamptz - make_interval(secs => $2) AND at <= coalesce($3, now())
         ORDER BY at LIMIT 200",
        millis(from),
        BEFORE as f64,
        incident.resolved_at.map(millis),
    )
    .fetch_all(pool)
    .await?;
    let near = near.into_iter().map(|row| TimelineEntry {
        at: row.at.timestamp_millis(),
        kind: match row.kind.as_str() {
            "deploy" => TimelineKind::Deploy,
            "restart" => TimelineKind::Restart,
            "change" => TimelineKind::Change,
            _ => TimelineKind::Note,
        },
        actor: row.author,
        text: row.text,
        value: None,
    });
    incident.timeline.extend(near);
    // Stable: what was written in the same moment stays in the order in which it was written.
    incident.timeline.sort_by_key(|line| line.at);
    Ok(Some(incident))
}

/// Names of later versions are left out.
fn kind(text: &str) -> Option<TimelineKind> {
    serde_json::from_value(Value::from(text)).ok()
}

pub(super) async fn rule_of(pool: &PgPool, id: i64) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT yaml FROM incidents WHERE id = $1", id).fetch_optional(pool).await
}

pub(super) async fn spans(
    pool: &PgPool,
    rule: &str,
    from: i64,
    to: i64,
) -> sqlx::Result<Vec<(i64, i64, Option<i64>, Option<Outcome>)>> {
    let rows = sqlx::query!(
        "SELECT id, opened_at, resolved_at, outcome FROM incidents
         WHERE rule = $1 AND opened_at < $3 AND coalesce(resolved_at, now()) >= $2 ORDER BY id LIMIT 1000",
        rule,
        millis(from),
        millis(to),
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let resolved = row.resolved_at.map(|at| at.timestamp_millis());
        (row.id, row.opened_at.timestamp_millis(), resolved, row.outcome.as_deref().and_then(outcome))
    });
    Ok(rows.collect())
}

/// What a change of an incident must know of it.
struct Present {
    rule: String,
    is_open: bool,
    acknowledged_by: Option<String>,
    outcome: Option<String>,
    published: Option<String>,
    lines: i64,
    seeded: bool,
    now: DateTime<Utc>,
}

async fn present(transaction: &mut Transaction<'_, Postgres>, id: i64) -> sqlx::Result<Option<Present>> {
    sqlx::query_as!(
        Present,
        r#"SELECT i.rule, resolved_at IS NULL AS "is_open!", acknowledged_by, outcome, published, seeded,
                  (SELECT count(*) FROM incident_timeline WHERE incident = i.id) AS "lines!", now() AS "now!"
           FROM incidents i WHERE id = $1 FOR UPDATE"#,
        id
    )
    .fetch_optional(&mut **transaction)
    .await
}

/// A line of the timeline that a person caused, and the row of the audit log.
struct Told<'a> {
    kind: &'a str,
    text: &'a str,
    action: Action,
    old: Option<Value>,
    new: Option<Value>,
}

async fn told(
    mut transaction: Transaction<'_, Postgres>,
    (id, present): (i64, &Present),
    told: Told<'_>,
    actor: &Actor,
) -> sqlx::Result<Acted> {
    if present.lines >= MOST_LINES {
        return Ok(Acted::Conflict("The incident's timeline is full."));
    }
    let at = present.now.timestamp_millis();
    let line = Line { at, kind: told.kind, actor: actor.name(), text: told.text, value: None };
    tell(&mut transaction, id, line).await?;
    let (object, old, new) = (format!("incident/{id}"), told.old, told.new);
    audit::write(&mut transaction, actor, &Change { action: told.action, object, old, new }).await?;
    transaction.commit().await?;
    Ok(Acted::Done)
}

const RESOLVED: &str = "The incident is resolved.";

pub(super) async fn acknowledge(
    store: &Store,
    id: i64,
    note: Option<&str>,
    remind_after: Option<i64>,
    actor: &Actor,
) -> sqlx::Result<Acted> {
    let mut transaction = change(store, false).await?;
    let Some(present) = present(&mut transaction, id).await? else { return Ok(Acted::Unknown) };
    if !present.is_open {
        return Ok(Acted::Conflict(RESOLVED));
    }
    sqlx::query!(
        "UPDATE incidents
         SET acknowledged_by = $2, acknowledged_at = now(), remind_at = now() + make_interval(secs => $3)
         WHERE id = $1",
        id,
        actor.name(),
        remind_after.map(|seconds| seconds as f64),
    )
    .execute(&mut *transaction)
    .await?;
    let text = match (note, remind_after) {
        (Some(note), _) => note.to_owned(),
        (None, Some(seconds)) => format!("Acknowledged, with a reminder after {} min.", seconds / 60),
        (None, None) => "Acknowledged.".to_owned(),
    };
    let told_now = Told {
        kind: "acknowledged",
        text: &text,
        action: Action::AcknowledgeIncident,
        old: present.acknowledged_by.as_ref().map(|by| json!({ "acknowledged_by": by })),
        new: Some(json!({ "acknowledged_by": actor.name(), "remind_after": remind_after, "note": note })),
    };
    told(transaction, (id, &present), told_now, actor).await
}

pub(super) async fn note(store: &Store, id: i64, text: &str, actor: &Actor) -> sqlx::Result<Acted> {
    let mut transaction = change(store, false).await?;
    let Some(present) = present(&mut transaction, id).await? else { return Ok(Acted::Unknown) };
    let new = Some(json!({ "text": text }));
    let told_now = Told { kind: "note", text, action: Action::NoteIncident, old: None, new };
    told(transaction, (id, &present), told_now, actor).await
}

/// Incidents that were opened since `from` (Unix ms) and that people judged: rule, when it fired, and whether it counts as a
/// fault.
pub(super) async fn faults(pool: &PgPool, from: i64) -> sqlx::Result<Vec<(String, i64, bool)>> {
    let rows = sqlx::query!(
        "SELECT rule, opened_at, outcome IN ('false', 'expected') AS \"is_none!\" FROM incidents
         WHERE opened_at >= $1 AND outcome IS NOT NULL AND NOT seeded ORDER BY id",
        millis(from)
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.rule, row.opened_at.timestamp_millis(), !row.is_none)).collect())
}

/// The evaluator reads it anew: whether errors come in bursts is measured without the minutes of a fault.
pub(super) async fn judge(store: &Store, id: i64, outcome: Outcome, actor: &Actor) -> sqlx::Result<Acted> {
    let mut transaction = change(store, true).await?;
    let Some(present) = present(&mut transaction, id).await? else { return Ok(Acted::Unknown) };
    if present.outcome.as_deref() == Some(Outcome::Test.as_str()) {
        return Ok(Acted::Conflict("The incident is a test of a channel."));
    }
    sqlx::query!("UPDATE incidents SET outcome = $2 WHERE id = $1", id, outcome.as_str())
        .execute(&mut *transaction)
        .await?;
    let text = match outcome {
        Outcome::Real => "Judged to be real.",
        Outcome::False => "Judged to be a false alarm.",
        Outcome::Expected => "Judged to be expected.",
        Outcome::Test => "A test.",
    };
    let told_now = Told {
        kind: "outcome",
        text,
        action: Action::JudgeIncident,
        old: present.outcome.as_ref().map(|outcome| json!({ "outcome": outcome })),
        new: Some(json!({ "outcome": outcome })),
    };
    told(transaction, (id, &present), told_now, actor).await
}

/// The rule begins anew with the stored history: where it still breaches, the next judgement opens a new incident, which
/// names this one. A rule that is blind for good, because its node or its traffic is gone, is closed in this way.
pub(super) async fn resolve(store: &Store, id: i64, actor: &Actor) -> sqlx::Result<Acted> {
    let mut transaction = change(store, true).await?;
    let Some(present) = present(&mut transaction, id).await? else { return Ok(Acted::Unknown) };
    if !present.is_open {
        return Ok(Acted::Conflict(RESOLVED));
    }
    sqlx::query!(
        "UPDATE incidents SET resolved_at = greatest(now(), opened_at), remind_at = NULL, resolution = $2 WHERE id = $1",
        id,
        format!("by hand, by {}", actor.name()),
    )
    .execute(&mut *transaction)
    .await?;
    if !present.seeded {
        sqlx::query!("DELETE FROM alert_state WHERE rule = $1", present.rule)
            .execute(&mut *transaction)
            .await?;
        sqlx::query!(
            "INSERT INTO alert_transitions (rule, at, kind, incident, reason) VALUES ($1, now(), 'resolved', $2, $3)",
            present.rule,
            id,
            "by hand",
        )
        .execute(&mut *transaction)
        .await?;
        end_silences(&mut transaction, &present.rule).await?;
    }
    let told_now = Told {
        kind: "resolved",
        text: "Resolved by hand.",
        action: Action::ResolveIncident,
        old: None,
        new: Some(json!({ "resolution": "by hand" })),
    };
    told(transaction, (id, &present), told_now, actor).await
}

pub(super) async fn publish(store: &Store, id: i64, text: &str, actor: &Actor) -> sqlx::Result<Acted> {
    let mut transaction = change(store, false).await?;
    let Some(present) = present(&mut transaction, id).await? else { return Ok(Acted::Unknown) };
    let published = Some(text).filter(|text| !text.is_empty());
    sqlx::query!("UPDATE incidents SET published = $2 WHERE id = $1", id, published)
        .execute(&mut *transaction)
        .await?;
    let told_now = Told {
        kind: "published",
        text: published.unwrap_or("Taken off the status page."),
        action: Action::PublishIncident,
        old: present.published.as_ref().map(|text| json!({ "text": text })),
        new: published.map(|text| json!({ "text": text })),
    };
    told(transaction, (id, &present), told_now, actor).await
}
