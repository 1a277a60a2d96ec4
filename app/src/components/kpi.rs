//! One headline figure with its unit, state, target, change, comparison, window and sample count.

use super::bound::text;
use crate::{
    charts::{figure::Window, gauge, spark::Spark},
    text::{
        html::escape,
        number::{figure, fixed, tick},
    },
};
use leptos::prelude::*;
use streamgauge_core::{
    metric::{
        kpi::{Kpi, KpiKey, KpiState, thousands},
        range::Range,
        table::Better,
    },
    page::board::Overview,
};

/// The figure at `index` of the board.
#[component]
pub fn KpiCard(board: RwSignal<Overview>, index: usize, key: KpiKey, window: Memo<Window>) -> impl IntoView {
    let of = move |say: fn(&Kpi, Range) -> String| {
        text(move || {
            board
                .with(|board| board.kpis.get(index).map(|kpi| say(kpi, board.view.range)).unwrap_or_default())
        })
    };
    let heading = format!("kpi-{key:?}");
    let labelled_by = heading.clone();
    view! {
        <article class=of(|kpi, _| format!("kpi {}", gauge::class(kpi.state))) aria-labelledby=labelled_by>
            <header>
                <h2 id=heading><a href=key.chart()>{key.title()}</a></h2>
                <span class=of(|kpi, _| format!("state {}", gauge::class(kpi.state)))>{of(|kpi, _| state(kpi).into())}</span>
            </header>
            <p class="big">
                <b>{of(|kpi, _| kpi.value.map_or_else(|| "\u{2014}".into(), |value| figure(kpi.key, value)))}</b>
                " "
                <i>{key.unit()}</i>
                <Spark key window />
            </p>
            <svg
                class="gauge"
                height="36"
                role="img"
                aria-label=of(|kpi, _| gauge::accessible_name(kpi))
                inner_html=of(|kpi, _| gauge::drawn(kpi))
            ></svg>
            <p class="compare" inner_html=of(compare)></p>
            <p class="basis">{of(basis)}</p>
        </article>
    }
    .into_any()
}

/// "not enough data: needs 20 deliveries, has 7": the state beside the title, the count under the figure.
fn state(kpi: &Kpi) -> &str {
    kpi.note.split(": ").next().unwrap_or_default()
}

/// Change and comparison in one line of HTML.
fn compare(kpi: &Kpi, range: Range) -> String {
    format!("{}<span class=\"cmp\">{}</span>", change(kpi, range), against_polling(kpi))
}

/// An arrow for the eye, a sentence for the ear.
fn change(kpi: &Kpi, range: Range) -> String {
    let Some(trend) = kpi.trend else { return String::new() };
    let unit = match kpi.key {
        KpiKey::UpdateLatency => " ms",
        KpiKey::ActiveConnections => "",
        KpiKey::RequestReduction | KpiKey::ErrorRate => " pp",
    };
    let size = format!("{}{unit}", figure(kpi.key, trend.change.abs()));
    let moves = size.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let arrow = match moves {
        false => "\u{b1}",
        true if trend.change > 0.0 => "\u{25b4}",
        true => "\u{25be}",
    };
    let (class, verdict) = match trend.improving {
        Some(true) => ("delta good", ", better"),
        Some(false) => ("delta bad", ", worse"),
        None => ("delta", ""),
    };
    let way = if trend.change < 0.0 { "less" } else { "more" };
    let said = format!("{size} {way} than in the {}{verdict}", range.before_in_words());
    format!(
        "<span class=\"{class}\" title=\"{said}\"><span aria-hidden=\"true\">{arrow} {size}</span>\
         <span class=\"sr\">{said}</span></span>"
    )
}

/// HTML.
fn against_polling(kpi: &Kpi) -> String {
    if kpi.state == KpiState::NotEnoughData {
        return escape(kpi.note.split_once(": ").map_or("", |(_, count)| count));
    }
    let Some(comparison) = kpi.comparison else {
        return format!("of <b>{}</b> {}", thousands(kpi.samples), kpi.key.sample_unit());
    };
    let (polling, streaming) = (fixed(comparison.polling, 0), fixed(comparison.streaming, 0));
    match kpi.key {
        KpiKey::UpdateLatency => {
            let digits = |percent| fixed(percent, if percent > 99.0 { 1 } else { 0 });
            let percent = comparison.improvement.map_or_else(|| "\u{2013}".into(), digits);
            format!("<b>{percent} %</b> fresher than polling")
        }
        KpiKey::RequestReduction => format!("<b>{polling}</b> \u{2192} <b>{streaming}</b> requests an hour"),
        KpiKey::ActiveConnections => format!("<b>{polling}</b> polling"),
        KpiKey::ErrorRate => String::new(),
    }
}

/// Target, window and sample count in one quiet line.
fn basis(kpi: &Kpi, range: Range) -> String {
    let key = kpi.key;
    let side = match key.better() {
        Better::Lower => "under",
        Better::Higher => "at least",
    };
    let unit = match key {
        KpiKey::UpdateLatency => " ms",
        KpiKey::ActiveConnections => "",
        KpiKey::RequestReduction | KpiKey::ErrorRate => " %",
    };
    let target = format!("target {side} {}{unit}", tick(key.target()));
    match key {
        KpiKey::ActiveConnections => format!("{target}; now"),
        _ => format!("{target}; {}, n = {} {}", range.in_words(), thousands(kpi.samples), key.sample_unit()),
    }
}
