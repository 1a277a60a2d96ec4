//! Figures of one step of time, as charts and histograms show them.

use serde::{Deserialize, Serialize};

/// One step of the charts. A field is `None` where nothing was measured: a hole, never a zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Start of the bucket, Unix seconds.
    pub at: i64,
    /// Delivery latency, ms.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    /// Deliveries that the percentiles rest on.
    pub deliveries: u64,
    /// Staleness of polling, ms, measured in this bucket.
    pub polling: Option<f64>,
    /// Mean number of open streams.
    pub streams: Option<f64>,
    /// Mean number of active pollers.
    pub pollers: Option<f64>,
    /// Events published a second.
    pub published: Option<f64>,
    /// Deliveries a second.
    pub delivered: Option<f64>,
    /// Resident memory of the node, bytes (summed over nodes).
    pub memory: Option<f64>,
    /// CPU used, percent of one core (summed over nodes).
    pub cpu: Option<f64>,
    /// Memory of the Redis that all nodes share, bytes; `None` without Redis.
    pub redis_memory: Option<f64>,
    /// Percent.
    pub request_reduction: Option<f64>,
    /// Percent.
    pub error_rate: Option<f64>,
}

/// Upper bounds of the millisecond histograms on the wire.
pub const HISTOGRAM_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Upper bounds of the duration histogram on the wire, seconds.
pub const DURATION_BOUNDS_S: [u64; 9] = [1, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200];
