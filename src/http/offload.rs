//! Pages, figures and whatever else may take its time is worked out by the runtime around the workers, so that it holds
//! up no publisher and no follower. A worker itself does only what takes microseconds.

use crate::telemetry::carried;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::panic::resume_unwind;
use tokio::{runtime::Handle, task::JoinSet};

/// Ends with the connection that asked, as it would without.
pub async fn aside(State(runtime): State<Handle>, request: Request, next: Next) -> Response {
    let mut alone = JoinSet::new();
    alone.spawn_on(carried(next.run(request)), &runtime);
    match alone.join_next().await {
        Some(Ok(response)) => response,
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime is going down, and the connection with it.
        Some(Err(_)) | None => std::future::pending().await,
    }
}
