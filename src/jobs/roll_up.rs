//! Merges samples that are due into coarser rows.

use super::Job;
use crate::{clock, node::Node};
use std::time::Duration;

/// A bucket is merged this many seconds after it closed: by then every node that is not cut off has written its rows.
const SETTLED: i64 = 15;

pub struct RollUp;

impl Job for RollUp {
    const NAME: &'static str = "roll_up";
    const PERIOD: Duration = Duration::from_secs(2);
    const LEADER_ONLY: bool = true;
    // The leader's own connection shows that PostgreSQL answers, also where the writer fails, as on a full disk.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        loop {
            match node.store.rollups().merge(clock::now_ms() / 1_000 - SETTLED).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::debug!(%error, "could not merge samples"),
            }
        }
    }
}
