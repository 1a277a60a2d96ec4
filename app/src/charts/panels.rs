//! The Overview's charts.

use super::{
    axis::Scale,
    figure::{Chart, Column, Key, Plot, Window},
    ink::Ink,
    plot::Layer,
};
use crate::text::number::{brief, fixed};
use streamgauge_core::metric::{
    kpi::{KpiKey, thousands},
    table::{Better, Metric},
};

const P50: Metric = Metric::DeliveryLatencyP50;
const P95: Metric = Metric::DeliveryLatencyP95;
const P99: Metric = Metric::DeliveryLatencyP99;
const POLLING: Metric = Metric::PollStaleness;
const STREAMS: Metric = Metric::ActiveConnections;
const POLLERS: Metric = Metric::ActivePollers;
const PUBLISHED: Metric = Metric::Published;
const DELIVERED: Metric = Metric::Delivered;
const MEMORY: Metric = Metric::Memory;
const CPU: Metric = Metric::Cpu;
const REDIS: Metric = Metric::RedisMemory;
const REDUCTION: Metric = Metric::RequestReduction;
const ERRORS: Metric = Metric::ErrorRate;

fn column(name: &'static str, unit: &'static str, metric: Metric) -> Column {
    Column { name, unit, metric, text: brief }
}

fn no_notes(_: &Window) -> Vec<(f64, String, &'static str)> {
    Vec::new()
}

/// All of them, in the page's order.
#[cfg(feature = "ssr")]
pub fn all() -> [Chart; 6] {
    [latency(), connections(), throughput(), resources(), reduction(), errors()]
}

/// `measured` where the control group was; else the baseline is a model and says so.
fn polling_basis(window: &Window) -> &'static str {
    if window.newest(POLLING).is_some() { "measured" } else { "modelled" }
}

/// Steps with a figure, said only where some are missing or the count is asked for.
fn steps(window: &Window, metric: Metric) -> String {
    let (have, all) = window.measured(metric);
    let step = match window.step {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    };
    format!("{}, n = {have} of {all} steps of {step}", window.range.in_words())
}

/// The key of what is drawn along, where the view compares.
fn before(window: &Window) -> Option<Key> {
    (!window.before.is_empty()).then(|| ("before", window.range.before_in_words().into()))
}

pub fn latency() -> Chart {
    let plot = Plot {
        height: 256,
        name: "",
        scale: |window| {
            let target = KpiKey::UpdateLatency.target();
            let lowest = window.values(P50).filter(|ms| *ms > 0.0).fold(target / 10.0, f64::min);
            let highest =
                window.highest(P99).max(window.highest(POLLING)).max(window.polling_baseline).max(target);
            Scale::decades(lowest, highest)
        },
        layers: |window| {
            let polling = match polling_basis(window) {
                "measured" => Layer::Line(Ink::Poll, POLLING),
                _ => Layer::Rule(Ink::Poll, window.polling_baseline),
            };
            vec![
                Layer::Band(Ink::Band, P50, P99),
                Layer::Rule(Ink::Target, KpiKey::UpdateLatency.target()),
                polling,
                Layer::Line(Ink::SseThin, P50),
                Layer::Line(Ink::Sse, P95),
            ]
        },
        headline: P95,
        notes: |_| vec![(KpiKey::UpdateLatency.target(), target(KpiKey::UpdateLatency), "")],
        may_lack: false,
    };
    let keys = |window: &Window| -> Vec<Key> {
        let mut keys = vec![
            ("sse", "p95".into()),
            ("band", "p50 to p99".into()),
            ("poll", format!("polling, {}", polling_basis(window))),
        ];
        keys.extend(before(window));
        keys
    };
    let caption = |window: &Window| {
        let n = thousands(window.deliveries);
        format!("Publish to last byte sent, ms, logarithmic; {}, n = {n} deliveries", window.range.in_words())
    };
    let summary = |window: &Window| {
        let Some(p95) = window.newest(P95) else {
            return format!("Update latency, {}: nothing measured.", window.range.in_words());
        };
        let least = window.values(P95).fold(f64::INFINITY, f64::min);
        let polling = window.newest(POLLING).unwrap_or(window.polling_baseline);
        format!(
            "Update latency, {}: p95 is {} ms now and was between {} and {} ms; polling is at {} ms, {}; {}.",
            window.range.in_words(),
            brief(p95),
            brief(least),
            brief(window.highest(P95)),
            fixed(polling, 0),
            polling_basis(window),
            aim(KpiKey::UpdateLatency),
        )
    };
    let columns = vec![
        column("p50", " ms", P50),
        column("p95", " ms", P95),
        column("p99", " ms", P99),
        column("polling", " ms", POLLING),
    ];
    Chart { id: "latency", title: "Update latency", plots: vec![plot], columns, keys, caption, summary }
}

