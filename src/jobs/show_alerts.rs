//! Reads what pages show of alerts, when it changed. While it cannot be read, what is shown stays, with its age.

use super::Job;
use crate::{clock, node::Node};
use std::time::Duration;

pub struct ShowAlerts;

impl Job for ShowAlerts {
    const NAME: &'static str = "show_alerts";
    const PERIOD: Duration = Duration::from_secs(1);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = true;

    async fn run(&mut self, node: &Node) {
        if let Err(error) = node.alerting.refresh(&node.store, clock::now_ms()).await {
            tracing::debug!(%error, "could not read the alerts");
        }
    }
}
