//! `Server-Timing`: where an answer's time went, for admins, who see it in their browser's developer tools. Nobody
//! else is told: how long something takes can say what is there.

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// µs that one answer waited for PostgreSQL.
#[derive(Clone, Default)]
struct Waited(Arc<AtomicU64>);

tokio::task_local! {
    static WAITED: Waited;
}

/// Adds the header to what is answered.
pub async fn timed(request: Request, next: Next) -> Response {
    let (waited, start) = (Waited::default(), Instant::now());
    let mut response = WAITED.scope(waited.clone(), next.run(request)).await;
    let total = start.elapsed().as_secs_f64() * 1e3;
    let database = waited.0.load(Relaxed) as f64 / 1e3;
    let said = format!("db;dur={database:.2}, total;dur={total:.2}");
    if let Ok(said) = HeaderValue::from_str(&said) {
        response.headers_mut().insert(SERVER_TIMING, said);
    }
    response
}

/// Counts the time that `work` takes as PostgreSQL's. Waits that overlap count each.
pub async fn database<T>(work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = work.await;
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let _ = WAITED.try_with(|waited| waited.0.fetch_add(micros, Relaxed));
    done
}

/// Leptos loads what a page shows in tasks of its own: they count for the answer that they are part of.
pub fn init_executor() {
    let _ = Executor::init_custom_executor(Spawner);
}

struct Spawner;

impl CustomExecutor for Spawner {
    fn spawn(&self, task: PinnedFuture<()>) {
        match WAITED.try_with(Waited::clone) {
            Ok(waited) => tokio::spawn(WAITED.scope(waited, task)),
            Err(_) => tokio::spawn(task),
        };
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task);
    }

    fn poll_local(&self) {}
}
