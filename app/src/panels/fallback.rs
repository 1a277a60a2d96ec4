//! Why clients left the stream: by reason, over time, by browser, region and route, and the patterns in words.

use crate::text::{
    html::query_value,
    number::{count, fixed},
    time::Zone,
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    metric::{
        fallback::{Analysis, Count, Dimension, Pattern},
        kpi::thousands,
        region::shown_name,
    },
    page::{annotation::Annotation, panels::Panels},
};

pub fn fallback(panels: &Panels) -> AnyView {
    let analysis = &panels.fallback;
    // Sessions are counted where they begin, which is no follower's region.
    let of_region = !panels.view.region.is_empty();
    let of = if of_region {
        count(analysis.events, "fallback", "fallbacks")
    } else {
        format!("{} of {} sessions", thousands(analysis.fell_back), thousands(analysis.sessions))
    };
    let body = if analysis.events == 0 {
        let words = if analysis.sessions == 0 && !of_region {
            "No session of the stream cohort began in this range."
        } else {
            "No follower fell back to polling in this range."
        };
        view! { <p class="mut none">{words}" Fallbacks are reported by the browser SDK."</p> }.into_any()
    } else {
        shown(panels).into_any()
    };
    view! {
        <section class="panel fallback" id="fallback" aria-labelledby="fallback-title">
            <header>
                <h2 id="fallback-title">"Fallback to polling"</h2>
                <p class="legend">{of}</p>
            </header>
            {body}
        </section>
    }
    .into_any()
}

fn shown(panels: &Panels) -> impl IntoView + use<> {
    let analysis = &panels.fallback;
    let reasons = analysis.by_reason.iter().map(|(reason, count)| {
        (reason.title().to_owned(), *count, Some(sessions(reason.as_str(), &panels.view.region)))
    });
    let regions = analysis
        .by_region
        .iter()
        .map(|(region, count)| (shown_name(region), *count, Some(sessions("any", region))));
    let plain = |counts: &[Count]| counts.iter().map(|(name, count)| (name.clone(), *count, None)).collect();
    let patterns = analysis.patterns.iter().map(|pattern| say(pattern, &panels.annotations)).collect_view();
    let quiet = analysis.patterns.is_empty().then(|| {
        view! { <p class="mut">"No pattern: no reason is likelier in one browser, region or route than chance allows."</p> }
    });
    view! {
        {bars("Reason", reasons.collect())}
        {over_time(analysis)}
        {patterns}
        {quiet}
        <details class="figures">
            <summary>"By browser, region and route"</summary>
            {bars("Browser", plain(&analysis.by_browser))}
            {bars("Region", regions.collect())}
            {bars("Route", plain(&analysis.by_route))}
        </details>
    }
}

/// Where the sessions with such a fallback are listed.
fn sessions(fallback: &str, region: &str) -> String {
    format!("/search?fallback={fallback}&fell_in={}", query_value(region))
}

/// A bar with its sessions, where they can be listed.
type Bar = (String, u64, Option<String>);

fn bars(title: &'static str, bars: Vec<Bar>) -> impl IntoView + use<> {
    let most = bars.iter().map(|(_, count, _)| *count).max().unwrap_or(1).max(1);
    let row = |(name, count, sessions): Bar| {
        let width = count as f64 / most as f64 * 80.0;
        let name = match sessions {
            Some(href) => view! { <a href=href rel="external">{name}</a> }.into_any(),
            None => name.into_any(),
        };
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td class="meter" aria-hidden="true">
                    <svg width="80" height="6"><rect width=format!("{width:.1}") height="6" rx="3"></rect></svg>
                </td>
                <td class="num">{thousands(count)}</td>
            </tr>
        }
    };
    view! {
        <table class="bars">
            <caption class="sr">{format!("Fallbacks by {}", title.to_lowercase())}</caption>
            <thead class="sr">
                <tr><th scope="col">{title}</th><td></td><th scope="col">"Fallbacks"</th></tr>
            </thead>
            <tbody>{bars.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

/// A column a step of the range, without an axis: when, and how much at most.
fn over_time(analysis: &Analysis) -> impl IntoView + use<> {
    // Enough columns to see a burst, few enough to see them.
    let width = analysis.over_time.len().div_ceil(60).max(1);
    let columns: Vec<(i64, u64)> =
        analysis.over_time.chunks(width).map(|part| (part[0].0, part.iter().map(|(_, n)| n).sum())).collect();
    let most = columns.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let each = 100.0 / columns.len().max(1) as f64;
    let mut svg = String::new();
    for (index, (at, count)) in columns.iter().enumerate().filter(|(_, (_, count))| *count > 0) {
        let height = (*count as f64 / most as f64 * 30.0).max(2.0);
        let _ = write!(
            svg,
            "<rect x=\"{:.2}%\" width=\"{:.2}%\" y=\"{:.1}\" height=\"{height:.1}\"><title>{}: {count}</title></rect>",
            index as f64 * each,
            each * 0.8,
            30.0 - height,
            Zone::Utc.minute(*at),
        );
    }
    let peak = columns.iter().max_by_key(|(_, count)| *count).map_or(0, |(at, _)| *at);
    let said = format!(
        "Over time: {} in all, at most {} at once, at {} UTC.",
        count(analysis.events, "fallback", "fallbacks"),
        thousands(most),
        Zone::Utc.minute(peak)
    );
    view! {
        <svg class="columns" width="100%" height="30" role="img" aria-label=said.clone() inner_html=svg></svg>
        <p class="mut">{said}</p>
    }
}

/// Minutes within which a restart or deploy is named as what a pattern may have begun with.
const BEGAN_WITH: i64 = 600;

fn say(pattern: &Pattern, annotations: &[Annotation]) -> impl IntoView + use<> {
    let place = match pattern.dimension {
        Dimension::Browser => format!("in {}", pattern.value),
        Dimension::Region => format!("in {}", shown_name(&pattern.value)),
        Dimension::Route => format!("on {}", pattern.value),
    };
    let before = annotations.iter().rev().find(|flag| (0..BEGAN_WITH).contains(&(pattern.since - flag.at)));
    let with = before.map_or_else(String::new, |flag| format!(", just after \u{201c}{}\u{201d}", flag.text));
    let words = format!(
        "\u{201c}{}\u{201d} is {} times likelier {place} than elsewhere ({} of them), and began at {} UTC{with}. ",
        pattern.reason.title(),
        fixed(pattern.times, 0),
        thousands(pattern.count),
        Zone::Utc.minute(pattern.since),
    );
    let there = match pattern.dimension {
        Dimension::Region => Some(sessions(pattern.reason.as_str(), &pattern.value)),
        Dimension::Browser | Dimension::Route => None,
    };
    view! {
        <p class="pattern">
            <b>"Pattern. "</b>
            {words}
            {pattern.reason.hint()}
            {there.map(|href| view! { " "<a href=href rel="external">"Sessions there"</a> })}
        </p>
    }
}
