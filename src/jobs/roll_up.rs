//! Merges samples that are due into coarser rows.

use super::Job;
use crate::{clock, node::Node, store, telemetry::database};
use std::time::Duration;

/// A bucket is merged this many seconds after it closed: by then every node that is not cut off has written its rows.
const SETTLED: i64 = 15;

pub struct RollUp;

impl Job for RollUp {
    const NAME: &'static str = "roll_up";
    const PERIOD: Duration = Duration::from_secs(2);
    const LEADER_ONLY: bool = true;
    /// The leader holds a connection of its own, and tries.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        loop {
            let merged = store::roll_up(node.store.pool(), clock::now_ms() / 1_000 - SETTLED);
            match database("merge samples", merged).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::debug!(%error, "could not merge samples"),
            }
        }
    }
}
