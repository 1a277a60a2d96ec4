//! Deletes what is older than it is kept.

use super::Job;
use crate::{clock, node::Node, store, telemetry::database};
use std::time::Duration;

pub struct Retain;

impl Job for Retain {
    const NAME: &'static str = "retain";
    const PERIOD: Duration = Duration::from_secs(20);
    const LEADER_ONLY: bool = true;
    /// The leader holds a connection of its own, and tries.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        let dropped = store::retain(node.store.pool(), clock::now_ms() / 1_000, &node.settings.keep_days);
        match database("drop samples", dropped).await {
            Ok(0) => {}
            Ok(partitions) => tracing::info!(partitions, "deleted old samples"),
            Err(error) => tracing::warn!(%error, "could not delete old samples"),
        }
        let dropped = store::retain_traces(node.store.pool(), clock::now_ms() / 1_000);
        if let Err(error) = database("drop timelines", dropped).await {
            tracing::warn!(%error, "could not delete old timelines, fallbacks and annotations");
        }
        let forgotten = node.access.forget_sign_outs(node.store.pool());
        if let Err(error) = database("forget sign-outs", forgotten).await {
            tracing::warn!(%error, "could not delete old sign-outs");
        }
    }
}
