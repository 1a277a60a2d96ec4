//! Deletes what is older than it is kept.

use super::Job;
use crate::{clock, node::Node};
use std::time::Duration;

pub struct Retain;

impl Job for Retain {
    const NAME: &'static str = "retain";
    const PERIOD: Duration = Duration::from_secs(20);
    const LEADER_ONLY: bool = true;
    // The leader's own connection shows that PostgreSQL answers, also where the writer fails, as on a full disk.
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        let now = clock::now_ms() / 1_000;
        match node.store.rollups().retain(now, &node.settings.keep_days()).await {
            Ok(0) => {}
            Ok(partitions) => tracing::info!(partitions, "deleted old samples"),
            Err(error) => tracing::warn!(%error, "could not delete old samples"),
        }
        if let Err(error) = node.store.traces().retain(now).await {
            tracing::warn!(%error, "could not delete old timelines, fallbacks and annotations");
        }
        if let Err(error) = node.store.alerts().retain(now).await {
            tracing::warn!(%error, "could not delete old changes of alerts");
        }
        if let Err(error) = node.access.forget_sign_outs(&node.store).await {
            tracing::warn!(%error, "could not delete old sign-outs");
        }
    }
}
