use super::NOW;
use crate::panels;
use streamgauge_app::api::{
    backend::{Answer, Unavailable},
    dashboard::Dashboard,
};
use streamgauge_core::{
    metric::{
        kpi,
        notice::{Notice, Severity},
        numbers::{Basis, Reduction},
        point::Point,
        range::View,
        table::Metric,
    },
    page::{
        board::{Origin, Overview},
        panels::Panels,
    },
};

#[derive(Clone, Default)]
pub struct FakeDashboard {
    /// Nothing was measured yet.
    pub fresh: bool,
    /// Nothing can be read.
    pub down: bool,
}

impl FakeDashboard {
    fn read<T>(&self, answer: T) -> Result<T, Unavailable> {
        let away = || Unavailable("The history is not reachable; streams go on.".into());
        if self.down { Err(away()) } else { Ok(answer) }
    }
}

impl Dashboard for FakeDashboard {
    fn overview(&self, view: View) -> Answer<'_, Overview> {
        let answer = self.read(overview(view, self.fresh));
        Box::pin(async { answer })
    }

    fn panels(&self, view: View) -> Answer<'_, Panels> {
        let answer = self.read(panels::panels(view, self.fresh));
        Box::pin(async { answer })
    }
}

/// Believable: a slow wave, some noise, a burst of latency and, from 20 to 24 in a hundred, a hole.
fn overview(view: View, fresh: bool) -> Overview {
    let range = view.range;
    let (from, to) = range.window(NOW);
    let count = range.seconds() / range.step();
    let points = (0..count).map(|n| point(n, count, from + n * range.step())).collect();
    let deliveries = if fresh { 7 } else { 241_306 };
    let reduction = Reduction { polling: 1_200.0, streaming: 26.4, basis: Basis::Measured };
    let minutes = if fresh { 0 } else { 4_812 };
    Overview {
        before: if view.compare {
            (0..count).map(|n| point(n, count, from - (to - from) + n * range.step())).collect()
        } else {
            Vec::new()
        },
        annotations: panels::annotations(from, to),
        view,
        from,
        to,
        step: range.step(),
        as_of: NOW * 1_000,
        origin: Origin {
            node: "fra-1".into(),
            nodes: vec!["fra-1".into(), "fra-2".into()],
            started_at: NOW - 9_000,
            version: "0.1.0".into(),
            demo: true,
            seeded_until: Some(NOW - 9_000),
        },
        kpis: vec![
            kpi::update_latency((Some(14.2), Some(9.1)), deliveries, Some(16.4), (1_520.0, Basis::Measured)),
            kpi::request_reduction((!fresh).then_some(reduction), minutes * 60, Some(97.7)),
            kpi::active_connections(
                if fresh { 0 } else { 3_907 },
                Some(41),
                Some(10_000),
                3_600,
                Some(3_907.0),
            ),
            kpi::error_rate(Some(0.021), if fresh { 3 } else { 43_118 }, Some(0.017)),
        ],
        points: if fresh { Vec::new() } else { points },
        notices: vec![Notice {
            severity: Severity::Warning,
            fact: "The history is not reachable.".into(),
            detail: "Streams go on; 3 samples wait to be stored.".into(),
        }],
        deliveries,
        polling_baseline: 1_520.0,
        watched: Vec::new(),
    }
}

fn point(n: i64, count: i64, at: i64) -> Point {
    let percent = n * 100 / count;
    if (20..24).contains(&percent) {
        return Point::hole(at);
    }
    let wave = (n as f64 / count as f64 * 6.0).sin();
    let noise = ((n * 7_919) % 101) as f64 / 101.0 - 0.5;
    let burst = if (62..68).contains(&percent) { 3.0 } else { 1.0 };
    let p95 = (14.0 + 2.0 * wave + 3.0 * noise) * burst;
    Point::hole(at)
        .with(Metric::DeliveryLatencyP50, Some(p95 * 0.42))
        .with(Metric::DeliveryLatencyP95, Some(p95))
        .with(Metric::DeliveryLatencyP99, Some(p95 * 1.7 + noise))
        .with(Metric::PollStaleness, Some(1_520.0 + 30.0 * noise))
        .with(Metric::ActiveConnections, Some(3_700.0 + 400.0 * wave + 30.0 * noise))
        .with(Metric::ActivePollers, Some(190.0 + 10.0 * noise))
        .with(Metric::Published, Some(410.0 + 20.0 * noise))
        .with(Metric::Delivered, Some(1_300.0 + 250.0 * wave + 90.0 * noise))
        .with(Metric::Memory, Some((43.0 + 3.0 * wave) * 1e6))
        .with(Metric::Cpu, Some(4.0 + noise))
        .with(Metric::RedisMemory, Some(3e6 + 1e5 * noise))
        .with(Metric::RequestReduction, Some(97.8 + 0.3 * noise))
        .with(Metric::ErrorRate, Some(0.021 + 0.006 * noise))
}
