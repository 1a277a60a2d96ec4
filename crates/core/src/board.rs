//! What a dashboard shows at one moment, and the message that the admin stream sends each second.

use crate::{annotation::Annotation, kpi::Kpi, range::View};
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
    /// Percent.
    pub request_reduction: Option<f64>,
    /// Percent.
    pub error_rate: Option<f64>,
}

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    Info,
    Warning,
    Critical,
}

/// A sentence for the top of the page: the fact, its likely cause, what happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub level: Level,
    /// "The history is not reachable."
    pub fact: String,
    /// "Streams go on; 3 samples wait to be stored."
    pub detail: String,
}

/// What says which server this is; the same for every range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// This node's name.
    pub node: String,
    /// All nodes that stored a sample in the range, this one included.
    pub nodes: Vec<String>,
    /// Changes with each start of the server: a page that outlives it knows to look for a new version.
    pub started_at: i64,
    pub version: String,
    /// The traffic is made up by the server itself.
    pub demo: bool,
}

/// The Overview page for one range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub view: View,
    /// `[from, to)`, Unix seconds; `points` has one entry each `view.range.step()` seconds.
    pub from: i64,
    pub to: i64,
    /// When it was computed, Unix milliseconds.
    pub as_of: i64,
    pub origin: Origin,
    /// The four figures over the whole range, in [`crate::kpi::KpiKey::ALL`]'s order.
    pub kpis: Vec<Kpi>,
    pub points: Vec<Point>,
    /// Those of the range before, at their own times, where the view compares.
    pub before: Vec<Point>,
    /// Oldest first.
    pub annotations: Vec<Annotation>,
    pub notices: Vec<Notice>,
    /// Deliveries in the whole range.
    pub deliveries: u64,
    /// The polling baseline where none was measured, ms: half an interval.
    pub polling_baseline: f64,
}

/// The epic's `SSEPerformanceMetrics`, with its field names: one message a second on
/// `GET /api/admin/sse-metrics/stream`. Window: the last hour, unless a field says otherwise. `null`: not enough data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsePerformanceMetrics {
    /// When it was computed, Unix milliseconds.
    pub as_of: i64,

    // Connection metrics
    /// Streams established in the window.
    pub total_connections: u64,
    /// Streams open now.
    pub active_connections: u64,
    /// Accept to response head flushed: counts by [`HISTOGRAM_BOUNDS_MS`].
    pub connection_establishment_time: Vec<u64>,
    /// Lifetime of closed streams: counts by [`DURATION_BOUNDS_S`].
    pub connection_duration: Vec<u64>,

    // Message metrics
    /// Deliveries whose last byte was handed to the kernel.
    pub messages_delivered: u64,
    /// Publish accepted to last byte handed to the kernel: counts by [`HISTOGRAM_BOUNDS_MS`].
    pub message_delivery_latency: Vec<u64>,
    /// Deliveries that were due and did not happen, the follower still being there.
    pub message_delivery_failures: u64,

    // Resource metrics
    /// Resident memory, bytes.
    pub memory_usage: u64,
    /// Percent of one core, last second.
    pub cpu_usage: f64,
    /// Memory of the Redis server, bytes; `null` without Redis.
    pub redis_memory_usage: Option<u64>,

    // Business metrics
    /// 1 to 10; `null` until surveys answer.
    pub user_satisfaction_score: Option<f64>,
    /// Completed of all that ended, percent.
    pub session_completion_rate: Option<f64>,
    /// Sessions with a fallback of those told to stream, percent; `null` until clients report.
    pub fallback_activation_rate: Option<f64>,

    // Comparison metrics (against polling)
    /// Percent.
    pub request_reduction: Option<f64>,
    /// Percent.
    pub bandwidth_reduction: Option<f64>,
    /// Percent.
    pub latency_improvement: Option<f64>,

    // What the epic's dashboard reads beside them
    /// Mean delivery latency, ms.
    pub average_latency: Option<f64>,
    /// Percent.
    pub error_rate: Option<f64>,
    /// Upper bounds of the two millisecond histograms; one more count follows for what is above.
    pub histogram_bounds_ms: Vec<u64>,
    /// Upper bounds of `connection_duration`, seconds.
    pub duration_bounds_s: Vec<u64>,
    /// The four figures of the last hour.
    pub kpis: Vec<Kpi>,
    /// The bucket of the last hour's chart that is filling now, or has just been filled.
    pub latest: Point,
    pub origin: Origin,
    pub notices: Vec<Notice>,
}

/// What a page takes from that message. Code that reads the rest would be a hundredth of the WASM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    pub as_of: i64,
    pub messages_delivered: u64,
    pub kpis: Vec<Kpi>,
    pub latest: Point,
    pub origin: Origin,
    pub notices: Vec<Notice>,
}

/// Upper bounds of the millisecond histograms on the wire.
pub const HISTOGRAM_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Upper bounds of the duration histogram on the wire, seconds.
pub const DURATION_BOUNDS_S: [u64; 9] = [1, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200];

impl Overview {
    /// Takes a live message in: the figures where the range is the last hour, the newest point, the notices.
    ///
    /// Points that left the window go; a hole between the last point and the new one stays a hole.
    pub fn take(&mut self, live: &Told) {
        self.as_of = live.as_of;
        self.origin.started_at = live.origin.started_at;
        self.notices.clone_from(&live.notices);
        if !self.view.is_whole() {
            // A node's or a region's figures come from the history alone.
            return;
        }
        if !self.view.is_live() {
            // The longer ranges are read again when their step has passed; what is open now is always news.
            for (mine, new) in self.kpis.iter_mut().zip(&live.kpis) {
                if new.key == crate::kpi::KpiKey::ActiveConnections {
                    let trend = mine.trend;
                    *mine = Kpi { trend, ..new.clone() };
                }
            }
            return;
        }
        self.kpis.clone_from(&live.kpis);
        self.deliveries = live.messages_delivered;
        let range = self.view.range;
        let step = range.step();
        let mut next = self.points.last().map_or(live.latest.at, |point| point.at);
        if live.latest.at < next {
            return;
        }
        // At most one window's worth of holes, however long the page slept.
        next = next.max(live.latest.at - range.seconds());
        while next + step < live.latest.at {
            next += step;
            self.points.push(Point { at: next, ..Point::default() });
        }
        match self.points.last_mut() {
            Some(last) if last.at == live.latest.at => *last = live.latest,
            _ => self.points.push(live.latest),
        }
        self.to = live.latest.at + step;
        self.from = self.to - range.seconds();
        let from = self.from;
        self.points.retain(|point| point.at >= from);
    }
}
