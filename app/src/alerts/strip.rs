//! The last 24 hours of all rules on one axis: it answers whether there is one cause or many. The last hour has a scale of
//! its own behind a visible break, since 14 minutes of a day are ten pixels.

use super::words::{lasted, short_of, when};
use crate::text::{number::count, time::Zone};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{RuleView, Span, SpanKind},
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Percent of the width: where the first part ends, and where the enlarged one begins.
const BREAK: (f64, f64) = (57.0, 60.0);
/// What is shorter is drawn as wide as this.
const LEAST: f64 = 0.55;

/// The class of a span, the same in every chart.
pub fn class(kind: SpanKind, severity: Severity) -> &'static str {
    match (kind, severity) {
        (SpanKind::Pending, _) => "sp pend",
        (SpanKind::Firing, Severity::Critical) => "sp fire bad",
        (SpanKind::Firing, Severity::Warning) => "sp fire warn",
        (SpanKind::Firing, Severity::Info) => "sp fire mute",
        (SpanKind::Recovering, _) => "sp rec",
        (SpanKind::Blind, _) => "sp blind",
        (SpanKind::Muted, _) => "sp hush",
    }
}

pub fn word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Pending => "pending",
        SpanKind::Firing => "firing",
        SpanKind::Recovering => "recovering",
        SpanKind::Blind => "blind",
        SpanKind::Muted => "muted",
    }
}

/// Patterns that spans are filled with. Once in a document: their names are global.
#[component]
pub fn Patterns() -> impl IntoView {
    let defs = "<defs>\
        <pattern id=\"hatch-pend\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line class=\"hw\" x1=\"1\" x2=\"1\" y2=\"6\"/></pattern>\
        <pattern id=\"hatch-rec\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\"><line class=\"ho\" x1=\"1\" x2=\"1\" y2=\"5\"/></pattern>\
        <pattern id=\"hatch-hush\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><line class=\"hm\" x1=\"1\" x2=\"1\" y1=\"1\" y2=\"2.4\"/></pattern>\
        </defs>";
    view! { <svg class="patterns" aria-hidden="true" inner_html=defs></svg> }.into_any()
}

/// Keys of the spans that are drawn.
pub fn legend(spans: &[(SpanKind, Severity)]) -> impl IntoView + use<> {
    let all = [
        (SpanKind::Firing, Severity::Critical, "firing, critical"),
        (SpanKind::Firing, Severity::Warning, "firing, warning"),
        (SpanKind::Firing, Severity::Info, "firing, info"),
        (SpanKind::Pending, Severity::Info, "pending"),
        (SpanKind::Recovering, Severity::Info, "recovering"),
        (SpanKind::Muted, Severity::Info, "muted"),
        (SpanKind::Blind, Severity::Info, "blind"),
    ];
    let drawn = |kind, severity| {
        spans.iter().any(|span| span.0 == kind && (kind != SpanKind::Firing || span.1 == severity))
    };
    let key = |(kind, severity, words)| {
        let rect = format!(
            "<rect class=\"{}\" x=\".5\" y=\".5\" width=\"17\" height=\"9\" rx=\"1.5\"/>",
            class(kind, severity)
        );
        drawn(kind, severity).then(|| {
            view! { <span class="key"><svg aria-hidden="true" inner_html=rect></svg>{words}</span> }
        })
    };
    view! { <p class="legend">{all.into_iter().map(key).collect_view()}</p> }
}

#[component]
pub fn Strip(rules: Vec<RuleView>, now: i64) -> impl IntoView {
    let (shown, rest): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| !rule.spans.is_empty());
    let kinds: Vec<_> =
        shown.iter().flat_map(|rule| rule.spans.iter().map(|span| (span.kind, rule.severity))).collect();
    let quiet = (!rest.is_empty()).then(|| {
        let many = rest.len() as u64;
        let others = if shown.is_empty() { "" } else { "other " };
        format!(
            "{} quiet all day.",
            count(many, &format!("{others}rule was"), &format!("{others}rules were"))
        )
    });
    let lane = |rule: &RuleView| {
        let said = format!("{}: {}", short_of(rule), told(&rule.spans, now));
        view! {
            <li>
                <a class="who" href=format!("/alerts/rules/{}", rule.name)>{short_of(rule)}</a>
                <svg class="lane" role="img" aria-label=said inner_html=lane(rule, now)></svg>
            </li>
        }
    };
    let lanes = (!shown.is_empty()).then(|| {
        view! {
            <div class="day">
                <svg class="heads" aria-hidden="true" inner_html=heads()></svg>
                <ul>{shown.iter().map(lane).collect_view()}</ul>
                <svg class="axis" aria-hidden="true" inner_html=axis(now)></svg>
            </div>
        }
    });
    view! {
        <section class="panel" aria-labelledby="day">
            <header><h2 id="day">"Last 24 hours"</h2>{legend(&kinds)}</header>
            {lanes}
            <p class="cap">{quiet}</p>
        </section>
    }
    .into_any()
}

