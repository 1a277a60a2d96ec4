//! What a dashboard shows at one moment, and the message that the admin stream sends each second.

use crate::{
    metric::{kpi::Kpi, notice::Notice, numbers::Basis, point::Point, range::View},
    page::{
        alerts::{AlertLine, AlertSummary},
        annotation::Annotation,
    },
};
use serde::{Deserialize, Serialize};

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
    /// Figures before this are made up (Unix seconds); only a demo has such figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeded_until: Option<i64>,
}

/// The Overview page for one range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub view: View,
    /// `[from, to)`, Unix seconds; `points` has one entry each `step` seconds.
    pub from: i64,
    pub to: i64,
    /// Seconds: the range's own, or longer where finer rows of its time are gone.
    pub step: i64,
    /// When it was computed, Unix milliseconds.
    pub as_of: i64,
    pub origin: Origin,
    /// The four figures over the whole range, in [`crate::metric::kpi::KpiKey::ALL`]'s order.
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
    /// What alert rules make of the charted metrics, for pages alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Watched>,
}

/// One alert rule: its metric's place in [`crate::metric::table::Metric::ALL`], its level in the shown unit, and then from
/// and to of each firing of the last 24 hours, Unix seconds. Numbers alone, as a chart's columns are: the browser reads them
/// by the same code, and a type of its own would be a kilobyte of the WASM.
pub type Watched = Vec<Option<f64>>;

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
    /// Accept to response head flushed: counts by [`crate::metric::point::HISTOGRAM_BOUNDS_MS`].
    pub connection_establishment_time: Vec<u64>,
    /// Lifetime of closed streams: counts by [`crate::metric::point::DURATION_BOUNDS_S`].
    pub connection_duration: Vec<u64>,

    // Message metrics
    /// Deliveries whose last byte was handed to the kernel.
    pub messages_delivered: u64,
    /// Publish accepted to last byte handed to the kernel: counts by [`crate::metric::point::HISTOGRAM_BOUNDS_MS`].
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
    /// Whether polling was counted in the control group or computed, of each of the three.
    pub request_reduction_basis: Option<Basis>,
    pub bandwidth_reduction_basis: Option<Basis>,
    pub latency_improvement_basis: Basis,

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
    /// The newest points of the last hour's chart, oldest first: of a single node the bucket that is filling; of several the
    /// last minute's for which the rows of all have come, and which a late one may still change.
    pub newest: Vec<Point>,
    pub origin: Origin,
    pub notices: Vec<Notice>,
    /// What every page says of alerts.
    pub alerts: AlertSummary,
}

/// What a page takes from that message. Code that reads the rest would be a hundredth of the WASM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveUpdate {
    pub as_of: i64,
    pub messages_delivered: u64,
    pub kpis: Vec<Kpi>,
    pub newest: Vec<Point>,
    pub origin: Origin,
    pub notices: Vec<Notice>,
    #[serde(default)]
    pub alerts: AlertLine,
}

impl Overview {
    /// Takes a live message in: the figures where the range is the last hour, the newest points, the notices.
    ///
    /// Points that left the window go; a hole between the last point and a new one stays a hole.
    pub fn take(&mut self, live: &LiveUpdate) {
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
                if new.key == crate::metric::kpi::KpiKey::ActiveConnections {
                    let trend = mine.trend;
                    *mine = Kpi { trend, ..new.clone() };
                }
            }
            return;
        }
        self.kpis.clone_from(&live.kpis);
        self.deliveries = live.messages_delivered;
        let (step, length) = (self.step, self.view.range.seconds());
        self.to = self.to.max((live.as_of / 1_000).div_euclid(step) * step + step);
        self.from = self.to - length;
        let from = self.from;
        self.points.retain(|point| point.at >= from);
        let mut next = self.points.last().map_or(from, |last| last.at + step);
        while next < self.to {
            self.points.push(Point::hole(next));
            next += step;
        }
        for new in &live.newest {
            // One point a step, from the first on: what is older is before all of them.
            let index = usize::try_from((new.at - from).div_euclid(step)).ok();
            if let Some(point) = index.and_then(|index| self.points.get_mut(index)) {
                *point = *new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::table::Metric;

    /// The page at 100,000 s after the epoch's beginning, with a point in each of its 360 steps.
    fn page() -> Overview {
        let (from, to) = (96_410, 100_010);
        let points = (from..to).step_by(10).map(|at| point(at, 1.0)).collect();
        Overview {
            view: View::default(),
            from,
            to,
            step: 10,
            as_of: 100_005_000,
            origin: Origin::default(),
            kpis: Vec::new(),
            points,
            before: Vec::new(),
            annotations: Vec::new(),
            notices: Vec::new(),
            deliveries: 0,
            polling_baseline: 1_500.0,
            watched: Vec::new(),
        }
    }

    fn point(at: i64, delivered: f64) -> Point {
        Point::hole(at).with(Metric::Delivered, Some(delivered))
    }

    fn told(as_of: i64, newest: &[Point]) -> LiveUpdate {
        LiveUpdate {
            as_of: as_of * 1_000,
            messages_delivered: 7,
            kpis: Vec::new(),
            newest: newest.to_vec(),
            origin: Origin::default(),
            notices: Vec::new(),
            alerts: AlertLine::default(),
        }
    }

    fn newest(page: &Overview, count: usize) -> Vec<(i64, Option<f64>)> {
        assert_eq!((page.points.len(), page.points[0].at), (360, page.from), "one point a step");
        page.points[360 - count..].iter().map(|point| (point.at, point.of(Metric::Delivered))).collect()
    }

    #[test]
    fn the_open_bucket_is_replaced_and_the_window_moves_on() {
        let mut page = page();
        page.take(&told(100_007, &[point(100_000, 2.0)]));
        assert_eq!(newest(&page, 2), [(99_990, Some(1.0)), (100_000, Some(2.0))]);
        page.take(&told(100_031, &[point(100_030, 3.0)]));
        assert_eq!(
            newest(&page, 4),
            [(100_000, Some(2.0)), (100_010, None), (100_020, None), (100_030, Some(3.0))]
        );
    }

    #[test]
    fn rows_of_other_nodes_change_points_that_are_drawn() {
        let mut page = page();
        page.take(&told(100_025, &[point(99_990, 5.0), point(100_000, 6.0)]));
        assert_eq!(
            newest(&page, 4),
            [(99_990, Some(5.0)), (100_000, Some(6.0)), (100_010, None), (100_020, None)]
        );
        page.take(&told(100_035, &[point(100_000, 8.0), point(100_010, 9.0)]));
        assert_eq!(newest(&page, 4)[..2], [(100_000, Some(8.0)), (100_010, Some(9.0))]);
    }

    #[test]
    fn a_page_that_slept_for_hours_has_one_window_of_holes() {
        let mut page = page();
        page.take(&told(200_000, &[point(200_000, 2.0)]));
        assert_eq!(newest(&page, 2), [(199_990, None), (200_000, Some(2.0))]);
    }

    #[test]
    fn what_is_older_than_the_window_changes_nothing() {
        let mut page = page();
        page.take(&told(100_006, &[point(90_000, 9.0)]));
        assert!(page.points.iter().all(|point| point.of(Metric::Delivered) == Some(1.0)));
    }
}
