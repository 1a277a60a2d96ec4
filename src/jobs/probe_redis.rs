//! Times a round trip to Redis each second, for the history and the alert rules. No answer within a second is a failed probe.

use super::Job;
use crate::node::Node;
use std::time::Duration;
use streamgauge_core::metric::measure::{counters::Counter, sample::Measure};

/// Longer, and probes would pile up; a rule asks for a tenth of it.
const PATIENCE: Duration = Duration::from_secs(1);

pub struct ProbeRedis;

impl Job for ProbeRedis {
    const NAME: &'static str = "probe_redis";
    const PERIOD: Duration = Duration::from_secs(1);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, node: &Node) {
        let Some(redis) = &node.redis else { return };
        match tokio::time::timeout(PATIENCE, redis.ping()).await {
            Ok(Ok(took)) => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                node.recorder.record(Measure::RedisLatency, micros.max(1));
            }
            // The broker's health has noted the cause.
            Ok(Err(_)) | Err(_) => node.recorder.add(Counter::RedisProbesFailed, 1),
        }
    }
}
