//! Judges the alert rules: each bucket once, when it is closed.

use super::Job;
use crate::{alerting::Evaluator, clock, node::Node};
use std::time::Duration;

#[derive(Default)]
pub struct EvaluateAlerts {
    evaluator: Evaluator,
}

impl Job for EvaluateAlerts {
    const NAME: &'static str = "evaluate_alerts";
    // A bucket is judged soon after its last node has stored its sample; most turns find nothing to do.
    const PERIOD: Duration = Duration::from_secs(1);
    const LEADER_ONLY: bool = true;
    // Good only once everything that waited is stored: samples of an outage are judged with what was measured in it.
    const NEEDS_DATABASE: bool = true;

    async fn run(&mut self, node: &Node) {
        let now = clock::now_ms();
        let turn = self.evaluator.turn(&node.store, &node.alerting, &node.settings.node, now / 1_000);
        match turn.await {
            Ok(false) => {}
            // What was decided is shown at once, and not a second later.
            Ok(true) => {
                if let Err(error) = node.alerting.refresh(&node.store, now).await {
                    tracing::debug!(%error, "could not read the alerts");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not judge the alert rules: they are judged when it is possible")
            }
        }
    }
}
