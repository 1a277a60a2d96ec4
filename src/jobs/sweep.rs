//! Forgets sessions in memory that ended or went silent, and marks silent sessions in PostgreSQL as abandoned.

use super::Job;
use crate::{clock, node::Node};
use std::time::Duration;
use streamgauge_core::{metric::measure::counters::Counter, session::age::AgeClock};

pub struct Sweep {
    /// Tells how old stored sessions are, also after somebody sets the system's clock.
    ages: AgeClock,
}

impl Sweep {
    pub fn new(node: &Node) -> Sweep {
        Sweep { ages: AgeClock::new(node.settings.abandon_after_ms) }
    }
}

impl Job for Sweep {
    const NAME: &'static str = "sweep";
    const PERIOD: Duration = Duration::from_secs(10);
    const LEADER_ONLY: bool = false;
    /// Memory is swept without PostgreSQL too.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        let steady = clock::steady_ms();
        if let Some(local) = &node.local {
            local.sweep(steady);
        }
        let now = self.ages.now(clock::now_ms(), steady);
        match node.store.sessions().abandon(now - node.settings.abandon_after_ms).await {
            Ok(count) => node.recorder.add(Counter::SessionsAbandoned, count),
            Err(error) => tracing::debug!(%error, "could not mark abandoned sessions"),
        }
    }
}
