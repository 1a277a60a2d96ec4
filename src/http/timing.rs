//! `Server-Timing`: where an answer's time went, for admins, who see it in their browser's developer tools. Nobody
//! else is told: how long something takes can say what is there.

use crate::telemetry;
use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// How long one answer waited for PostgreSQL.
#[derive(Clone, Default)]
struct Waited(Arc<Mutex<Waits>>);

#[derive(Default)]
struct Waits {
    /// Those under way, and since when there is any.
    under_way: u32,
    since: Option<Instant>,
    over: Duration,
}

impl Waited {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        // Whole between any two statements.
        self.0.lock()
    }

    fn begin(self) -> Wait {
        let mut waits = self.waits();
        waits.under_way += 1;
        waits.since.get_or_insert_with(Instant::now);
        drop(waits);
        Wait(self)
    }

    fn until_now(&self) -> Duration {
        let waits = self.waits();
        waits.over + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// One wait, which is over when it is dropped.
struct Wait(Waited);

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = self.0.waits();
        waits.under_way -= 1;
        if waits.under_way == 0
            && let Some(since) = waits.since.take()
        {
            waits.over += since.elapsed();
        }
    }
}

tokio::task_local! {
    static WAITED: Waited;
}

/// Adds the header to what is answered.
pub async fn timed(request: Request, next: Next) -> Response {
    let (waited, start) = (Waited::default(), Instant::now());
    let mut response = WAITED.scope(waited.clone(), next.run(request)).await;
    let database = waited.until_now().as_secs_f64() * 1e3;
    let total = start.elapsed().as_secs_f64() * 1e3;
    let said = format!("db;dur={database:.2}, total;dur={total:.2}");
    if let Ok(said) = HeaderValue::from_str(&said) {
        response.headers_mut().insert(SERVER_TIMING, said);
    }
    response
}

/// Counts the time that `work` takes as PostgreSQL's. Where waits overlap, their time counts once. `name`: of its span.
pub async fn database<T>(name: &'static str, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let _wait = WAITED.try_with(Waited::clone).ok().map(Waited::begin);
    telemetry::database(name, work).await
}

/// Leptos loads what a page shows in tasks of its own: they count for the answer, and the trace, that they are part of.
pub fn init_executor() {
    let _ = Executor::init_custom_executor(Spawner);
}

struct Spawner;

impl CustomExecutor for Spawner {
    fn spawn(&self, task: PinnedFuture<()>) {
        let task = telemetry::carried(task);
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
