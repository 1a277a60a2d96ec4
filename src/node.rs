//! One running process: what its routes and jobs share.

use crate::{
    access::Access,
    alerting::Alerting,
    broker::{LocalBroker, RedisBroker},
    clock,
    gauge::{Beacons, Board, Polled, Totals},
    geo::Geo,
    measure::Recorder,
    store::Store,
    stream::StreamContext,
    telemetry::Telemetry,
};
use bytes::Bytes;
use http::HeaderName;
use std::sync::Arc;
use streamgauge_core::{
    access::site::Site,
    metric::measure::counters::Counter,
    page::board::SsePerformanceMetrics,
    session::{cohort::Cohort, ids::SessionId, status::State},
    settings::table::Settings,
};
use tokio::sync::watch;

/// By which the server knows its own probe: it holds the node's secret.
pub static PROBE_HEADER: HeaderName = HeaderName::from_static("x-streamgauge-probe");

pub struct Node {
    pub settings: Settings,
    /// Its names, and the address under which people reach it.
    pub site: Site,
    pub access: Access,
    pub recorder: Recorder,
    pub beacons: Beacons,
    pub geo: Geo,
    /// By which the node knows its own probe; nobody else ever sees it.
    pub probe_secret: Box<str>,
    /// Sessions that were polled lately.
    pub polled: Polled,
    /// Broker, hub, and what streams are opened with.
    pub streams: StreamContext,
    /// The broker once more, when it is Redis: the gauge asks it for more than the contract has.
    pub redis: Option<Arc<RedisBroker>>,
    /// The same when it is in process: it is swept by a job.
    pub local: Option<Arc<LocalBroker>>,
    /// What file descriptors allow.
    pub most_connections: u32,
    pub store: Store,
    pub alerting: Alerting,
    pub board: Board,
    /// Up to when the figures are made up, Unix seconds.
    pub seeded_until: Option<i64>,
    pub totals: Totals,
    /// Off unless an endpoint is configured.
    pub telemetry: Telemetry,
    /// The admin stream's message of this second, framed.
    pub metrics: watch::Sender<Bytes>,
    /// The list of running sessions, framed.
    pub sessions: watch::Sender<Bytes>,
}

impl Node {
    /// The message of the admin stream, as of now.
    pub fn live(&self) -> SsePerformanceMetrics {
        let mut alerts = self.alerting.shown().summary(clock::now_ms());
        alerts.line = streamgauge_app::alarm_line(&alerts);
        self.board.metrics(alerts)
    }

    pub fn cohort(&self, session: &SessionId) -> Cohort {
        Cohort::of(session, self.settings.control_group_percent)
    }

    /// Counts a new session.
    pub fn began(&self, session: &SessionId) {
        if session.is_probe() {
            return;
        }
        self.recorder.add(Counter::SessionsStarted, 1);
        if self.cohort(session) == Cohort::Stream {
            self.recorder.add(Counter::StreamCohortSessions, 1);
        }
    }

    /// Counts an accepted event and notes how its session stands.
    pub fn published(&self, published: &crate::broker::Published) {
        if published.repeated || published.event.session.is_probe() {
            return;
        }
        self.recorder.add(Counter::Published, 1);
        if published.created {
            self.began(&published.event.session);
        }
        match published.event.state {
            State::Completed => self.recorder.add(Counter::SessionsCompleted, 1),
            State::Failed => self.recorder.add(Counter::SessionsFailed, 1),
            State::Running | State::Abandoned => {}
        }
        if published.event.state.has_ended() {
            self.store.endings().note(&published.event.session);
        }
        self.recorder.journal().event(&published.event);
        let cohort = self.cohort(&published.event.session);
        self.store.write_behind().event(cohort, &published.event);
    }
}