pub fn connections() -> Chart {
    let plot = Plot {
        height: 132,
        name: "",
        scale: |window| Scale::linear(window.highest(STREAMS).max(window.highest(POLLERS)), true),
        layers: |_| {
            vec![
                Layer::Area(Ink::Fill, STREAMS),
                Layer::Line(Ink::Poll, POLLERS),
                Layer::Line(Ink::Sse, STREAMS),
            ]
        },
        headline: STREAMS,
        notes: no_notes,
        may_lack: false,
    };
    let keys = |window: &Window| -> Vec<Key> {
        let keys = [("sse", "streams".into()), ("poll", "pollers".into())];
        keys.into_iter().chain(before(window)).collect()
    };
    let caption = |window: &Window| format!("Open at a time; {}", steps(window, STREAMS));
    let summary =
        |window: &Window| two(window, "Connections", ("streams", STREAMS), ("pollers", POLLERS), "");
    let columns = vec![column("streams", "", STREAMS), column("pollers", "", POLLERS)];
    Chart { id: "connections", title: "Connections", plots: vec![plot], columns, keys, caption, summary }
}

pub fn throughput() -> Chart {
    let plot = Plot {
        height: 132,
        name: "",
        scale: |window| Scale::linear(window.highest(DELIVERED).max(window.highest(PUBLISHED)), false),
        layers: |_| {
            vec![
                Layer::Area(Ink::Fill, DELIVERED),
                Layer::Line(Ink::Neutral, PUBLISHED),
                Layer::Line(Ink::Sse, DELIVERED),
            ]
        },
        headline: DELIVERED,
        notes: no_notes,
        may_lack: false,
    };
    let keys = |window: &Window| -> Vec<Key> {
        let keys = [("sse", "delivered".into()), ("ink", "published".into())];
        keys.into_iter().chain(before(window)).collect()
    };
    let caption = |window: &Window| format!("Events a second; {}", steps(window, DELIVERED));
    let summary = |window: &Window| {
        two(window, "Throughput", ("delivered", DELIVERED), ("published", PUBLISHED), " a second")
    };
    let columns = vec![column("delivered", " /s", DELIVERED), column("published", " /s", PUBLISHED)];
    Chart { id: "throughput", title: "Throughput", plots: vec![plot], columns, keys, caption, summary }
}

/// A plot each: they have no scale in common.
pub fn resources() -> Chart {
    let memory = Plot {
        height: 40,
        name: "memory, MB",
        scale: |window| ends(Scale::linear(window.highest(MEMORY), true)),
        layers: |_| vec![Layer::Area(Ink::NeutralFill, MEMORY), Layer::Line(Ink::Neutral, MEMORY)],
        headline: MEMORY,
        notes: no_notes,
        may_lack: false,
    };
    let cpu = Plot {
        name: "CPU, % of one core",
        scale: |window| ends(Scale::linear(window.highest(CPU), true)),
        layers: |_| vec![Layer::Area(Ink::NeutralFill, CPU), Layer::Line(Ink::Neutral, CPU)],
        headline: CPU,
        ..memory
    };
    let redis = Plot {
        name: "memory of Redis, MB",
        scale: |window| ends(Scale::linear(window.highest(REDIS), true)),
        layers: |_| vec![Layer::Area(Ink::NeutralFill, REDIS), Layer::Line(Ink::Neutral, REDIS)],
        headline: REDIS,
        may_lack: true,
        ..memory
    };
    let keys = |window: &Window| -> Vec<Key> { before(window).into_iter().collect() };
    let caption = |window: &Window| format!("All nodes together; {}", steps(window, MEMORY));
    let summary = |window: &Window| two(window, "Resources", ("MB of memory", MEMORY), ("% CPU", CPU), "");
    let columns =
        vec![column("memory", " MB", MEMORY), column("CPU", " %", CPU), column("Redis", " MB", REDIS)];
    let plots = vec![memory, cpu, redis];
    Chart { id: "resources", title: "Resources", plots, columns, keys, caption, summary }
}

