//! How long a request waits for PostgreSQL, for `Server-Timing`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long one answer waited for PostgreSQL.
#[derive(Clone, Default)]
pub struct Waited(Arc<Mutex<Waits>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(self) -> Wait {
        let mut waits = self.waits();
        waits.under_way += 1;
        waits.since.get_or_insert_with(Instant::now);
        drop(waits);
        Wait(self)
    }

    /// What the work at hand counts its waits in. `None`: nobody asks for them.
    pub fn current() -> Option<Waited> {
        WAITED.try_with(Waited::clone).ok()
    }

    /// Counts in it what `work` waits.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        WAITED.scope(self, work).await
    }

    /// Where waits overlap, their time counts once.
    pub fn until_now(&self) -> Duration {
        let waits = self.waits();
        waits.over + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// One wait, which is over when it is dropped.
pub(super) struct Wait(Waited);

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
