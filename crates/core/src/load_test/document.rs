//! What a run came to, as `streamgauge loadtest` writes it and the server keeps it: one definition of the shape.

use super::{Changes, Counts};
use crate::text::object;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of this document's shape: [`Outcome::VERSION`].
    pub version: u32,
    /// As it was called: `burst`, or a scenario file's name.
    pub scenario: String,
    pub title: String,
    pub url: String,
    /// What the scenario's times were multiplied by.
    pub time_scale: f64,
    /// What else the command line changed in the load.
    #[serde(default, deserialize_with = "object::one")]
    pub changes: Changes,
    /// Unix ms.
    pub started_at: i64,
    pub interrupted: bool,
    /// No target was missed. Says nothing about those that were not measured.
    pub passed: bool,
    #[serde(deserialize_with = "object::list")]
    pub findings: Vec<Finding>,
    #[serde(deserialize_with = "object::one")]
    pub figures: Figures,
    #[serde(deserialize_with = "object::list")]
    pub timeline: Vec<Point>,
}

impl Outcome {
    pub const VERSION: u32 = 1;
}

/// What a finding says of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Fail,
    /// It was measured, but too seldom to say.
    NotEnoughData,
    /// This scenario or this machine does not show it.
    NotMeasured,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub name: String,
    pub target: String,
    pub measured: Option<f64>,
    pub unit: String,
    pub samples: u64,
    pub samples_of: String,
    pub verdict: Verdict,
    /// Why nothing was measured, or what the figure means here.
    pub note: Option<String>,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub streams_asked: u32,
    pub sessions_asked: u32,
    pub peak_streams: u32,
    /// Length of the run.
    pub seconds: u64,
    #[serde(deserialize_with = "object::one")]
    pub counts: Counts,
    /// From due to arrival, over all deliveries.
    #[serde(deserialize_with = "object::one")]
    pub latency: Summary,
    /// From really sent to arrival.
    #[serde(deserialize_with = "object::one")]
    pub latency_sent: Summary,
    /// From due until the last follower of the session had it.
    #[serde(deserialize_with = "object::one")]
    pub last_delivery: Summary,
    /// From due to the answer's head.
    #[serde(deserialize_with = "object::one")]
    pub connect: Summary,
    #[serde(deserialize_with = "object::one")]
    pub connect_began: Summary,
    #[serde(deserialize_with = "object::one")]
    pub answer: Summary,
    /// In the busiest 10 s: from the moment a stream, a poll or a publisher's request was due to the head of its answer.
    /// Absent in runs of earlier versions.
    #[serde(default, deserialize_with = "object::one")]
    pub response_at_peak: Summary,
    #[serde(default, deserialize_with = "object::or_null")]
    pub server: Option<ServerFigures>,
    #[serde(deserialize_with = "object::one")]
    pub tool: ToolFigures,
    /// Of a step-wise scenario.
    #[serde(default, deserialize_with = "object::list")]
    pub steps: Vec<Step>,
}

/// A histogram, read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub samples: u64,
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub p999_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

/// What the server's process used. Its database is a process of its own, and not in here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerFigures {
    pub pid: i32,
    /// Of this machine.
    pub cores: u32,
    /// PSS before the first stream.
    pub baseline_mb: Option<f64>,
    pub peak_pss_mb: Option<f64>,
    pub peak_rss_mb: Option<f64>,
    /// Growth of PSS from the baseline to the peak of streams, their sessions included.
    pub mb_per_100_streams: Option<f64>,
    /// How many streams that was measured with.
    pub memory_streams: u64,
    /// The same for one stream while all were open and nothing was said yet, kB.
    pub idle_stream_kb: Option<f64>,
    /// Mean PSS in the last quarter of the time in which all streams were open, over that in its first quarter, percent
    /// more; less is negative.
    pub memory_drift_percent: Option<f64>,
    /// Busiest 10 s, percent of all cores of the machine.
    pub cpu_peak_percent: Option<f64>,
    /// Over the time in which messages were sent, percent of one core.
    pub cpu_mean_core_percent: Option<f64>,
    pub cpu_seconds_measured: u64,
    /// CPU time from the first message to the last, over deliveries, µs.
    pub cpu_us_per_delivery: Option<f64>,
}

/// What the load tool itself cost, and whether it kept up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolFigures {
    pub threads: u32,
    /// Percent of one core.
    pub cpu_mean_core_percent: f64,
    /// How late it was without the server's doing.
    #[serde(deserialize_with = "object::one")]
    pub lag: Summary,
}

/// One rate, held for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Messages a second, all sessions together.
    pub messages_per_second: f64,
    pub deliveries_per_second: f64,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub samples: u64,
    pub held: bool,
    /// What gave, where something did.
    pub why: Option<String>,
}

/// A stretch of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its beginning, seconds after the start.
    pub at_s: u64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub streams: u32,
    pub deliveries_per_second: f64,
    pub messages_per_second: f64,
    pub pss_mb: Option<f64>,
    pub rss_mb: Option<f64>,
    /// Percent of one core.
    pub cpu_percent: Option<f64>,
}
