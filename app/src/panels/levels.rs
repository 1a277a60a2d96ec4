//! Service levels: value, target, error budget, burn rates, and ninety days of uptime.

use crate::text::{
    number::{brief, fixed},
    time::Zone,
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    metric::{
        kpi::thousands,
        sla::{BUDGET_DAYS, BURN_WINDOWS, Day, DayState, Level, LevelState, Objective, STRIP_DAYS},
        table::Metric,
    },
    page::panels::Panels,
};

pub fn levels(panels: &Panels) -> AnyView {
    let rows = panels.levels.iter().map(row).collect_view();
    let strip = strip(&panels.strip);
    view! {
        <section class="panel levels" id="levels" aria-labelledby="levels-title">
            <header>
                <h2 id="levels-title">"Service levels"</h2>
                <p class="legend">{format!("error budget left, {BUDGET_DAYS} days")}</p>
            </header>
            <table>
                <thead class="sr">
                    <tr>
                        <th scope="col">"Objective and target"</th>
                        <th scope="col">"Measured"</th>
                        <th scope="col">"Budget left"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <details class="figures">
                <summary>"Burn rates"</summary>
                {burns(&panels.levels)}
            </details>
            {strip}
        </section>
    }
    .into_any()
}

fn class(state: LevelState) -> &'static str {
    match state {
        LevelState::Met => "met",
        LevelState::AtRisk => "warning",
        LevelState::Missed => "critical",
        LevelState::NotEnoughData => "unknown",
    }
}

fn value(level: &Level) -> String {
    let digits = |value: f64| match level.objective {
        Objective::Uptime | Objective::Errors if value > 0.0 && value < 100.0 => fixed(value, 3),
        Objective::Uptime | Objective::Errors => brief(value),
        Objective::Connect | Objective::Delivery | Objective::Fallback => brief(value),
    };
    level
        .value
        .map_or_else(|| "\u{2013}".into(), |value| format!("{} {}", digits(value), level.objective.unit()))
}

fn row(level: &Level) -> impl IntoView + use<> {
    let objective = level.objective;
    let left = level.budget_left.map(|left| left.clamp(0.0, 100.0));
    // SVG attributes, since the policy forbids style attributes.
    let bar = left.map(|left| {
        view! {
            <svg class=format!("bar {}", class(level.state)) width="44" height="6" aria-hidden="true">
                <rect class="rail" width="44" height="6" rx="3"></rect>
                <rect width=format!("{:.1}", left * 0.44) height="6" rx="3"></rect>
            </svg>
        }
    });
    let said = match (level.state, level.budget_left) {
        (LevelState::NotEnoughData, _) | (_, None) => {
            format!("{} of {} {}", thousands(level.counted.all), objective.floor(), objective.events())
        }
        (LevelState::Missed, Some(left)) => format!("spent ({} %)", fixed(left, 0)),
        (_, Some(left)) => format!("{} %", fixed(left, 0)),
    };
    let of = format!(
        "{} of {} {} were bad",
        thousands(level.counted.bad),
        thousands(level.counted.all),
        objective.events()
    );
    view! {
        <tr class=class(level.state)>
            <th scope="row">
                {objective.title()}
                <span class="target">{objective.target()}</span>
            </th>
            <td class="num value" title=of>{value(level)}</td>
            <td class="num budget">{bar}<span>{said}</span></td>
        </tr>
    }
}

/// How fast each budget goes: 1 spends it exactly in the thirty days.
fn burns(levels: &[Level]) -> impl IntoView + use<> {
    let cell = |burn: &Option<f64>| {
        let text = burn.map_or_else(|| "\u{2013}".into(), |burn| format!("{} \u{d7}", brief(burn)));
        view! { <td class="num">{text}</td> }
    };
    let row = |level: &Level| {
        view! {
            <tr><th scope="row">{level.objective.title()}</th>{level.burn.iter().map(cell).collect_view()}</tr>
        }
    };
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">"Burn rate"</th>
                    {BURN_WINDOWS.map(|(_, name)| view! { <th scope="col" class="num">{name}</th> }).into_iter().collect_view()}
                </tr>
            </thead>
            <tbody>{levels.iter().map(row).collect_view()}</tbody>
        </table>
        <p class="mut">"1 \u{d7} spends the budget in exactly thirty days; from 14.4 \u{d7} over an hour it is gone in two."</p>
    }
}

fn strip(days: &[Day]) -> impl IntoView + use<> {
    let mut bars = String::new();
    let width = 100.0 / STRIP_DAYS as f64;
    let below = format!("below {} %", Metric::Uptime.target().unwrap_or_default());
    for (index, day) in days.iter().enumerate() {
        let (state, class) = match day.state() {
            DayState::Unknown => ("unknown: no probe ran", "unknown"),
            DayState::Up => ("up", "up"),
            DayState::Dented => ("up, with failed probes", "dented"),
            DayState::Down => (below.as_str(), "down"),
        };
        let percent = day.uptime().map_or_else(String::new, |percent| format!(", {} %", fixed(percent, 2)));
        // What is missing to the whole is grey: a node that was not there is neither up nor down.
        let known = if day.known() > 0.99 { 1.0 } else { day.known() };
        let part = if known < 1.0 && day.uptime().is_some() {
            format!(" of the {} % of it that were probed", fixed(known * 100.0, 0))
        } else {
            String::new()
        };
        let (x, width) = (index as f64 * width, width * 0.72);
        let height = 18.0 * known;
        let _ = write!(
            bars,
            "<g><title>{}: {state}{percent}{part}</title>\
             <rect class=\"unknown\" x=\"{x:.3}%\" width=\"{width:.3}%\" height=\"18\"></rect>\
             <rect class=\"{class}\" x=\"{x:.3}%\" width=\"{width:.3}%\" y=\"{:.1}\" height=\"{height:.1}\"></rect></g>",
            Zone::Utc.day(day.at),
            18.0 - height,
        );
    }
    let count = |state: DayState| days.iter().filter(|day| day.state() == state).count();
    let (up, dented) = (count(DayState::Up), count(DayState::Dented));
    let (down, unknown) = (count(DayState::Down), count(DayState::Unknown));
    let said = format!(
        "{STRIP_DAYS} days of uptime: {up} without a failed probe, {dented} with some, {down} {below}, {unknown} unknown."
    );
    view! {
        <svg class="strip" width="100%" height="18" role="img" aria-label=said inner_html=bars></svg>
        <p class="mut">{format!("{STRIP_DAYS} days. Grey: no probe could run, which is not down.")}</p>
    }
}
