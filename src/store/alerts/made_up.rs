//! Incidents of the demo's made-up past. They are marked, so that no live rule takes one for its own.

use super::{
    super::millis,
    judged::{self, Effect, Line, Step},
};
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::page::alerts::Outcome;

/// One incident from the fire to the resolve, and what people did.
pub struct MadeUpIncident {
    /// The first one opens it, and the last one resolves it.
    pub steps: Vec<Step>,
    pub peak: Option<f64>,
    pub person: &'static str,
    /// In the order of time; the first is the acknowledgement.
    pub said: Vec<Said>,
    pub outcome: Outcome,
}

/// What somebody did, for the timeline.
pub struct Said {
    /// Unix milliseconds.
    pub at: i64,
    /// A `TimelineKind` by name.
    pub kind: &'static str,
    pub text: String,
}

impl MadeUpIncident {
    pub fn rule(&self) -> Option<&str> {
        self.steps.first().map(|step| step.rule.as_str())
    }

    /// Unix milliseconds.
    pub fn opened_at(&self) -> Option<i64> {
        self.steps.first().map(|step| step.at)
    }
}

/// Writes them once, oldest first: numbers grow with time.
pub(super) async fn write(pool: &PgPool, incidents: &[MadeUpIncident]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    // Two at once would both find none.
    sqlx::query!("SELECT revision FROM alert_evaluator FOR UPDATE").fetch_one(&mut *transaction).await?;
    let there = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM incidents WHERE seeded) AS "there!""#);
    if there.fetch_one(&mut *transaction).await? {
        return Ok(());
    }
    for incident in incidents {
        write_one(&mut transaction, incident).await?;
    }
    sqlx::query!("UPDATE alert_evaluator SET revision = revision + 1").execute(&mut *transaction).await?;
    transaction.commit().await
}

async fn write_one(
    transaction: &mut Transaction<'_, Postgres>,
    incident: &MadeUpIncident,
) -> sqlx::Result<()> {
    let [first, .., last] = incident.steps.as_slice() else { return Ok(()) };
    let (Effect::Open(new), Effect::Resolve(how)) = (&first.effect, &last.effect) else { return Ok(()) };
    let id = judged::open(transaction, first, new).await?;
    let of_steps = incident.steps.iter().map(|step| Line {
        at: step.at,
        kind: step.kind,
        actor: "",
        text: &step.text,
        value: step.value,
    });
    let of_people = incident.said.iter().map(|said| Line {
        at: said.at,
        kind: said.kind,
        actor: incident.person,
        text: &said.text,
        value: None,
    });
    let mut lines: Vec<Line<'_>> = of_steps.chain(of_people).collect();
    lines.sort_by_key(|line| line.at);
    for line in lines {
        judged::tell(transaction, id, line).await?;
    }
    for step in &incident.steps {
        judged::change(transaction, step, Some(id)).await?;
    }
    if let Some(at) = new.pending_at {
        sqlx::query!(
            "INSERT INTO alert_transitions (rule, at, kind, reason) VALUES ($1, $2, 'pending', '')",
            first.rule,
            millis(at),
        )
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query!(
        "UPDATE incidents SET seeded = true, peak = $2, acknowledged_by = $3, acknowledged_at = $4, resolved_at = $5,
                              resolution = $6, outcome = $7 WHERE id = $1",
        id,
        incident.peak,
        incident.person,
        incident.said.first().map(|said| millis(said.at)),
        millis(last.at),
        how,
        incident.outcome.as_str(),
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
