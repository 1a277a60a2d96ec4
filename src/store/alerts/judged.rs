//! What an evaluation decided, stored in one transaction: states, changes of states, incidents, timelines.

use super::{fence, fence::Fence, millis};
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::{metric::notice::Severity, page::alerts::MutedBy};

/// Everything that one turn of the evaluator decided.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The end of the newest bucket, Unix milliseconds.
    pub at: i64,
    pub states: Vec<StateRow>,
    /// In the order in which they happened.
    pub steps: Vec<Step>,
    /// Rules whose open incident has a new furthest value.
    pub peaks: Vec<(String, f64)>,
}

#[derive(Clone, Debug)]
pub struct StateRow {
    pub rule: String,
    pub state: Value,
    pub newest: i64,
    pub view: Value,
}

/// One thing that happened to a rule.
#[derive(Clone, Debug)]
pub struct Step {
    pub rule: String,
    /// Unix milliseconds.
    pub at: i64,
    /// A `TimelineKind` by name, or `calm`, `muted`, `unmuted`.
    pub kind: &'static str,
    pub value: Option<f64>,
    /// The counts, as the rule gives them.
    pub reason: String,
    /// For the incident's timeline.
    pub text: String,
    pub effect: Effect,
}

/// What a step does to the rule's incident.
#[derive(Clone, Debug)]
pub enum Effect {
    /// It has none.
    Nothing,
    /// A line of the open incident's timeline, if there is one.
    Tell,
    Open(Box<NewIncident>),
    /// How it ended, in words.
    Resolve(String),
    /// Why it sends nothing from now on. `None`: it sends again.
    Mute(Option<MutedBy>),
}

/// As the rule was when it fired.
#[derive(Clone, Debug)]
pub struct NewIncident {
    pub severity: Severity,
    pub metric: String,
    pub title: String,
    pub unit: String,
    pub threshold: Option<f64>,
    pub recover: Option<f64>,
    pub below: bool,
    pub node: Option<String>,
    pub region: Option<String>,
    pub yaml: String,
    /// Unix milliseconds.
    pub pending_at: Option<i64>,
    pub muted_by: Option<MutedBy>,
}

pub(super) async fn write(pool: &PgPool, fence: Fence, turn: &Turn) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    if !fence::holds(&mut transaction, fence).await? {
        return Ok(false);
    }
    write_states(&mut transaction, fence, &turn.states).await?;
    for step in &turn.steps {
        write_step(&mut transaction, step).await?;
    }
    for (rule, peak) in &turn.peaks {
        sqlx::query!(
            "UPDATE incidents SET peak = $2 WHERE rule = $1 AND resolved_at IS NULL AND NOT seeded",
            rule,
            peak
        )
        .execute(&mut *transaction)
        .await?;
    }
    // A silence that ran out says so, at the moment that it said before.
    sqlx::query!("UPDATE silences SET ended_at = ends_at WHERE ended_at IS NULL AND ends_at <= now()")
        .execute(&mut *transaction)
        .await?;
    sqlx::query!("UPDATE maintenance SET ended_at = ends_at WHERE ended_at IS NULL AND ends_at <= now()")
        .execute(&mut *transaction)
        .await?;
    sqlx::query!("UPDATE alert_evaluator SET evaluated_at = $1, turn = turn + 1", millis(turn.at))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

async fn write_states(
    transaction: &mut Transaction<'_, Postgres>,
    fence: Fence,
    states: &[StateRow],
) -> sqlx::Result<()> {
    let rules: Vec<String> = states.iter().map(|row| row.rule.clone()).collect();
    let newest: Vec<i64> = states.iter().map(|row| row.newest).collect();
    let (state, view): (Vec<Value>, Vec<Value>) =
        states.iter().map(|row| (row.state.clone(), row.view.clone())).unzip();
    sqlx::query!(
        "INSERT INTO alert_state (rule, state, newest, fence, view)
         SELECT rule, state, newest, $5, view
         FROM unnest($1::text[], $2::jsonb[], $3::bigint[], $4::jsonb[]) AS row (rule, state, newest, view)
         ON CONFLICT (rule) DO UPDATE
         SET state = excluded.state, newest = excluded.newest, fence = excluded.fence, view = excluded.view",
        &rules,
        &state,
        &newest,
        &view,
        fence.epoch,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn write_step(transaction: &mut Transaction<'_, Postgres>, step: &Step) -> sqlx::Result<()> {
    let present = sqlx::query_scalar!(
        "SELECT id FROM incidents WHERE rule = $1 AND resolved_at IS NULL AND NOT seeded",
        step.rule
    );
    let incident = match (present.fetch_optional(&mut **transaction).await?, &step.effect) {
        // A rule whose state was lost may fire while its incident is open: it goes on.
        (None, Effect::Open(new)) => Some(open(transaction, step, new).await?),
        (present, _) => present,
    };
    change(transaction, step, incident).await?;
    let Some(incident) = incident else { return Ok(()) };
    match &step.effect {
        Effect::Nothing => return Ok(()),
        Effect::Tell | Effect::Open(_) => {}
        Effect::Resolve(how) => resolved(transaction, incident, step, how).await?,
        Effect::Mute(by) => {
            let by = by.as_ref().and_then(|by| serde_json::to_value(by).ok());
            sqlx::query!("UPDATE incidents SET muted_by = $2 WHERE id = $1", incident, by)
                .execute(&mut **transaction)
                .await?;
        }
    }
    let kind = if let Effect::Mute(by) = &step.effect { kind_of_mute(by.as_ref()) } else { step.kind };
    tell(transaction, incident, Line { at: step.at, kind, actor: "", text: &step.text, value: step.value })
        .await
}

fn kind_of_mute(by: Option<&MutedBy>) -> &'static str {
    if matches!(by, Some(MutedBy::Maintenance { .. })) { "maintenance" } else { "silence" }
}

/// A line of a timeline.
pub(super) struct Line<'a> {
    /// Unix milliseconds.
    pub at: i64,
    pub kind: &'a str,
    pub actor: &'a str,
    pub text: &'a str,
    pub value: Option<f64>,
}