/// Percent of the width.
fn x(at: i64, now: i64) -> f64 {
    let age = (now - at).clamp(0, DAY) as f64;
    let (end, begin) = BREAK;
    match age > HOUR as f64 {
        true => end * (1.0 - (age - HOUR as f64) / (DAY - HOUR) as f64),
        false => 100.0 - (100.0 - begin) * age / HOUR as f64,
    }
}

fn lane(rule: &RuleView, now: i64) -> String {
    let (end, begin) = BREAK;
    let mut svg = format!(
        "<rect class=\"lens\" x=\"{begin}%\" width=\"{}%\" y=\"0\" height=\"100%\"/>\
         <line class=\"base\" x1=\"0\" x2=\"{end}%\" y1=\"50%\" y2=\"50%\"/>\
         <line class=\"base\" x1=\"{begin}%\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/>",
        100.0 - begin
    );
    for span in &rule.spans {
        let (from, to) = (span.from.max(now - DAY), span.to.unwrap_or(now).min(now));
        let edge = now - HOUR;
        // What crosses the break is drawn on both sides of it.
        if from < edge {
            draw(&mut svg, span, rule.severity, x(from, now), if to > edge { end } else { x(to, now) }, end);
        }
        if to > edge {
            draw(
                &mut svg,
                span,
                rule.severity,
                if from < edge { begin } else { x(from, now) },
                x(to, now),
                100.0,
            );
        }
    }
    svg + "<line class=\"nowl\" x1=\"100%\" x2=\"100%\" y1=\"0\" y2=\"100%\"/>"
}

fn draw(svg: &mut String, span: &Span, severity: Severity, from: f64, to: f64, end: f64) {
    let width = (to - from).max(LEAST);
    let from = from.min(end - width);
    let (y, height) = if span.kind == SpanKind::Firing { (22, 56) } else { (28, 44) };
    let _ = write!(
        svg,
        "<rect class=\"{}\" x=\"{from:.2}%\" width=\"{width:.2}%\" y=\"{y}%\" height=\"{height}%\" rx=\"1.5\"/>",
        class(span.kind, severity)
    );
}

fn heads() -> String {
    format!(
        "<text x=\"0\" y=\"14\">24 hours</text><text class=\"ink\" x=\"{}%\" y=\"14\">last hour, enlarged</text>",
        BREAK.1
    )
}

fn axis(now: i64) -> String {
    let mut svg = String::new();
    let ages = [(DAY, "start"), (18 * HOUR, "minor"), (12 * HOUR, "middle"), (6 * HOUR, "minor")];
    let near = [(HOUR, "start"), (40 * HOUR / 60, "minor"), (20 * HOUR / 60, "minor")];
    for (age, place) in ages.into_iter().chain(near) {
        let at = now - age;
        // The beginning of the enlarged part, not the end of the first one.
        let x = if age == HOUR { BREAK.1 } else { x(at, now) };
        let (class, anchor) = if place == "minor" { (" class=\"minor\"", "middle") } else { ("", place) };
        let text = Zone::Utc.minute(at / 1_000);
        let day = if age == DAY { format!(" {}", &Zone::Utc.day(at / 1_000)[..3]) } else { String::new() };
        let _ =
            write!(svg, "<text{class} x=\"{x:.2}%\" y=\"15\" text-anchor=\"{anchor}\">{text}{day}</text>");
    }
    svg + "<text x=\"100%\" y=\"15\" text-anchor=\"end\">now</text>"
}

/// "pending 02:59:20 to 03:04:32, firing since 03:04:32".
fn told(spans: &[Span], now: i64) -> String {
    let one = |span: &Span| match span.to {
        Some(to) => {
            format!("{} at {} for {}", word(span.kind), when(span.from, now), lasted(span.from, to))
        }
        None => format!("{} since {}", word(span.kind), when(span.from, now)),
    };
    spans.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_is_enlarged_behind_a_break() {
        let now = 1_795_444_927_000;
        let check = |age, expected: f64| assert!((x(now - age, now) - expected).abs() < 1e-9, "{age}");
        check(0, 100.0);
        check(HOUR / 2, 80.0);
        check(HOUR, 60.0);
        check(HOUR + (DAY - HOUR) / 2, 28.5);
        check(DAY, 0.0);
        check(3 * DAY, 0.0);
    }
}
