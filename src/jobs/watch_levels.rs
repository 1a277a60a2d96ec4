//! Shows on every page which service levels are at risk. While they cannot be read, what is shown stays.

use super::Job;
use crate::{clock, gauge::levels, node::Node};
use std::time::Duration;
use streamgauge_core::metric::{notice::Notice, sla::Level};
use tokio::sync::watch;

pub struct WatchLevels {
    /// Service levels at risk, in words: the ticker shows them.
    pub at_risk: watch::Sender<Vec<Notice>>,
}

impl Job for WatchLevels {
    const NAME: &'static str = "watch_levels";
    const PERIOD: Duration = Duration::from_secs(30);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = true;

    async fn run(&mut self, node: &Node) {
        match levels(&node.store, clock::now_ms() / 1_000).await {
            Ok((levels, _)) => {
                self.at_risk.send_replace(levels.iter().filter_map(Level::notice).collect());
            }
            Err(error) => tracing::debug!(%error, "could not read the service levels"),
        }
    }
}