pub fn reduction() -> Chart {
    let plot = Plot {
        height: 132,
        name: "",
        scale: |_| Scale::linear(100.0, true),
        layers: |_| {
            vec![
                Layer::Rule(Ink::Target, KpiKey::RequestReduction.target()),
                Layer::Area(Ink::Fill, REDUCTION),
                Layer::Line(Ink::Sse, REDUCTION),
            ]
        },
        headline: REDUCTION,
        notes: |_| vec![(KpiKey::RequestReduction.target(), target(KpiKey::RequestReduction), "")],
        may_lack: false,
    };
    let keys = |window: &Window| -> Vec<Key> {
        [("sse", "requests avoided, %".into())].into_iter().chain(before(window)).collect()
    };
    let caption = |window: &Window| {
        format!(
            "1 - streaming / polling, a session hour each, measured against the control group; {}",
            steps(window, REDUCTION)
        )
    };
    let summary = |window: &Window| one(window, KpiKey::RequestReduction);
    let columns = vec![column("requests avoided", " %", REDUCTION)];
    Chart { id: "reduction", title: "Request reduction", plots: vec![plot], columns, keys, caption, summary }
}

pub fn errors() -> Chart {
    let plot = Plot {
        height: 132,
        name: "",
        scale: |window| Scale::linear(window.highest(ERRORS).max(2.0 * KpiKey::ErrorRate.target()), false),
        layers: |_| {
            vec![
                Layer::Rule(Ink::Target, KpiKey::ErrorRate.target()),
                Layer::Area(Ink::NeutralFill, ERRORS),
                Layer::Line(Ink::Neutral, ERRORS),
            ]
        },
        headline: ERRORS,
        notes: |_| vec![(KpiKey::ErrorRate.target(), target(KpiKey::ErrorRate), "")],
        may_lack: false,
    };
    let keys = |window: &Window| -> Vec<Key> {
        [("ink", "failed, %".into())].into_iter().chain(before(window)).collect()
    };
    let caption = |window: &Window| {
        format!(
            "Failed streams and deliveries, of all attempts and deliveries due; {}",
            steps(window, ERRORS)
        )
    };
    let summary = |window: &Window| one(window, KpiKey::ErrorRate);
    let columns = vec![column("failed", " %", ERRORS)];
    Chart { id: "errors", title: "Error rate", plots: vec![plot], columns, keys, caption, summary }
}

fn one(window: &Window, key: KpiKey) -> String {
    let metric = key.metric();
    let value = window.newest(metric).map_or_else(|| "no".into(), brief);
    let (title, range, highest) = (key.title(), window.range.in_words(), brief(window.highest(metric)));
    format!("{title}, {range}: {value} % now, at most {highest} %; {}.", aim(key))
}

/// Beside the line at the target.
fn target(key: KpiKey) -> String {
    format!("target {} {}", key.target(), key.metric().unit().short())
}

/// As a sentence ends.
fn aim(key: KpiKey) -> String {
    let side = match key.better() {
        Better::Lower => "under",
        Better::Higher => "at least",
    };
    format!("the target is {side} {} {}", key.target(), key.metric().unit().short())
}

/// A low plot has room for the two outer ticks.
fn ends(scale: Scale) -> Scale {
    Scale { ticks: vec![scale.low, scale.high], ..scale }
}

fn two(window: &Window, title: &str, first: (&str, Metric), second: (&str, Metric), unit: &str) -> String {
    let say = |(name, metric): (&str, Metric)| {
        let value = window.newest(metric).map_or_else(|| "no".into(), brief);
        format!("{value} {name}{unit} now, at most {}", brief(window.highest(metric)))
    };
    format!("{title}, {}: {}; {}.", window.range.in_words(), say(first), say(second))
}
