//! Silences and maintenance: what keeps rules quiet.

use super::{
    super::{extract::Asked, problem::Problem},
    failed,
    form::{Fields, Sent},
    label, page, shown_anew,
};
use crate::{
    alerting::{local, window},
    clock,
    node::Node,
    store::alerts::{NewMaintenance, NewSilence},
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use streamgauge_core::{
    access::Actor,
    alert::{file::number::Seconds, mute},
    page::alerts::{Maintenance, MaintenanceList, Silence, SilenceList},
};

const LONGEST_REASON: usize = 200;
/// A silence ends within so long, ms: nobody remembers a longer one, and it hides the next fault.
const WEEK: i64 = 604_800_000;
/// How far ahead maintenance is planned, ms.
const YEAR: i64 = 366 * 86_400_000;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    limit: Option<u32>,
    before: Option<i64>,
    /// `true`: only those that have not ended.
    active: Option<bool>,
}

/// A rule that exists, or `*`.
async fn rule(node: &Node, name: &str) -> Result<(), Problem> {
    shown_anew(node).await;
    if name == "*" || node.alerting.shown().book().find(name).is_some() {
        return Ok(());
    }
    Err(Problem::field("rule", "rule must be the name of a rule, or * for all."))
}

pub async fn silences(
    State(node): State<Arc<Node>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<SilenceList>, Problem> {
    let (before, most) = page(wanted.limit, wanted.before)?;
    let list = node.store.alerts().silences(wanted.active == Some(true), before, most).await;
    let mut list = list.map_err(|error| failed(&error))?;
    list.rows.iter_mut().for_each(|silence| mutes(&node, silence));
    Ok(Json(list))
}

/// Adds the rules that it keeps quiet now.
pub fn mutes(node: &Node, silence: &mut Silence) {
    silence.mutes = node.alerting.shown().muted_by_silence(silence.id);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceWish {
    rule: String,
    /// Unix milliseconds.
    ends_at: Option<i64>,
    #[serde(default)]
    until_resolved: bool,
    /// Of a form: Unix milliseconds, or `resolved`.
    until: Option<String>,
    reason: String,
}

impl Fields for SilenceWish {
    const NUMBERS: &'static [&'static str] = &["ends_at"];
}

impl SilenceWish {
    /// `None`: until the rule is resolved.
    fn end(&self, now: i64) -> Result<Option<i64>, Problem> {
        let bad = || {
            let detail =
                "ends_at must be Unix milliseconds, at most seven days from now; or send until_resolved.";
            Problem::field("ends_at", detail)
        };
        let ends_by_itself = self.until_resolved || self.until.as_deref() == Some("resolved");
        if ends_by_itself && self.rule == "*" {
            let detail = "until_resolved is for one rule; a silence of all rules needs an end.";
            return Err(Problem::field("until_resolved", detail));
        }
        let end = match (self.ends_at, self.until_resolved, self.until.as_deref()) {
            (None, true, None) | (None, false, Some("resolved")) => return Ok(None),
            (Some(end), false, None) => end,
            (None, false, Some(text)) => text.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        if end > now && end - now <= WEEK { Ok(Some(end)) } else { Err(bad()) }
    }
}

pub async fn silence(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    sent: Sent<SilenceWish>,
) -> Result<Response, Problem> {
    let (wish, back) = sent.split();
    let ends_at = wish.end(clock::now_ms())?;
    label("reason", &wish.reason, LONGEST_REASON)?;
    rule(&node, &wish.rule).await?;
    let new = NewSilence { rule: wish.rule, ends_at, reason: wish.reason };
    let added = node.store.alerts().silence(&new, &actor).await.map_err(|error| failed(&error))?;
    let mut silence = added.ok_or_else(|| {
        Problem::field("until_resolved", "Nothing fires that could be resolved: say when the silence ends.")
    })?;
    tracing::info!(%actor, id = silence.id, rule = silence.rule, "alerts were silenced");
    shown_anew(&node).await;
    mutes(&node, &mut silence);
    Ok(Sent::<()>::answer(back.as_deref(), (StatusCode::CREATED, Json(silence))))
}

/// An id that is not a number exists nowhere.
fn number(text: &str, what: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| none(what))
}

fn none(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("There is no such {what}, or it has ended."))
}

