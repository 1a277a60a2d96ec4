//! `/metrics`: for Prometheus and people who read its texts. What it means stands in `core::export`.

use crate::{
    broker::Health,
    gauge::Process,
    node::Node,
    store,
    telemetry::{Source, Spans},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use std::sync::Arc;
use streamgauge_core::{
    metric::export::{self, Family, Format, PREFIX, Point, Unit, Values},
    settings::limits::Limit,
};

pub async fn metrics(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::wanted(accept);
    let text = export::write(format, &families(&node));
    ([(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")], text).into_response()
}

impl Source for Arc<Node> {
    fn node(&self) -> &str {
        &self.settings.node
    }

    fn started_us(&self) -> i64 {
        self.board.started_at() * 1_000
    }

    fn families(&self) -> Vec<Family> {
        families(self)
    }
}

/// Everything that is told to other systems.
fn families(node: &Node) -> Vec<Family> {
    let mut families = vec![Family {
        name: format!("{PREFIX}build").into(),
        unit: Unit::One,
        help: "The version that runs.",
        values: Values::Info(vec![("version", env!("CARGO_PKG_VERSION").into())]),
    }];
    families.extend(node.totals.families());
    families.extend(levels(node));
    families.extend(process(node));
    families
}

/// How things stand now.
fn levels(node: &Node) -> Vec<Family> {
    let levels = node.board.levels();
    let (waiting, lost) = node.store.write_behind().state();
    let database = node.store.health() == store::Health::Good;
    let broker = node.streams.broker.health() == Health::Good;
    let ready = broker && node.streams.drain.borrow().is_none();
    let most = node.streams.hub.limits().get(Limit::MaxConnections);
    let ours = |name: &str, unit, help, value| Family::gauge(format!("{PREFIX}{name}"), unit, help, value);
    let flag = |name: &str, help, is: bool| ours(name, Unit::One, help, f64::from(u8::from(is)));
    let count = |name: &str, help, value: u64| ours(name, Unit::One, help, value as f64);
    let mut families = vec![
        count("open_streams", "Streams that are open.", node.streams.hub.open()),
        count("polled_sessions", "Sessions polled within the last two intervals.", levels.pollers),
        count("max_connections", "Streams that this node allows.", most.into()),
        flag("ready", "1 when new streams may come.", ready),
        flag("database_up", "1 when PostgreSQL is reached.", database),
        count("samples_waiting", "Samples that wait for PostgreSQL.", waiting as u64),
        Family::counter(
            format!("{PREFIX}notes_lost"),
            Unit::One,
            "Entries that were not stored, because the buffer was full or PostgreSQL refused them.",
            lost as f64,
        ),
    ];
    if node.redis.is_some() {
        families.push(flag("redis_up", "1 when Redis is reached.", broker));
    }
    if let Some(spans) = node.telemetry.spans() {
        families.extend(traces(&spans));
    }
    if let Some(bytes) = levels.redis_memory {
        families.push(ours("redis_memory_bytes", Unit::Bytes, "Memory of Redis.", bytes as f64));
    }
    families
}

/// What became of the spans.
fn traces(spans: &Spans) -> [Family; 2] {
    let dropped = [("full", spans.overflowed), ("refused", spans.refused)]
        .map(|(reason, count)| Point { label: Some(("reason", reason.into())), value: count as f64 });
    let sent = "Spans that the OTLP collector took.";
    [
        Family::counter(format!("{PREFIX}spans_sent"), Unit::One, sent, spans.sent as f64),
        Family {
            name: format!("{PREFIX}spans_dropped").into(),
            unit: Unit::One,
            help: "Spans that were dropped: the queue was full, or the collector refused them or was away.",
            values: Values::Counter(dropped.into()),
        },
    ]
}

/// Under the names that every exporter of processes uses.
fn process(node: &Node) -> Vec<Family> {
    let started = node.board.started_at() as f64 / 1_000.0;
    let help = "When the process started, Unix time.";
    let mut families = vec![Family::gauge("process_start_time_seconds", Unit::Seconds, help, started)];
    let Some(process) = Process::look() else { return families };
    let resident = process.resident as f64;
    families.extend([
        Family::counter("process_cpu_seconds", Unit::Seconds, "CPU time used.", process.cpu_seconds),
        Family::gauge("process_resident_memory_bytes", Unit::Bytes, "Resident memory.", resident),
        Family::gauge("process_open_fds", Unit::One, "Open file descriptors.", process.open_files as f64),
    ]);
    if let Some(most) = process.most_files {
        let help = "File descriptors that may be open.";
        families.push(Family::gauge("process_max_fds", Unit::One, help, most as f64));
    }
    if let Some(limit) = process.memory_limit {
        let help = "Memory that the process may use: its control group's limit, or all of the machine.";
        families.push(Family::gauge(format!("{PREFIX}memory_limit_bytes"), Unit::Bytes, help, limit as f64));
    }
    families
}
