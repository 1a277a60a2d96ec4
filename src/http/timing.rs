//! `Server-Timing`: where an answer's time went, for admins, who see it in their browser's developer tools. Nobody
//! else is told: how long something takes can say what is there.

use crate::telemetry::{self, Waited};
use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use std::time::Instant;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Adds the header to what is answered.
pub async fn timed(request: Request, next: Next) -> Response {
    let (waited, start) = (Waited::default(), Instant::now());
    let mut response = waited.clone().scope(next.run(request)).await;
    let database = waited.until_now().as_secs_f64() * 1e3;
    let total = start.elapsed().as_secs_f64() * 1e3;
    let said = format!("db;dur={database:.2}, total;dur={total:.2}");
    if let Ok(said) = HeaderValue::from_str(&said) {
        response.headers_mut().insert(SERVER_TIMING, said);
    }
    response
}

/// Leptos loads what a page shows in tasks of its own: they count for the answer, and the trace, that they are part of.
pub fn init_executor() {
    let _ = Executor::init_custom_executor(Spawner);
}

struct Spawner;

impl CustomExecutor for Spawner {
    fn spawn(&self, task: PinnedFuture<()>) {
        let task = telemetry::carried(task);
        match Waited::current() {
            Some(waited) => tokio::spawn(waited.scope(task)),
            None => tokio::spawn(task),
        };
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task);
    }

    fn poll_local(&self) {}
}