async fn ended(node: &Node, actor: &Actor, id: &str) -> Result<StatusCode, Problem> {
    let id = number(id, "silence")?;
    let ended = node.store.alerts().end_silence(id, actor).await.map_err(|error| failed(&error))?;
    if !ended {
        return Err(none("silence"));
    }
    shown_anew(node).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn end_silence(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    ended(&node, &actor, &id).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {}

impl Fields for End {}

/// The same for forms, which cannot send DELETE.
pub async fn end_silence_by_form(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<End>,
) -> Result<Response, Problem> {
    let (End {}, back) = sent.split();
    let done = ended(&node, &actor, &id).await?;
    Ok(Sent::<()>::answer(back.as_deref(), done))
}

pub async fn maintenance(
    State(node): State<Arc<Node>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<MaintenanceList>, Problem> {
    let (before, most) = page(wanted.limit, wanted.before)?;
    let list = node.store.alerts().maintenance(wanted.active == Some(true), before, most).await;
    let mut list = list.map_err(|error| failed(&error))?;
    let now = clock::now_ms();
    list.rows.iter_mut().for_each(|one| window(one, now));
    Ok(Json(list))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWish {
    rule: String,
    reason: String,
    /// Once: Unix milliseconds.
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    /// Of a form: `2026-11-29T14:00`, in `zone`.
    from: Option<String>,
    to: Option<String>,
    /// Again and again: five fields, how long (seconds, or `1h`), and a time zone.
    cron: Option<String>,
    duration: Option<Value>,
    zone: Option<String>,
}

impl Fields for MaintenanceWish {
    const NUMBERS: &'static [&'static str] = &["starts_at", "ends_at"];
}

fn refused((field, allowed): mute::Refused) -> Problem {
    Problem::field(field, format!("{field}: {allowed}."))
}

impl MaintenanceWish {
    fn check(self, now: i64) -> Result<NewMaintenance, Problem> {
        label("reason", &self.reason, LONGEST_REASON)?;
        let (rule, reason) = (self.rule, self.reason);
        let zone = self.zone.unwrap_or_else(|| "UTC".to_owned());
        if let Some(cron) = self.cron {
            if [self.starts_at, self.ends_at].iter().any(Option::is_some)
                || self.from.is_some()
                || self.to.is_some()
            {
                return Err(Problem::field(
                    "cron",
                    "Send either cron and duration, or starts_at and ends_at.",
                ));
            }
            let seconds = match &self.duration {
                Some(Value::Number(seconds)) => seconds.as_i64(),
                Some(Value::String(text)) => Seconds::parse(text).map(|seconds| i64::from(seconds.0)),
                _ => None,
            };
            let seconds = seconds.filter(|seconds| (60..=604_800).contains(seconds));
            let seconds = seconds.ok_or_else(|| {
                Problem::field("duration", "duration must be from 1 min to 7 days, in seconds or as 1h.")
            })?;
            mute::Schedule::new(&cron, seconds, &zone).map_err(refused)?;
            return Ok(NewMaintenance { rule, reason, once: None, recurring: Some((cron, seconds, zone)) });
        }
        let bad = || {
            let detail =
                "starts_at and ends_at must be Unix milliseconds, in this order, within a year from now.";
            Problem::field("starts_at", detail)
        };
        let moment = |at: Option<i64>, text: &Option<String>| match (at, text) {
            (Some(at), None) => Ok(at),
            (None, Some(text)) => local(text, &zone).map_err(refused),
            _ => Err(bad()),
        };
        let (from, to) = (moment(self.starts_at, &self.from)?, moment(self.ends_at, &self.to)?);
        if from >= to || to <= now || to - now > YEAR || now - from > YEAR {
            return Err(bad());
        }
        Ok(NewMaintenance { rule, reason, once: Some((from, to)), recurring: None })
    }
}

pub async fn add_maintenance(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    sent: Sent<MaintenanceWish>,
) -> Result<Response, Problem> {
    let (wish, back) = sent.split();
    let now = clock::now_ms();
    let new = wish.check(now)?;
    rule(&node, &new.rule).await?;
    let added = node.store.alerts().add_maintenance(&new, &actor).await;
    let mut added: Maintenance = added.map_err(|error| failed(&error))?;
    tracing::info!(%actor, id = added.id, rule = added.rule, "maintenance was planned");
    shown_anew(&node).await;
    window(&mut added, now);
    Ok(Sent::<()>::answer(back.as_deref(), (StatusCode::CREATED, Json(added))))
}

async fn over(node: &Node, actor: &Actor, id: &str) -> Result<StatusCode, Problem> {
    let id = number(id, "maintenance")?;
    let ended = node.store.alerts().end_maintenance(id, actor).await.map_err(|error| failed(&error))?;
    if !ended {
        return Err(none("maintenance"));
    }
    shown_anew(node).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn end_maintenance(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    over(&node, &actor, &id).await
}

/// The same for forms, which cannot send DELETE.
pub async fn end_maintenance_by_form(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<End>,
) -> Result<Response, Problem> {
    let (End {}, back) = sent.split();
    let done = over(&node, &actor, &id).await?;
    Ok(Sent::<()>::answer(back.as_deref(), done))
}
