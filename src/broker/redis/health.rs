//! The state of Redis as this node sees it: commands, subscriptions, memory.

use crate::{broker::Health, clock};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Redis counts as having memory again when it takes an event and has refused none for this long: at the limit it takes one
/// and refuses the next, many times a second.
const SETTLED: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
pub enum Part {
    /// The latest answer to a command.
    Commands,
    /// The subscriber connection. While it is down no stream may begin, so the node is not ready.
    Hearing,
}

#[derive(Clone)]
pub struct RedisHealth(Arc<Inner>);

struct Inner {
    troubles: Mutex<Troubles>,
    /// Commands failed: find out why.
    suspicion: Notify,
    /// Redis is at its memory limit: it refuses to write, and nothing else. Read with every event that it takes.
    is_full: AtomicBool,
    full: Mutex<Option<Full>>,
}

/// Redis is at its memory limit.
struct Full {
    /// Unix milliseconds.
    since: i64,
    refused: Instant,
}

struct Troubles {
    parts: [Option<String>; 2],
    /// Unix milliseconds; of the first trouble since all was good.
    since: i64,
}

impl Troubles {
    /// The cause of the subscriber connection's failure is known, and is the better text.
    fn why(&self) -> Option<&String> {
        self.parts.iter().flatten().next_back()
    }
}

impl RedisHealth {
    /// At the start nothing is subscribed yet, which is not worth a log line.
    pub fn new() -> RedisHealth {
        let parts = [None, Some("it is being connected to".to_owned())];
        let troubles = Mutex::new(Troubles { parts, since: clock::now_ms() });
        let (is_full, full) = Default::default();
        RedisHealth(Arc::new(Inner { troubles, suspicion: Notify::new(), is_full, full }))
    }

    pub fn note(&self, part: Part, trouble: Option<String>) {
        let mut troubles = self.0.troubles.lock();
        if matches!((part, &trouble), (Part::Commands, Some(_))) {
            self.0.suspicion.notify_waiters();
        }
        let was_good = troubles.why().is_none();
        if trouble.is_none() && troubles.parts[part as usize].is_none() {
            return;
        }
        troubles.parts[part as usize] = trouble;
        match (was_good, troubles.why()) {
            (true, Some(why)) => {
                tracing::warn!(
                    why,
                    "Redis is away: open streams stay, publishing is refused until it is back"
                );
                troubles.since = clock::now_ms();
            }
            (false, None) => tracing::info!("Redis answers"),
            _ => {}
        }
    }

    /// Redis refused a write because of its memory limit. It is reachable: readiness does not depend on it.
    pub fn refused_to_write(&self) {
        let mut full = self.0.full.lock();
        let now = Instant::now();
        if let Some(full) = &mut *full {
            full.refused = now;
            return;
        }
        *full = Some(Full { since: clock::now_ms(), refused: now });
        self.0.is_full.store(true, Relaxed);
        tracing::warn!(
            "Redis is at its memory limit (maxmemory): publishing is refused, polls and streams go on"
        );
    }

    /// Redis accepted an event.
    pub fn wrote(&self) {
        if !self.0.is_full.load(Relaxed) {
            return;
        }
        let mut full = self.0.full.lock();
        if full.as_ref().is_some_and(|full| full.refused.elapsed() >= SETTLED) {
            *full = None;
            self.0.is_full.store(false, Relaxed);
            tracing::info!("Redis has memory again: it takes what is published");
        }
    }

    /// Since when Redis is at its memory limit, Unix milliseconds.
    pub fn full_since(&self) -> Option<i64> {
        self.0.full.lock().as_ref().map(|full| full.since)
    }

    /// Waits for the next command that fails.
    pub async fn suspicion(&self) {
        self.0.suspicion.notified().await;
    }

    pub fn is_troubled(&self, part: Part) -> bool {
        self.0.troubles.lock().parts[part as usize].is_some()
    }

    pub fn health(&self) -> Health {
        let troubles = self.0.troubles.lock();
        match troubles.why() {
            None => Health::Good,
            Some(why) => Health::Away { why: why.clone(), since: troubles.since },
        }
    }
}
