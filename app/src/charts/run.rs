//! A load test over time: latency, streams, rates, and what it took of the server.

use super::{
    axis::Scale,
    figure::{note_texts, tick_texts},
    ink::Ink,
    plot::{Field, Layer, paths, view_box},
};
use crate::text::{number::brief, time};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    load_test::Point,
    metric::{
        kpi::{KpiKey, thousands},
        point::Point as Drawn,
        table::Metric,
    },
};

const P50: Metric = Metric::DeliveryLatencyP50;
const P95: Metric = Metric::DeliveryLatencyP95;
const P99: Metric = Metric::DeliveryLatencyP99;
const STREAMS: Metric = Metric::ActiveConnections;
const DELIVERED: Metric = Metric::Delivered;
const PUBLISHED: Metric = Metric::Published;
const MEMORY: Metric = Metric::Memory;
const CPU: Metric = Metric::Cpu;
/// Rows of the table; more would not be read.
const ROWS: usize = 50;

/// The Overview's points, which its plots draw; `at` counts seconds from the start.
fn drawn(point: &Point) -> Drawn {
    Drawn::hole(i64::try_from(point.at_s).unwrap_or(i64::MAX))
        .with(P50, point.p50_ms)
        .with(P95, point.p95_ms)
        .with(P99, point.p99_ms)
        .with(STREAMS, Some(point.streams.into()))
        .with(DELIVERED, Some(point.deliveries_per_second))
        .with(PUBLISHED, Some(point.messages_per_second))
        .with(MEMORY, point.pss_mb.map(|mb| mb * MEMORY.unit().per_shown()))
        .with(CPU, point.cpu_percent)
}

#[component]
pub fn RunCharts(points: Vec<Point>, deliveries: u64) -> impl IntoView {
    // Two points make a line.
    if points.len() < 2 {
        return ().into_any();
    }
    let shown: Vec<Drawn> = points.iter().map(drawn).collect();
    let all = |metric| shown.iter().filter_map(|point| point.shown(metric)).collect::<Vec<f64>>();
    let highest = |metrics: &[Metric]| metrics.iter().flat_map(|metric| all(*metric)).fold(0.0, f64::max);
    let target = KpiKey::UpdateLatency.target();
    let lowest = all(P50).into_iter().filter(|ms| *ms > 0.0).fold(target / 10.0, f64::min);
    let steps = format!("n = {} steps of {}", shown.len(), time::span(shown[1].at - shown[0].at));

    let latency = Chart {
        title: "Latency",
        keys: &[("sse", "p95"), ("band", "p50 to p99")],
        caption: format!("Due to arrival, ms, logarithmic; n = {} deliveries", thousands(deliveries)),
        height: 180,
        scale: Scale::decades(lowest, highest(&[P99]).max(target)),
        layers: vec![
            Layer::Band(Ink::Band, P50, P99),
            Layer::Rule(Ink::Target, target),
            Layer::Line(Ink::SseThin, P50),
            Layer::Line(Ink::Sse, P95),
        ],
        target: Some(target),
        summary: extremes("p95", P95, " ms", &shown),
    };
    let streams = Chart {
        title: "Streams",
        keys: &[("sse", "open")],
        caption: format!("Open at a time; {steps}"),
        scale: Scale::linear(highest(&[STREAMS]), true),
        layers: vec![Layer::Area(Ink::Fill, STREAMS), Layer::Line(Ink::Sse, STREAMS)],
        summary: extremes("streams", STREAMS, "", &shown),
        ..Chart::small()
    };
    let rate = Chart {
        title: "Rate",
        keys: &[("sse", "deliveries"), ("ink", "messages")],
        caption: format!("A second; {steps}"),
        scale: Scale::linear(highest(&[DELIVERED, PUBLISHED]), false),
        layers: vec![
            Layer::Area(Ink::Fill, DELIVERED),
            Layer::Line(Ink::Neutral, PUBLISHED),
            Layer::Line(Ink::Sse, DELIVERED),
        ],
        summary: extremes("deliveries", DELIVERED, " a second", &shown),
        ..Chart::small()
    };
    let resource = |title, metric: Metric, caption: &str, unit| {
        // It is not read each second: what lies between two readings is no hole.
        let read_at: Vec<Drawn> = shown.iter().filter(|point| point.of(metric).is_some()).copied().collect();
        (read_at.len() > 1).then(|| {
            let chart = Chart {
                title,
                caption: format!("{caption}; n = {} readings", read_at.len()),
                scale: Scale::linear(highest(&[metric]), true),
                layers: vec![Layer::Area(Ink::NeutralFill, metric), Layer::Line(Ink::Neutral, metric)],
                summary: extremes(title, metric, unit, &read_at),
                ..Chart::small()
            };
            chart.view(&read_at, span(&shown))
        })
    };
    let memory = resource("Server memory", MEMORY, "PSS of the server's process, MB", " MB");
    let cpu = resource("Server CPU", CPU, "Of the server's process, % of one core", " %");
    let span = span(&shown);
    view! {
        {latency.view(&shown, span)}
        <div class="row run">{streams.view(&shown, span)} {rate.view(&shown, span)} {memory} {cpu}</div>
        <Figures points />
    }
    .into_any()
}

