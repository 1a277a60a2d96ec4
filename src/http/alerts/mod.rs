//! Alert rules, incidents, silences and maintenance. What changes something takes JSON, or a form of a page without
//! scripts, which is led back to the page.

pub mod incidents; // lists, one incident, what people do to it
pub mod quiet; // silences and maintenance
pub mod rules; // the view, edits, versions, backtests

mod form; // a body as JSON or as a form

use super::problem::Problem;
use crate::{clock, node::Node, store::StoreError};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamgauge_core::text::{is_label, is_prose};

/// Rows of a list, unless fewer are asked for.
const LISTED: u32 = 100;

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
pub struct Paged {
    limit: Option<u32>,
    /// The id of a row: older ones are answered.
    before: Option<i64>,
}

impl Paged {
    fn check(&self) -> Result<(Option<i64>, u32), Problem> {
        page(self.limit, self.before)
    }
}

fn page(limit: Option<u32>, before: Option<i64>) -> Result<(Option<i64>, u32), Problem> {
    let most = limit.unwrap_or(LISTED);
    if !(1..=LISTED).contains(&most) {
        return Err(Problem::field("limit", format!("limit must be from 1 to {LISTED}.")));
    }
    if before.is_some_and(|before| before < 1) {
        return Err(Problem::field("before", "before must be the id of a row."));
    }
    Ok((before, most))
}

#[derive(Serialize)]
struct Evaluated {
    /// The end of the last evaluation, Unix milliseconds.
    evaluated_at: Option<i64>,
    /// When the oldest notification that waits was due. Nothing is sent yet, so nothing waits.
    oldest_undelivered: Option<i64>,
}

/// Whether rules are evaluated, for a probe from outside: 503 once silence means nothing.
pub async fn health(State(node): State<Arc<Node>>) -> Response {
    let shown = node.alerting.shown();
    let status =
        if shown.is_stale(clock::now_ms()) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = Evaluated { evaluated_at: shown.alerts.evaluated_at, oldest_undelivered: None };
    (status, Json(body)).into_response()
}

fn failed(error: &StoreError) -> Problem {
    // That PostgreSQL is unreachable is in the log already.
    if !matches!(error, StoreError::NotTried) {
        tracing::warn!(%error, "could not read or write alerts");
    }
    Problem::away("Alerts are in PostgreSQL, which cannot be reached. Nothing was changed; try again.")
}

/// Reads the view anew after a change, so that the answer's reader finds it. A failure is no failure of the change.
async fn shown_anew(node: &Node) {
    if let Err(error) = node.alerting.refresh(&node.store, clock::now_ms()).await {
        tracing::debug!(%error, "the view of alerts could not be read after a change");
    }
}

/// 1 to `most` characters on one line.
fn label(field: &'static str, text: &str, most: usize) -> Result<(), Problem> {
    let detail = format!(
        "{field} must have 1 to {most} characters and no control or invisible formatting characters."
    );
    if is_label(text, most) && !text.trim().is_empty() { Ok(()) } else { Err(Problem::field(field, detail)) }
}

/// 1 to `most` characters, with line breaks.
fn prose(field: &'static str, text: &str, most: usize) -> Result<(), Problem> {
    let detail =
        format!("{field} must have 1 to {most} characters and no control characters but line breaks.");
    if is_prose(text, most) && !text.trim().is_empty() { Ok(()) } else { Err(Problem::field(field, detail)) }
}
