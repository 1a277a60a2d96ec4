//! The history for others: figures by step as JSON or CSV, panels, charts as SVG, annotations.

use super::{body::Checked, extract::Asked, problem::Problem};
use crate::{
    backend::{Figures, unavailable},
    clock,
    node::Node,
    store::{StoreError, Whose},
};
use axum::{
    Extension, Json,
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{fmt::Write, iter, sync::Arc};
use streamgauge_app::api::backend::Unavailable;
use streamgauge_core::{
    access::Actor,
    metric::{
        measure::{
            counters::Counter,
            sample::{Measure, Sample},
            tiers::tier_of,
        },
        range::{Range, STEPS, View},
        table::{Given, Metric},
    },
    page::{
        annotation::{Annotation, NewAnnotation},
        panels::Panels,
    },
};

/// Steps of one answer, and rows of the history, of one node, that it is made of.
const MOST: i64 = 10_000;
const MOST_READ: i64 = 20_000;
const DAY: i64 = 86_400;
const MONTH: i64 = 31 * DAY;

#[derive(Deserialize)]
pub struct Window {
    range: Option<String>,
    /// Unix seconds.
    from: Option<String>,
    to: Option<String>,
    /// Seconds; the range's own, if it is not given.
    step: Option<i64>,
    node: Option<String>,
    region: Option<String>,
    format: Option<String>,
}

impl From<Unavailable> for Problem {
    fn from(away: Unavailable) -> Problem {
        Problem::away(&away.0)
    }
}

/// One row a step, `null` for what was not measured in it. Steps in which nothing at all was measured are left out.
pub async fn metrics(
    State(node): State<Arc<Node>>,
    Extension(figures): Extension<Arc<Figures>>,
    Asked(window): Asked<Window>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = range(&window)?;
    let now = clock::now_ms() / 1_000;
    let asked = window.step.unwrap_or(range.step());
    if !(STEPS.contains(&asked) || asked % DAY == 0 && (DAY..=MONTH).contains(&asked)) {
        let steps = STEPS.map(|step| step.to_string()).join(", ");
        return Err(Problem::field(
            "step",
            format!("step must be one of {steps} seconds, or up to 31 days."),
        ));
    }
    if range.seconds() / asked > MOST || range.seconds() / tier_of(asked) > MOST_READ {
        let detail = format!(
            "step makes more than {MOST} rows, or needs more than {MOST_READ} of the history; make it longer."
        );
        return Err(Problem::field("step", detail));
    }
    let names = View::of(|name| match name {
        "node" => window.node.clone(),
        "region" => window.region.clone(),
        _ => None,
    });
    let whose = Whose { node: names.node, region: names.region };
    let history = figures.store().history();
    let interval = node.settings.poll_interval_ms;
    let loaded = async {
        let step = history.kept_step(asked, range.window_in(asked, now).0).await?;
        let (from, to) = range.window_in(step, now);
        let each = move |sample: &Sample| row(sample, interval);
        Ok::<_, StoreError>((from, to, step, history.load((from, to, step), &whose, each).await?))
    }
    .await;
    let (from, to, step, loaded) = loaded.map_err(|error| unavailable("Figures", &error))?;
    let rows: Vec<Map<String, Value>> = loaded.steps.into_values().collect();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // CSV or JSON by what the request accepts.
    let vary = [(header::VARY, "accept")];
    if window.format.as_deref() == Some("csv") || accept.contains("text/csv") {
        let name = format!("attachment; filename=\"streamgauge-{from}-{to}.csv\"");
        let mut response = (vary, csv(&rows)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
        );
        if let Ok(name) = HeaderValue::from_str(&name) {
            headers.insert(header::CONTENT_DISPOSITION, name);
        }
        return Ok(response);
    }
    let whose = json!({ "node": whose.node, "region": whose.region });
    let body = json!({ "from": from, "to": to, "step": step, "of": whose, "rows": rows });
    Ok((vary, Json(body)).into_response())
}

fn range(window: &Window) -> Result<Range, Problem> {
    if window.from.is_some() || window.to.is_some() {
        let moment = |text: &Option<String>| text.as_ref()?.parse().ok();
        let chosen =
            moment(&window.from).zip(moment(&window.to)).and_then(|(from, to)| Range::custom(from, to));
        return chosen.ok_or_else(|| {
            Problem::field("from", "from and to go together: Unix seconds, from a minute to 366 days apart.")
        });
    }
    match &window.range {
        None => Ok(Range::Hour),
        Some(text) => Range::parse(text).ok_or_else(|| {
            Problem::field("range", "range must be 1h, 24h, 7d, 30d or FROM-TO in Unix seconds.")
        }),
    }
}

/// Counters as they are stored, percentiles in milliseconds, and the numbers that are made of them. Of a region `null` for
/// what is not kept by region.
fn row(sample: &Sample, poll_interval_ms: u32) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("at".into(), sample.start.into());
    let number = |value: Option<f64>| value.map_or(Value::Null, |value| json!((value * 1e6).round() / 1e6));
    let mut put = |name: &str, value| {
        row.insert(name.to_owned(), number(value));
    };
    let given = Given { sample, poll_interval_ms };
    // The percentiles follow, three of each histogram.
    let derived = Metric::ALL.into_iter().filter(|metric| !metric.unit().is_percentile());
    let readings: Vec<_> = derived.map(|metric| (metric, metric.read(&given))).collect();
    for (metric, reading) in &readings {
        put(&metric.column(), reading.value);
    }
    for (metric, reading) in readings.into_iter().filter(|(metric, _)| metric.is_compared()) {
        let basis = reading.basis.map_or(Value::Null, |basis| basis.as_str().into());
        row.insert(format!("{}_basis", metric.name()), basis);
    }
    for measure in Measure::ALL {
        for (name, percentile) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
            let value = sample.percentile(measure, percentile, 1).map(|value| measure.ms(value));
            row.insert(format!("{}_{name}_ms", measure.name()), number(value));
        }
        let told = sample.region.is_empty() || measure.is_by_region();
        let count = told.then(|| sample.histograms.get(measure).len() as f64);
        row.insert(format!("{}_count", measure.name()), number(count));
    }
    for &counter in Counter::ALL {
        let count = sample.tells(counter).then(|| sample.counters.get(counter));
        row.insert(counter.name().to_owned(), count.into());
    }
    row
}

