//! Business impact: what streaming saved in the range, and what users say of it.

use crate::text::{
    number::{brief, fixed},
    time,
};
use leptos::prelude::*;
use streamgauge_core::{
    metric::{kpi::thousands, numbers::Basis},
    page::panels::Panels,
    savings::{MicroUsd, Saved},
};

pub fn savings(panels: &Panels) -> AnyView {
    let savings = match &panels.saved {
        Some(saved) => amounts(saved, panels).into_any(),
        None => view! {
            <p class="mut none">
                {if panels.view.region.is_empty() {
                    "Savings appear after one minute of followed sessions and at least one poll, which gives the size of a poll."
                } else {
                    "Savings are measured for all regions together."
                }}
            </p>
        }
        .into_any(),
    };
    view! {
        <div class="row two" id="savings">
            <section class="panel satisfaction" aria-labelledby="satisfaction-title">
                <header><h2 id="satisfaction-title">"Satisfaction with status updates"</h2></header>
                <div class="unasked">
                    // The lines of a chart that has nothing to show yet: its scale is known.
                    <svg aria-hidden="true" inner_html=unasked()></svg>
                    <p class="mut none">
                        "No survey has been answered. Scores of both cohorts, 1 to 10, with their number and interval, appear \
                        here once users are asked."
                    </p>
                </div>
            </section>
            <section class="panel savings" aria-labelledby="savings-title">
                <header>
                    <h2 id="savings-title">"Savings"</h2>
                    <p class="legend">{panels.view.range.in_words()}</p>
                </header>
                {savings}
            </section>
        </div>
    }
    .into_any()
}

/// From 1 at the bottom to 10 at the top.
fn unasked() -> String {
    [(10, 4), (5, 55), (1, 96)]
        .map(|(score, y)| {
            format!(
                "<text x=\"0\" y=\"{y}%\" dy=\"4\">{score}</text>\
                 <line x1=\"28\" x2=\"100%\" y1=\"{y}%\" y2=\"{y}%\"/>"
            )
        })
        .concat()
}

fn amounts(saved: &Saved, panels: &Panels) -> impl IntoView + use<> {
    let basis = match saved.basis {
        Basis::Measured => "measured against the control group",
        Basis::Modelled => "modelled: there is no control group, or not enough of it was measured",
    };
    let even = panels.break_even.map_or_else(
        || "Polling takes fewer bytes however long a session lasts.".to_owned(),
        |seconds| {
            format!(
                "Sessions shorter than {} take fewer bytes by polling.",
                time::span(seconds.round() as i64)
            )
        },
    );
    let mega = saved.bytes as f64 / f64::from(1 << 20);
    view! {
        <p class="big"><b>{usd(saved.total())}</b>" "<i>"saved"</i></p>
        <table>
            <tbody>
                <tr>
                    <th scope="row">{format!("Bandwidth, {} a GB", usd(saved.prices.per_gb))}</th>
                    <td class="num">{format!("{} MB", brief(mega))}</td>
                    <td class="num">{usd(saved.bandwidth)}</td>
                </tr>
                <tr>
                    <th scope="row">{format!("Requests avoided, {} a million", usd(saved.prices.per_million_requests))}</th>
                    <td class="num">{signed(saved.requests)}</td>
                    <td class="num">{usd(saved.request_cost)}</td>
                </tr>
            </tbody>
        </table>
        <p class="mut">
            {format!("Over {} session hours, {basis}. Servers, database and support are not included. ", brief(saved.session_hours))}
            {even}
        </p>
    }
}

fn signed(count: i64) -> String {
    let sign = if count < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", thousands(count.unsigned_abs()))
}

/// `$3,412.07`; below a cent as it is, so that a quiet hour does not look like nothing.
fn usd(amount: MicroUsd) -> String {
    let (sign, micros) = (if amount.0 < 0 { "\u{2212}" } else { "" }, amount.0.unsigned_abs());
    if micros < 10_000 {
        return format!("{sign}${}", fixed(micros as f64 / 1e6, 4));
    }
    let cents = (micros + 5_000) / 10_000;
    format!("{sign}${}.{:02}", thousands(cents / 100), cents % 100)
}
