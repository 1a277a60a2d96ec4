//! Incidents: lists, one of them, what people do to it.

use super::{
    super::{extract::Asked, problem::Problem},
    failed,
    form::{Fields, Sent},
    page, prose, shown_anew,
};
use crate::{
    alerting::words::markdown,
    node::Node,
    store::{
        StoreError,
        alerts::{Acted, Filter, JudgedAs},
    },
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use std::sync::Arc;
use streamgauge_core::{
    access::Actor,
    page::alerts::{Incident, IncidentList, Outcome},
    text::is_label,
};

/// Of a note, and of an acknowledgement's.
const LONGEST_NOTE: usize = 2_000;
/// A reminder's time, seconds: from a minute to a week.
const REMIND: std::ops::RangeInclusive<i64> = 60..=604_800;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    limit: Option<u32>,
    before: Option<i64>,
    rule: Option<String>,
    /// open, acknowledged or resolved.
    state: Option<String>,
    /// real, false, expected, test or none.
    outcome: Option<String>,
}

impl Wanted {
    fn filter(self) -> Result<(Filter, u32), Problem> {
        let (before, most) = page(self.limit, self.before)?;
        if self.rule.as_deref().is_some_and(|rule| !is_label(rule, 64)) {
            return Err(Problem::field("rule", "rule must be the name of a rule."));
        }
        let (open, acknowledged) = match self.state.as_deref() {
            None => (None, None),
            Some("open") => (Some(true), Some(false)),
            Some("acknowledged") => (Some(true), Some(true)),
            Some("resolved") => (Some(false), None),
            Some(_) => {
                return Err(Problem::field("state", "state must be open, acknowledged or resolved."));
            }
        };
        let outcome = match self.outcome.as_deref() {
            None => None,
            Some("none") => Some(JudgedAs::NotYet),
            Some(text) => Some(JudgedAs::As(outcome(text).ok_or_else(|| {
                Problem::field("outcome", "outcome must be real, false, expected, test or none.")
            })?)),
        };
        Ok((Filter { rule: self.rule, open, acknowledged, outcome, before }, most))
    }
}

fn outcome(text: &str) -> Option<Outcome> {
    [Outcome::Real, Outcome::False, Outcome::Expected, Outcome::Test]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
}

pub async fn list(
    State(node): State<Arc<Node>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<IncidentList>, Problem> {
    let (filter, most) = wanted.filter()?;
    node.store.alerts().incidents(&filter, most).await.map(Json).map_err(|error| failed(&error))
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no such incident.")
}

/// An id that is not a number exists nowhere.
fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| unknown())
}

/// With its timeline: as JSON, or as Markdown where the address ends with `.md` or the request accepts nothing else.
pub async fn one(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, as_markdown) = match id.strip_suffix(".md") {
        Some(id) => (number(id)?, true),
        None => (number(&id)?, accept.contains("text/markdown")),
    };
    let found = node.store.alerts().incident(id).await.map_err(|error| failed(&error))?;
    let incident: Incident = found.ok_or_else(unknown)?;
    // Markdown or JSON by what the request accepts.
    let vary = [(header::VARY, "accept")];
    if !as_markdown {
        return Ok((vary, Json(incident)).into_response());
    }
    let mut response = (vary, markdown(&incident)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"incident-{id}.md\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The incident as it is after a change, or the way back to the page.
async fn changed(
    node: &Node,
    id: i64,
    done: Result<Acted, StoreError>,
    back: Option<String>,
) -> Result<Response, Problem> {
    match done.map_err(|error| failed(&error))? {
        Acted::Unknown => return Err(unknown()),
        Acted::Conflict(why) => return Err(Problem::new(StatusCode::CONFLICT, why)),
        Acted::Done => shown_anew(node).await,
    }
    if back.is_some() {
        return Ok(Sent::<()>::answer(back.as_deref(), ()));
    }
    let found = node.store.alerts().incident(id).await.map_err(|error| failed(&error))?;
    Ok(Json(found.ok_or_else(unknown)?).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    note: Option<String>,
    /// Seconds.
    remind_after: Option<i64>,
}

impl Fields for Acknowledgement {
    const NUMBERS: &'static [&'static str] = &["remind_after"];
}

pub async fn acknowledge(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<Acknowledgement>,
) -> Result<Response, Problem> {
    let (Acknowledgement { note, remind_after }, back) = sent.split();
    let id = number(&id)?;
    if let Some(note) = &note {
        prose("note", note, LONGEST_NOTE)?;
    }
    if remind_after.is_some_and(|after| !REMIND.contains(&after)) {
        return Err(Problem::field("remind_after", "remind_after must be from 60 to 604800 seconds."));
    }
    let done = node.store.alerts().acknowledge(id, note.as_deref(), remind_after, &actor).await;
    changed(&node, id, done, back).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    text: String,
}

impl Fields for Text {}

pub async fn note(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<Text>,
) -> Result<Response, Problem> {
    let (Text { text }, back) = sent.split();
    let id = number(&id)?;
    prose("text", &text, LONGEST_NOTE)?;
    let done = node.store.alerts().note(id, &text, &actor).await;
    changed(&node, id, done, back).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    outcome: String,
}

impl Fields for Judgement {}

pub async fn judge(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<Judgement>,
) -> Result<Response, Problem> {
    let (Judgement { outcome: wanted }, back) = sent.split();
    let id = number(&id)?;
    let given = outcome(&wanted).filter(|outcome| *outcome != Outcome::Test);
    let given = given.ok_or_else(|| Problem::field("outcome", "outcome must be real, false or expected."))?;
    let done = node.store.alerts().judge_incident(id, given, &actor).await;
    changed(&node, id, done, back).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Fields for Nothing {}

pub async fn resolve(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    let (Nothing {}, back) = sent.split();
    let id = number(&id)?;
    let done = node.store.alerts().resolve(id, &actor).await;
    changed(&node, id, done, back).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Nothing takes the incident off the status page.
    #[serde(default)]
    text: String,
}

impl Fields for Publication {}

pub async fn publish(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Sent<Publication>,
) -> Result<Response, Problem> {
    let (Publication { text }, back) = sent.split();
    let id = number(&id)?;
    if !text.is_empty() {
        prose("text", &text, 1_000)?;
    }
    let done = node.store.alerts().publish(id, &text, &actor).await;
    changed(&node, id, done, back).await
}