pub(super) async fn tell(
    transaction: &mut Transaction<'_, Postgres>,
    incident: i64,
    line: Line<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_timeline (incident, at, kind, actor, text, value) VALUES ($1, $2, $3, $4, $5, $6)",
        incident,
        millis(line.at),
        line.kind,
        line.actor,
        line.text,
        line.value,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Keeps a change of a rule's state, for spans.
pub(super) async fn change(
    transaction: &mut Transaction<'_, Postgres>,
    step: &Step,
    incident: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO alert_transitions (rule, at, kind, incident, value, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        step.rule,
        millis(step.at),
        step.kind,
        incident,
        step.value,
        step.reason,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Opens the incident of a step. One of the same rule that ended less than an hour before is its forerunner.
pub(super) async fn open(
    transaction: &mut Transaction<'_, Postgres>,
    step: &Step,
    new: &NewIncident,
) -> sqlx::Result<i64> {
    let muted_by = new.muted_by.as_ref().and_then(|by| serde_json::to_value(by).ok());
    let id = sqlx::query_scalar!(
        "INSERT INTO incidents (rule, severity, metric, title, unit, threshold, recover, below, node, region, yaml,
                                pending_at, opened_at, value, peak, reason, muted_by, again)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16,
                 (SELECT id FROM incidents
                  WHERE rule = $1 AND NOT seeded AND resolved_at > $13::timestamptz - interval '1 hour'
                  ORDER BY id DESC LIMIT 1))
         RETURNING id",
        step.rule,
        severity(new.severity),
        new.metric,
        new.title,
        new.unit,
        new.threshold,
        new.recover,
        new.below,
        new.node,
        new.region,
        new.yaml,
        new.pending_at.map(millis),
        millis(step.at),
        step.value,
        step.reason,
        muted_by,
    )
    .fetch_one(&mut **transaction)
    .await?;
    if let Some(at) = new.pending_at {
        let text = "The breach became evident.";
        tell(transaction, id, Line { at, kind: "pending", actor: "", text, value: None }).await?;
    }
    Ok(id)
}

/// Closes an incident, and silences that were to last so long.
async fn resolved(
    transaction: &mut Transaction<'_, Postgres>,
    incident: i64,
    step: &Step,
    how: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        // A clock that was set back must not end an incident before it began.
        "UPDATE incidents SET resolved_at = greatest($2, opened_at), resolution = $3, remind_at = NULL WHERE id = $1",
        incident,
        millis(step.at),
        how,
    )
    .execute(&mut **transaction)
    .await?;
    end_silences(transaction, &step.rule).await
}

/// Ends silences that last until the rule is resolved. One of all rules ends with the last open incident.
pub(super) async fn end_silences(
    transaction: &mut Transaction<'_, Postgres>,
    rule: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE silences SET ended_at = now()
         WHERE ended_at IS NULL AND until_resolved
           AND (rule = $1 OR rule = '*' AND NOT EXISTS (SELECT FROM incidents WHERE resolved_at IS NULL AND NOT seeded))",
        rule
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) async fn forget_others(pool: &PgPool, fence: Fence, names: &[String]) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    if !fence::holds(&mut transaction, fence).await? {
        return Ok(false);
    }
    let gone = sqlx::query!(
        "UPDATE incidents SET resolved_at = greatest(now(), opened_at), remind_at = NULL,
                              resolution = 'the rule was deleted or disabled'
         WHERE resolved_at IS NULL AND NOT seeded AND rule <> ALL ($1) RETURNING id, rule, resolved_at",
        names
    )
    .fetch_all(&mut *transaction)
    .await?;
    for row in gone {
        let at = row.resolved_at.map_or(0, |at| at.timestamp_millis());
        let text = "Resolved, because the rule was deleted or disabled.";
        tell(&mut transaction, row.id, Line { at, kind: "resolved", actor: "", text, value: None }).await?;
        sqlx::query!(
            "INSERT INTO alert_transitions (rule, at, kind, incident, reason) VALUES ($1, $2, 'resolved', $3, $4)",
            row.rule,
            millis(at),
            row.id,
            text
        )
        .execute(&mut *transaction)
        .await?;
        end_silences(&mut transaction, &row.rule).await?;
    }
    sqlx::query!("DELETE FROM alert_state WHERE rule <> ALL ($1)", names).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