fn span(points: &[Drawn]) -> (i64, i64) {
    (points.first().map_or(0, |point| point.at), points.last().map_or(1, |point| point.at))
}

/// What is drawn, in a sentence.
fn extremes(name: &str, metric: Metric, unit: &str, points: &[Drawn]) -> String {
    let values = || points.iter().filter_map(|point| point.shown(metric));
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return format!("{name}: nothing measured.");
    }
    format!("{name}: from {} to {}{unit}.", brief(low), brief(high))
}

struct Chart {
    title: &'static str,
    keys: &'static [(&'static str, &'static str)],
    /// Unit and sample count.
    caption: String,
    /// CSS pixels.
    height: u32,
    scale: Scale,
    layers: Vec<Layer>,
    target: Option<f64>,
    summary: String,
}

impl Chart {
    /// One of several beside each other; the rest is the caller's.
    fn small() -> Chart {
        Chart {
            title: "",
            keys: &[],
            caption: String::new(),
            height: 110,
            scale: Scale::linear(0.0, true),
            layers: Vec::new(),
            target: None,
            summary: String::new(),
        }
    }

    fn view(self, points: &[Drawn], (from, to): (i64, i64)) -> AnyView {
        let Chart { title, keys, caption, height, scale, layers, target, summary } = self;
        let field = Field { from, to, height, scale };
        let key = |(class, words): &(&'static str, &'static str)| {
            view! { <span class=format!("k {class}")>{*words}</span> }
        };
        let words = target.map(|level| (level, format!("target {} ms", brief(level)), ""));
        view! {
            <figure class="panel chart">
                <header>
                    <h2>{title}</h2>
                    <p class="legend">{keys.iter().map(key).collect_view()}</p>
                </header>
                <div class="plots" role="img" aria-label=format!("{title}. {summary}")>
                    <div class="plot">
                        <svg class="ticks" height=height inner_html=tick_texts(&field)></svg>
                        <svg class="field" height=height>
                            <svg
                                viewBox=view_box(height)
                                width="100%"
                                height=height
                                preserveAspectRatio="none"
                                inner_html=paths(&field, points, &layers)
                            ></svg>
                            <g inner_html=note_texts(&field, words.into_iter().collect())></g>
                        </svg>
                    </div>
                    <svg class="times" height="18" inner_html=marks(from, to)></svg>
                </div>
                <figcaption class="cap">{caption}</figcaption>
            </figure>
        }
        .into_any()
    }
}

/// Round times from the start.
fn marks(from: i64, to: i64) -> String {
    let length = (to - from).max(1);
    let steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
    let step = steps.into_iter().find(|step| length / step <= 5).unwrap_or(7_200);
    let (mut svg, mut at) = (String::new(), from);
    while at <= to {
        let x = (at - from) as f64 / length as f64 * 100.0;
        // The outer ones lean inwards: nothing stands beyond the plot.
        let class = if x > 96.0 { "tick" } else { "tick mid" };
        let _ = write!(svg, "<text class=\"{class}\" x=\"{x:.2}%\" y=\"13\">{}</text>", time::span(at));
        at += step;
    }
    svg
}

/// All charts as one table, for who cannot or will not read a drawing.
#[component]
fn Figures(points: Vec<Point>) -> impl IntoView {
    let every = points.len().div_ceil(ROWS).max(1);
    let number = |value: Option<f64>| value.map_or_else(|| "\u{2013}".into(), brief);
    let row = |point: &Point| {
        let cells = [
            number(point.p50_ms),
            number(point.p95_ms),
            number(point.p99_ms),
            thousands(point.streams.into()),
            number(Some(point.deliveries_per_second)),
            number(Some(point.messages_per_second)),
            number(point.pss_mb),
            number(point.cpu_percent),
        ];
        view! {
            <tr>
                <th scope="row">{time::span(i64::try_from(point.at_s).unwrap_or(0))}</th>
                {cells.into_iter().map(|cell| view! { <td class="num">{cell}</td> }).collect_view()}
            </tr>
        }
    };
    let names =
        ["p50, ms", "p95, ms", "p99, ms", "streams", "deliveries, /s", "messages, /s", "PSS, MB", "CPU, %"];
    view! {
        <details class="panel figures">
            <summary>"The charts as a table"</summary>
            <div class="scroll" tabindex="0" role="region" aria-label="Figures over time">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"After"</th>
                            {names.map(|name| view! { <th scope="col" class="num">{name}</th> }).into_iter().collect_view()}
                        </tr>
                    </thead>
                    <tbody>{points.iter().step_by(every).map(row).collect_view()}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}
