//! Reads what other nodes measured: the board is about all nodes. Their samples come by PostgreSQL, one bucket late, or
//! hours late after an outage.

use super::Job;
use crate::{gauge::KEPT, node::Node};
use std::time::{Duration, Instant};

/// The longest time between a transaction's start, which its rows carry as the time they were stored, and its end.
const UNDER_WAY: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct HearOtherNodes {
    /// When rows were last read. `None`: not yet.
    heard: Option<Instant>,
}

impl Job for HearOtherNodes {
    const NAME: &'static str = "hear_other_nodes";
    const PERIOD: Duration = Duration::from_secs(10);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = true;

    async fn run(&mut self, node: &Node) {
        // Without Redis there is one node only.
        if node.redis.is_none() {
            return;
        }
        let open = node.board.open_bucket();
        let now = Instant::now();
        // Rows stored since the last read, and a little before: the board knows which ones it has.
        let since = self.heard.map_or(KEPT as f64, |heard| (now - heard + UNDER_WAY).as_secs_f64());
        let history = node.store.history();
        match history.of_others(&node.settings.node, (open - KEPT, open), since).await {
            Ok(rows) => {
                node.board.absorb(rows);
                self.heard = Some(now);
            }
            Err(error) => tracing::debug!(%error, "could not read other nodes' samples"),
        }
    }
}