/// The names in a row, the time first.
pub fn columns() -> Vec<String> {
    let row = row(&Sample::new("", 0, 10), 3_000);
    let others = row.into_iter().map(|(name, _)| name).filter(|name| name != "at");
    iter::once("at".to_owned()).chain(others).collect()
}

/// Nothing in it can begin a formula: names and words are ours, and all other values are numbers.
fn csv(rows: &[Map<String, Value>]) -> String {
    let names = columns();
    let mut text = names.join(",") + "\r\n";
    for row in rows {
        for (index, name) in names.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match row.get(name) {
                Some(Value::Null) | None => text.push_str(comma),
                Some(Value::String(word)) => {
                    let _ = write!(text, "{comma}{word}");
                }
                Some(value) => {
                    let _ = write!(text, "{comma}{value}");
                }
            }
        }
        text.push_str("\r\n");
    }
    text
}

fn view(query: Option<String>) -> View {
    View::parse(query.as_deref().unwrap_or_default())
}

/// What the Overview's panels show.
pub async fn panels(
    Extension(figures): Extension<Arc<Figures>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Panels>, Problem> {
    Ok(Json(figures.panels(view(query)).await?))
}

/// The same as the page has it: what the page puts in by itself.
pub async fn fragment(Extension(figures): Extension<Arc<Figures>>, RawQuery(query): RawQuery) -> Response {
    let panels = figures.panels(view(query)).await.map_err(|away| away.into());
    Html(streamgauge_app::fragment(panels)).into_response()
}

/// One of the Overview's charts as a picture that stands alone.
pub async fn chart(
    Extension(figures): Extension<Arc<Figures>>,
    Path(file): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let overview = figures.overview(view(query)).await?;
    let name = file.strip_suffix(".svg").unwrap_or_default();
    let svg = streamgauge_app::chart_svg(name, &overview)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "There is no such chart."))?;
    let name = format!("attachment; filename=\"{name}.svg\"");
    let mut response = svg.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

pub async fn annotations(
    Extension(figures): Extension<Arc<Figures>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Annotation>>, Problem> {
    let view = view(query);
    let (from, to) = view.range.window(clock::now_ms() / 1_000);
    let found = figures.store().traces().annotations(from, to, &view.node).await;
    found.map(Json).map_err(|error| unavailable("Annotations", &error).into())
}

pub async fn annotate(
    Extension(figures): Extension<Arc<Figures>>,
    Extension(actor): Extension<Actor>,
    Checked(wish): Checked<NewAnnotation>,
) -> Result<Response, Problem> {
    let checked = Annotation::check(wish, actor.name(), clock::now_ms() / 1_000);
    let annotation = checked.map_err(|(field, detail)| Problem::field(field, detail))?;
    let id = figures.store().traces().add_annotation(&annotation, &actor).await;
    let id = id.map_err(|error| unavailable("Annotations", &error))?;
    Ok((StatusCode::CREATED, Json(Annotation { id, ..annotation })).into_response())
}

pub async fn remove_annotation(
    Extension(figures): Extension<Arc<Figures>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "There is no such annotation.");
    // What is no number names none.
    let id: i64 = id.parse().map_err(|_| unknown())?;
    let removed = figures.store().traces().remove_annotation(id, &actor).await;
    match removed.map_err(|error| unavailable("Annotations", &error))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}
