//! One load's p95 from run to run: a dot a run, the newest one last.

use super::{axis::Scale, figure::tick_texts, plot::Field};
use crate::{
    components::options::RunOptions,
    text::{html::query_value, number::brief, time::Zone},
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::load_test::{Change, Row, Trend};

const HEIGHT: u32 = 84;
/// So that the first and the last dot lie inside, percent.
const EDGE: f64 = 2.0;
/// From here on a linear axis would press the low values onto the ground.
const DECADES_FROM: f64 = 20.0;

#[component]
pub fn TrendChart(trend: Trend) -> impl IntoView {
    let Trend { rows, change } = trend;
    let newest = rows.last()?;
    let scale = scale(&rows);
    let field = Field { from: 0, to: 1, height: HEIGHT, scale };
    let href = format!("/load-tests?scenario={}", query_value(&newest.scenario));
    let value = newest.p95().map_or_else(|| "\u{2014}".into(), brief);
    let (class, words) = change_words(change);
    let axis = if field.scale.logarithmic { "logarithmic" } else { "linear" };
    let days = |row: &Row| Zone::Utc.day(row.started_at / 1_000);
    let (first, last) = (days(&rows[0]), days(newest));
    let when = if first == last { last } else { format!("{first} to {last}") };
    let caption = format!("Delivery p95, ms, {axis}; {} runs, {when}", rows.len());
    Some(
        view! {
            <figure class="panel chart trend">
                <header>
                    <h2><a href=href>{newest.scenario.clone()}</a></h2>
                    <p class="legend"><RunOptions options=&newest.options /></p>
                </header>
                <p class="big"><b>{value}</b>" "<i>"ms p95"</i></p>
                <p class=class>{words}</p>
                <div class="plots" role="img" aria-label=summary(&rows)>
                    <div class="plot">
                        <svg class="ticks" height=HEIGHT inner_html=tick_texts(&field)></svg>
                        <svg class="field" height=HEIGHT inner_html=drawn(&rows, &field)></svg>
                    </div>
                </div>
                <figcaption class="cap">{caption}</figcaption>
            </figure>
        }
        .into_any(),
    )
}

/// Its class and its words: what became of p95 since the run before.
pub fn change_words(change: Option<Change>) -> (&'static str, String) {
    match change {
        Some(Change::Better(ms)) => {
            ("delta good", format!("\u{25be} {} ms better than the run before", brief(ms)))
        }
        Some(Change::Worse(ms)) => {
            ("delta bad", format!("\u{25b4} {} ms worse than the run before", brief(ms)))
        }
        Some(Change::Same) => ("delta", "\u{b1} as in the run before".into()),
        None => ("delta", "not comparable with the run before".into()),
    }
}

fn scale(rows: &[Row]) -> Scale {
    let values = || rows.iter().filter_map(Row::p95);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if low.is_finite() && low > 0.0 && high / low >= DECADES_FROM {
        Scale::decades(low, high)
    } else {
        Scale::linear(high, false)
    }
}

fn x(index: usize, rows: &[Row]) -> f64 {
    EDGE + index as f64 / (rows.len() - 1).max(1) as f64 * (100.0 - 2.0 * EDGE)
}

/// The line lies in a box that is stretched, the dots beside it at percentages: they stay round.
fn drawn(rows: &[Row], field: &Field) -> String {
    let (mut d, mut pen_down, mut dots) = (String::new(), false, String::new());
    for (index, row) in rows.iter().enumerate() {
        if let Some(p95) = row.p95() {
            let (x, y) = (x(index, rows), field.scale.y(p95, field.height));
            let class = if row.passed { "dot" } else { "dot missed" };
            let _ = write!(d, "{}{x:.2} {y:.1}", if pen_down { 'L' } else { 'M' });
            let _ = write!(
                dots,
                "<circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{y:.1}\" r=\"3\"><title>{} ms, run {}</title></circle>",
                brief(p95),
                row.id
            );
        }
        pen_down = row.p95().is_some();
    }
    let mut mesh = String::new();
    for (value, _) in field.scale.labels() {
        let y = field.scale.y(value, field.height);
        let _ = write!(mesh, "<path class=\"mesh\" d=\"M0 {y:.1}H100\"/>");
    }
    format!(
        "<svg viewBox=\"0 0 100 {0}\" width=\"100%\" height=\"{0}\" preserveAspectRatio=\"none\">{mesh}\
         <path class=\"line sse\" d=\"{d}\"/></svg>{dots}",
        field.height
    )
}

/// Everything that the drawing says.
fn summary(rows: &[Row]) -> String {
    let value =
        |row: &Row| row.p95().map_or_else(|| "too few deliveries".into(), |ms| format!("{} ms", brief(ms)));
    let values = rows.iter().map(value).collect::<Vec<_>>().join(", ");
    format!("Delivery p95 of {} runs, the oldest first: {values}.", rows.len())
}
