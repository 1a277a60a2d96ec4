//! The audit log: who changed what.

use super::{extract::Asked, problem::Problem};
use crate::{node::Node, store::StoreError};
use axum::{Json, extract::State};
use serde::Deserialize;
use std::sync::Arc;
use streamgauge_core::access::audit::AuditList;

/// Rows of an answer, unless fewer are asked for.
const LISTED: u32 = 100;

#[derive(Deserialize)]
pub struct Wanted {
    limit: Option<u32>,
    /// The id of a row: older ones are answered.
    before: Option<i64>,
}

/// Newest first.
pub async fn list(
    State(node): State<Arc<Node>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<AuditList>, Problem> {
    let most = wanted.limit.unwrap_or(LISTED);
    if !(1..=LISTED).contains(&most) {
        return Err(Problem::field("limit", format!("limit must be from 1 to {LISTED}.")));
    }
    if wanted.before.is_some_and(|before| before < 1) {
        return Err(Problem::field("before", "before must be the id of a row."));
    }
    node.store.audit().list(wanted.before, most).await.map(Json).map_err(|error| failed(&error))
}

fn failed(error: &StoreError) -> Problem {
    // That PostgreSQL is unreachable is in the log already.
    if !matches!(error, StoreError::NotTried) {
        tracing::warn!(%error, "could not read the audit log");
    }
    Problem::away("The audit log is in PostgreSQL, which cannot be reached. Try again later.")
}
