//! Which sessions have ended, after the broker has forgotten them. An id is never used twice, and late followers still learn
//! the outcome.
//!
//! Only sessions that the broker does not know are looked up here, so an event of a running session never waits for
//! PostgreSQL. If PostgreSQL does not answer in time, the session counts as new.

use super::{Health, sessions};
use crate::{clock, telemetry::database};
use sqlx::PgPool;
use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::session::{
    ids::SessionId,
    status::{State, StatusEvent},
};
use tokio::sync::Semaphore;

/// How many ended sessions this node remembers, also after PostgreSQL has them. Each takes 8 bytes.
const REMEMBERED: usize = 65_536;
/// Timeout of a lookup.
const PATIENCE: Duration = Duration::from_millis(250);
/// After a lookup timed out, there are no lookups for this long, ms.
const QUIET_MS: i64 = 1_000;
/// How often an outcome is looked up again: an end that this node saw is stored within a second or two.
const LOOKS: u32 = 12;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Lookups at the same time. The other connections stay free for everything else.
const AT_ONCE: usize = 2;

/// Cloning shares it.
#[derive(Clone)]
pub struct Endings(Arc<Inner>);

struct Inner {
    pool: PgPool,
    health: Arc<Mutex<Health>>,
    recent: Mutex<Recent>,
    hasher: RandomState,
    publishers: Line,
    /// A queue of their own, so that followers of invented sessions do not delay publishers.
    followers: Line,
}

/// The latest, by a keyed hash of their ids.
#[derive(Default)]
struct Recent {
    all: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    fn note(&mut self, session: u64) {
        if !self.all.insert(session) {
            return;
        }
        self.order.push_back(session);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}

/// Lookups under way.
struct Line {
    places: Semaphore,
    /// By the steady clock, ms.
    quiet_until: AtomicI64,
}

impl Line {
    fn new() -> Line {
        Line { places: Semaphore::new(AT_ONCE), quiet_until: AtomicI64::new(i64::MIN) }
    }

    /// `None`: the lookup timed out.
    async fn ask<T>(&self, question: impl Future<Output = sqlx::Result<T>>) -> Option<T> {
        if clock::steady_ms() < self.quiet_until.load(Relaxed) {
            return None;
        }
        let asked = async {
            let _place = self.places.acquire().await.ok()?;
            let answer = database("find an ended session", question).await;
            answer.inspect_err(|error| tracing::debug!(%error, "ended sessions could not be read")).ok()
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        if answer.is_err() {
            self.quiet_until.store(clock::steady_ms() + QUIET_MS, Relaxed);
        }
        answer.ok().flatten()
    }
}

impl Endings {
    pub(super) fn new(pool: PgPool, health: Arc<Mutex<Health>>) -> Endings {
        let (recent, hasher) = Default::default();
        let (publishers, followers) = (Line::new(), Line::new());
        Endings(Arc::new(Inner { pool, health, recent, hasher, publishers, followers }))
    }

    /// The session has ended just now.
    pub fn note(&self, session: &SessionId) {
        let hash = self.0.hasher.hash_one(session);
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner).note(hash);
    }

    /// Whether the session is known to have ended.
    pub async fn has(&self, session: &SessionId) -> bool {
        if session.is_probe() {
            return false;
        }
        self.is_recent(session) || self.among(std::slice::from_ref(session)).await.contains(session)
    }

    /// The sessions that are known to have ended, by one query.
    pub async fn among(&self, sessions: &[SessionId]) -> HashSet<SessionId> {
        let mut ended: HashSet<SessionId> =
            sessions.iter().filter(|one| self.is_recent(one)).cloned().collect();
        if self.is_reachable() && ended.len() < sessions.len() {
            ended.extend(
                self.0.publishers.ask(sessions::ended(&self.0.pool, sessions)).await.unwrap_or_default(),
            );
        }
        ended
    }

    /// The last event of a session that its publisher ended, for its followers.
    pub async fn outcome(&self, session: &SessionId) -> Option<StatusEvent> {
        if session.is_probe() || !self.is_reachable() {
            return None;
        }
        let mut looks = if self.is_recent(session) { LOOKS } else { 1 };
        loop {
            let event = self.0.followers.ask(sessions::find(&self.0.pool, session)).await.flatten().flatten();
            let ended = event.filter(|event| matches!(event.state, State::Completed | State::Failed));
            looks -= 1;
            if ended.is_some() || looks == 0 {
                return ended;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn is_recent(&self, session: &SessionId) -> bool {
        let hash = self.0.hasher.hash_one(session);
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner).all.contains(&hash)
    }

    fn is_reachable(&self) -> bool {
        *self.0.health.lock().unwrap_or_else(PoisonError::into_inner) == Health::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_endings_are_remembered_and_no_more() {
        let mut recent = Recent::default();
        (0..=REMEMBERED as u64).for_each(|session| recent.note(session));
        recent.note(5);
        assert_eq!((recent.all.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!recent.all.contains(&0) && recent.all.contains(&1));
    }

    #[tokio::test]
    async fn a_question_without_an_answer_holds_nobody_up_again() {
        let line = Line::new();
        let before = std::time::Instant::now();
        assert_eq!(line.ask(std::future::pending::<sqlx::Result<u8>>()).await, None);
        assert!(before.elapsed() >= PATIENCE);
        assert_eq!(line.ask(async { Ok(7) }).await, None, "not asked");
        assert_eq!(Line::new().ask(async { Ok(7) }).await, Some(7));
    }
}
