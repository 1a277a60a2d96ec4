//! Health checks: alive, and ready for traffic.

use super::problem::Problem;
use crate::{broker::Health, node::Node, store};
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;

/// The process runs and answers; nothing more.
pub async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
pub struct Ready {
    broker: &'static str,
    /// A database that is away does not make a node unready: streams go on without it.
    database: &'static str,
}

/// New streams may come: fails while the node drains, and while its broker is away.
pub async fn readyz(State(node): State<Arc<Node>>) -> Result<Json<Ready>, Problem> {
    if node.streams.drain.borrow().is_some() {
        return Err(Problem::away("This node is shutting down."));
    }
    if let Health::Away { why, .. } = node.streams.broker.health() {
        return Err(Problem::away(format!("Redis is away: {why}.")));
    }
    let database = match node.store.health() {
        store::Health::Good => "good",
        store::Health::Starting => "starting",
        store::Health::Away { .. } => "away",
    };
    Ok(Json(Ready { broker: "good", database }))
}
