//! Results that the load tool posts, and the list of those that are kept.

use super::{body, extract::Asked, problem::Problem};
use crate::{backend::LISTED_LOAD_TESTS as LISTED, node::Node, store::StoreError};
use axum::{
    Extension, Json,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamgauge_core::{
    access::Actor,
    load_test::{self, BadOutcome, Kept, KeptList, Outcome, Row},
    text::{is_label, said::plainly},
};

#[derive(Serialize)]
struct Added {
    id: i64,
    /// The run's own page.
    url: String,
}

pub async fn add(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::whole(body::json(request)?, load_test::LONGEST).await?;
    let outcome = Outcome::parse(&body)?;
    let row = Row::of(&outcome, &node.settings.node, env!("CARGO_PKG_VERSION"));
    let added = node.store.load_tests().add(&row, &outcome, &actor).await;
    let id = added.map_err(|error| failed(&error))?;
    tracing::info!(%actor, id, scenario = row.scenario, passed = row.passed, "the result of a load test was kept");
    let url = format!("/load-tests/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, url.clone())], Json(Added { id, url })).into_response())
}

#[derive(Deserialize)]
pub struct Wanted {
    scenario: Option<String>,
    limit: Option<i64>,
}

pub async fn list(
    State(node): State<Arc<Node>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<KeptList>, Problem> {
    let limit = wanted.limit.unwrap_or(LISTED);
    if !(1..=LISTED).contains(&limit) {
        return Err(Problem::field("limit", format!("limit must be from 1 to {LISTED}.")));
    }
    let scenario = wanted.scenario.as_deref();
    if scenario.is_some_and(|name| !is_label(name, 64)) {
        let detail =
            "scenario must have 1 to 64 characters and no control or invisible formatting characters.";
        return Err(Problem::field("scenario", detail));
    }
    let list = node.store.load_tests().list(scenario, limit).await;
    list.map(Json).map_err(|error| failed(&error))
}

/// One run with its document, and the run of the same load before it.
pub async fn one(
    State(node): State<Arc<Node>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Kept>, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "No such run is kept.");
    // What is no number is no run.
    let Path(id) = id.map_err(|_| unknown())?;
    let found = node.store.load_tests().find(id).await.map_err(|error| failed(&error))?;
    found.map(Json).ok_or_else(unknown)
}

fn away() -> Problem {
    Problem::away("Load tests are in PostgreSQL, which cannot be reached. Nothing was kept; try again.")
}

fn failed(error: &StoreError) -> Problem {
    // That PostgreSQL is unreachable is in the log already.
    if !matches!(error, StoreError::NotTried) {
        tracing::warn!(%error, "could not read or write load tests");
    }
    away()
}

impl From<BadOutcome> for Problem {
    fn from(error: BadOutcome) -> Problem {
        let detail = plainly(&error);
        match error {
            BadOutcome::Syntax(_) => Problem::new(StatusCode::BAD_REQUEST, detail),
            BadOutcome::Field { field, .. } => Problem::field(field, detail),
        }
    }
}
