//! Reads the API keys, so that a key that was made or revoked elsewhere counts here within seconds.

use super::Job;
use crate::node::Node;
use std::time::Duration;

pub struct ReadKeys;

impl Job for ReadKeys {
    const NAME: &'static str = "read_keys";
    const PERIOD: Duration = Duration::from_secs(5);
    const LEADER_ONLY: bool = false;
    /// Tried always: a node that started without PostgreSQL lets nobody in until it has read the keys.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        // If this fails, the keys that are known stay.
        if let Err(error) = node.access.refresh(&node.store).await {
            tracing::debug!(%error, "could not read the keys");
        }
    }
}
