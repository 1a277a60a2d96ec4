//! Figures that never change, and a backend that serves them.

use crate::{load_tests, panels};
use streamgauge_app::api::backend::{Answer, Backend, Unavailable};
use streamgauge_core::{
    load_test::{Kept, KeptList, Row},
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
        view::{Found, PublicSession, Search, SessionList, SessionRow},
    },
    session::{
        cohort::Cohort,
        data::Data,
        ids::{Epoch, EventId, SessionId},
        status::{State, StatusEvent},
        timeline::Story,
    },
};

/// 23 November 2026, 14:42:07 UTC.
pub const NOW: i64 = 1_795_444_927;

#[derive(Clone, Default)]
pub struct Fake {
    /// Nothing was measured yet.
    pub fresh: bool,
    /// Nothing can be read.
    pub down: bool,
    pub message: Option<String>,
    pub ended: bool,
    pub poll: bool,
}

impl Backend for Fake {
    fn overview(&self, view: View) -> Answer<'_, Overview> {
        let answer = if self.down {
            Err(Unavailable("The history is not reachable; streams go on.".into()))
        } else {
            Ok(overview(view, self.fresh))
        };
        Box::pin(async { answer })
    }

    fn panels(&self, view: View) -> Answer<'_, Panels> {
        let answer = if self.down {
            Err(Unavailable("The history is not reachable; streams go on.".into()))
        } else {
            Ok(panels::panels(view, self.fresh))
        };
        Box::pin(async { answer })
    }

    fn find_sessions(&self, search: Search) -> Answer<'_, Found> {
        let rows: Vec<SessionRow> = if self.fresh { Vec::new() } else { (0..14).map(row).collect() };
        let next = rows.last().map(|row| (row.started_at, row.id.to_string()));
        Box::pin(async { Ok(Found { search, rows, next, as_of: NOW * 1_000 }) })
    }

    fn story(&self, id: SessionId) -> Answer<'_, Option<Story>> {
        let story = (id.as_str() != "nowhere").then(|| panels::story(id, self.fresh));
        Box::pin(async { Ok(story) })
    }

    fn sessions(&self) -> Answer<'_, SessionList> {
        let rows = if self.fresh { Vec::new() } else { (0..14).map(row).collect() };
        let list = SessionList { as_of: NOW * 1_000, running: rows.len() as u64, rows, complete: true };
        Box::pin(async { Ok(list) })
    }

    fn load_tests(&self, scenario: Option<String>) -> Answer<'_, KeptList> {
        let rows: Vec<Row> = if self.fresh { Vec::new() } else { load_tests::rows() };
        let named = |row: &Row| scenario.as_deref().is_none_or(|name| row.scenario == name);
        let rows: Vec<Row> = rows.into_iter().filter(named).collect();
        let answer = if self.down {
            Err(Unavailable("Load tests are in PostgreSQL, which cannot be reached.".into()))
        } else {
            Ok(KeptList { kept: rows.len() as u64, rows })
        };
        Box::pin(async { answer })
    }

    fn load_test(&self, id: i64) -> Answer<'_, Option<Kept>> {
        let rows = load_tests::rows();
        let row = rows.iter().find(|row| row.id == id).cloned();
        let kept = row.map(|row| {
            let before = rows.iter().find(|b| b.id < id && b.options == row.options).cloned();
            let outcome = load_tests::outcome(&row);
            Kept { row, outcome, before }
        });
        Box::pin(async { Ok(kept) })
    }

    fn session(&self, id: SessionId) -> Answer<'_, Option<PublicSession>> {
        let found = (id.as_str() != "nowhere").then(|| self.public(id));
        Box::pin(async { Ok(found) })
    }
}

impl Fake {
    fn public(&self, id: SessionId) -> PublicSession {
        let current = StatusEvent {
            id: EventId { epoch: Epoch(7), seq: 42 },
            session: id.clone(),
            state: if self.ended { State::Completed } else { State::Running },
            stage: "transcribing".into(),
            progress: if self.ended { 100 } else { 42 },
            message: self.message.clone().or_else(|| Some("Speaker 2, minute 18 of 43".into())),
            data: self
                .ended
                .then(|| Data::of(&serde_json::json!({"words": 7_412, "language": "de"})))
                .flatten(),
            at: (NOW - 2) * 1_000,
        };
        PublicSession {
            cohort: if self.poll { Cohort::Poll } else { Cohort::Stream },
            current: (!self.fresh).then_some(current),
            poll_url: format!("/api/v1/sessions/{id}/status"),
            heartbeat_ms: 15_000,
            id,
        }
    }
}

fn row(n: i64) -> SessionRow {
    let stages = ["upload", "detect language", "transcribing", "diarize", "punctuate", "export"];
    SessionRow {
        id: format!("tr-{:04x}", 0x9f31 - n * 977).parse().expect("an id"),
        kind: Some("transcription".into()),
        region: Some(["eu-central", "us-east", "ap-south"][n as usize % 3].into()),
        cohort: if n % 5 == 3 { Cohort::Poll } else { Cohort::Stream },
        state: State::Running,
        stage: stages[n as usize % stages.len()].into(),
        progress: ((n * 37 + 12) % 100) as u8,
        message: None,
        started_at: (NOW - 40 - n * 71) * 1_000,
        last_event_at: (NOW - n % 4) * 1_000,
        events: 40,
        streams: (n as u32 * 7) % 5,
    }
}

/// Believable: a slow wave, some noise, a burst of latency and, from 20 to 24 in a hundred, a hole.
pub fn overview(view: View, fresh: bool) -> Overview {
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
