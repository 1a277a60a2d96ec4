//! One headline figure with its unit, state, target, change, comparison, window and sample count.

use crate::{
    charts::{
        figure::Window,
        gauge::{self, Gauge},
        spark::Spark,
    },
    text::number::{figure, fixed, tick},
};
use leptos::prelude::*;
use streamgauge_core::{
    kpi::{Better, Kpi, KpiKey, KpiState, thousands},
    range::Range,
};

#[component]
pub fn KpiCard(kpi: Signal<Kpi>, window: Memo<Window>) -> impl IntoView {
    let key = kpi.with_untracked(|kpi| kpi.key);
    let range = Memo::new(move |_| window.with(|window| window.range));
    let value = move || kpi.with(|kpi| kpi.value.map_or_else(|| "\u{2014}".into(), |value| figure(key, value)));
    let state = move || kpi.with(|kpi| gauge::class(kpi.state));
    // "not enough data: 7 of 20 deliveries": the state beside the title, the count under the figure.
    let note = move || kpi.with(|kpi| kpi.note.split(':').next().unwrap_or_default().to_owned());
    let heading = format!("kpi-{key:?}");
    let labelled_by = heading.clone();
    view! {
        <article class=move || format!("kpi {}", state()) aria-labelledby=labelled_by>
            <header>
                <h2 id=heading>{key.title()}</h2>
                <span class=move || format!("state {}", state())>{note}</span>
            </header>
            <p class="big">
                <b>{value}</b>
                " "
                <i>{key.unit()}</i>
                <Spark key window />
            </p>
            <Gauge kpi />
            <p class="compare">
                {move || kpi.with(|kpi| change(kpi, range.get()))}
                <span class="cmp">{move || kpi.with(against_polling)}</span>
            </p>
            <p class="basis">{move || kpi.with(|kpi| basis(kpi, range.get()))}</p>
        </article>
    }
    .into_any()
}

/// An arrow for the eye, a sentence for the ear.
fn change(kpi: &Kpi, range: Range) -> impl IntoView + use<> {
    let unit = match kpi.key {
        KpiKey::UpdateLatency => " ms",
        KpiKey::ActiveConnections => "",
        KpiKey::RequestReduction | KpiKey::ErrorRate => " pp",
    };
    let (class, shown, said) = match kpi.trend {
        None => ("delta", String::new(), String::new()),
        Some(trend) => {
            let text = format!("{}{unit}", figure(kpi.key, trend.change.abs()));
            let moves = trend.change != 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
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
            (class, format!("{arrow} {text}"), format!("{text} {way} than in the {} before{verdict}", before(range)))
        }
    };
    view! {
        <span class=class title=said.clone()>
            <span aria-hidden="true">{shown}</span>
            <span class="sr">{said.clone()}</span>
        </span>
    }
}

fn before(range: Range) -> &'static str {
    match range {
        Range::Hour => "hour",
        Range::Day => "24 hours",
        Range::Week => "7 days",
    }
}

fn against_polling(kpi: &Kpi) -> AnyView {
    if kpi.state == KpiState::NotEnoughData {
        let missing = kpi.note.split_once(": ").map(|(_, count)| count.to_owned()).unwrap_or_default();
        return view! { {missing} }.into_any();
    }
    let Some(comparison) = kpi.comparison else {
        return view! { "of "<b>{thousands(kpi.samples)}</b>" "{kpi.key.sample_unit()} }.into_any();
    };
    match kpi.key {
        KpiKey::UpdateLatency => {
            let percent = comparison.improvement.map_or_else(|| "\u{2013}".into(), |p| fixed(p, if p > 99.0 { 1 } else { 0 }));
            view! { <b>{percent}" %"</b>" fresher than polling" }.into_any()
        }
        KpiKey::RequestReduction => {
            let (polling, streaming) = (fixed(comparison.polling, 0), fixed(comparison.streaming, 0));
            view! { <b>{polling}</b>" \u{2192} "<b>{streaming}</b>" requests an hour" }.into_any()
        }
        KpiKey::ActiveConnections => {
            view! { "beside "<b>{fixed(comparison.polling, 0)}</b>" polling" }.into_any()
        }
        KpiKey::ErrorRate => ().into_any(),
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
