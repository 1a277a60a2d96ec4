//! Quiet is proven, not asserted: whether alerting itself works, how far each rule is from firing, what keeps rules quiet,
//! and whether earlier alerts were right.

use super::{Read, is_judged, is_open, open::rules, verdict::is_stale, why_not_used};
use crate::{
    alerts::{
        level::Level,
        shape::{Look, Tone},
        words::{amount, figure, lasted, level, listed, moment, short_of, when},
    },
    text::number::{count, fixed},
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::{Precision, RuleView};

/// A line of proof: a tick, a warning, or a dash where there is nothing to say.
fn line(tone: Tone, what: AnyView, detail: AnyView, when: Option<AnyView>) -> AnyView {
    let (path, word) = match tone {
        Tone::Good => ("M2 6.6l2.8 2.8L10 3.2", "Yes: "),
        Tone::Warn => ("M6 1.6L11 10.6H1zM6 5v2.4M6 9v.1", "Look: "),
        Tone::Bad => ("M2.6 2.6l6.8 6.8M9.4 2.6L2.6 9.4", "No: "),
        Tone::Mute => ("M2.4 6h7.2", ""),
    };
    view! {
        <li>
            <svg class=format!("sign {}", tone.class()) viewBox="0 0 12 12" aria-hidden="true"><path d=path></path></svg>
            <span><span class="sr">{word}</span>{what}<small>{detail}</small></span>
            <span class="when">{when}</span>
        </li>
    }
    .into_any()
}

pub fn working(read: &Read) -> AnyView {
    let Read { alerts, now, .. } = read;
    let judged: Vec<&RuleView> = alerts.rules.iter().filter(|rule| is_judged(rule)).collect();
    let blind: Vec<&RuleView> = judged.iter().copied().filter(|rule| rule.blind.is_some()).collect();
    let stale = is_stale(read);
    let evaluator = match &alerts.evaluator {
        Some(node) => view! { <b class="nw">{node.clone()}</b>" evaluates, every 10 s" }.into_any(),
        None => "no node evaluates".into_any(),
    };
    let age = match alerts.evaluated_at {
        Some(at) => view! { {lasted(at, (*now).max(at))}" ago" }.into_any(),
        None => "never".into_any(),
    };
    let many = judged.len() as u64;
    let evaluated = line(
        if stale { Tone::Bad } else { Tone::Good },
        format!("{} evaluated", rules(many)).into_any(),
        evaluator,
        Some(age),
    );
    let seeing = match blind.as_slice() {
        [] => line(Tone::Good, "All of them have data".into_any(), "no rule is blind".into_any(), None),
        some => {
            let names: Vec<String> = some.iter().map(|rule| short_of(rule)).collect();
            let since = some.iter().filter_map(|rule| rule.blind).min();
            line(
                Tone::Warn,
                format!("{} without data: {}", rules(some.len() as u64), listed(&names)).into_any(),
                "a blind rule keeps its state, and never resolves".into_any(),
                since.map(|since| view! { "since "{moment(since, *now)} }.into_any()),
            )
        }
    };
    let unused = alerts.rules.iter().filter_map(|rule| Some((short_of(rule), rule.not_used?)));
    let unused = unused.map(|(name, why)| {
        line(Tone::Mute, format!("{name} is not judged").into_any(), why_not_used(why).into_any(), None)
    });
    let channels = match alerts.not_set_up.as_slice() {
        [] => line(
            Tone::Good,
            "Every channel that rules name is set up".into_any(),
            "nobody is left out".into_any(),
            None,
        ),
        names => line(
            Tone::Warn,
            format!("{} {} not set up", listed(names), if names.len() == 1 { "is" } else { "are" })
                .into_any(),
            "rules run and incidents stand on this page, but nobody is notified there".into_any(),
            None,
        ),
    };
    let place = match &alerts.file {
        Some(file) => line(
            Tone::Mute,
            "Rules are in a file".into_any(),
            view! { <code>{file.clone()}</code>", and read-only here" }.into_any(),
            None,
        ),
        None => ().into_any(),
    };
    let answer = match (stale, blind.is_empty() && alerts.not_set_up.is_empty()) {
        (true, _) => "no",
        (false, true) => "yes",
        (false, false) => "yes, but look below",
    };
    view! {
        <section class="panel" aria-labelledby="works">
            <header><h2 id="works">"Is alerting itself working?"</h2><p class="legend">{answer}</p></header>
            <ul class="proof">{evaluated} {seeing} {channels} {unused.collect_view()} {place}</ul>
        </section>
    }
    .into_any()
}

/// Silences and maintenance, in force or to come.
pub fn keeping_quiet(read: &Read) -> AnyView {
    let now = read.now;
    let silences: Vec<_> = read.silences.rows.iter().filter(|silence| silence.ended_at.is_none()).collect();
    let windows: Vec<_> = read.maintenance.rows.iter().filter(|window| window.next_to.is_some()).collect();
    let silence = silences.iter().map(|silence| {
        let of = if silence.rule == "*" { "All rules".to_owned() } else { silence.rule.clone() };
        let end = match silence.ends_at {
            Some(end) => format!("until {}", when(end, now)),
            None => "until it is resolved".into(),
        };
        let mutes = match silence.mutes.len() as u64 {
            0 => "mutes nothing now".to_owned(),
            many => format!("mutes {}", count(many, "alert", "alerts")),
        };
        line(
            Tone::Mute,
            format!("{of} silenced {end}").into_any(),
            format!("{}: {}; {mutes}", silence.author, silence.reason).into_any(),
            None,
        )
    });
    let window = windows.iter().map(|window| {
        let of = if window.rule == "*" { "all rules" } else { &window.rule };
        let next = match (window.active, window.next_from, window.next_to) {
            (true, _, Some(to)) => format!("now, until {}", when(to, now)),
            (_, Some(from), _) => format!("next {}", when(from, now)),
            _ => String::new(),
        };
        line(
            Tone::Mute,
            format!("Maintenance: {}", window.reason).into_any(),
            format!("mutes {of}; {next}").into_any(),
            None,
        )
    });
    let none = (silences.is_empty() && windows.is_empty()).then(|| {
        line(
            Tone::Mute,
            "No silence is set, no maintenance is planned".into_any(),
            "every rule that fires notifies its channels".into_any(),
            None,
        )
    });
    view! {
        <section class="panel" aria-labelledby="hush">
            <header>
                <h2 id="hush">"What can keep it quiet"</h2>
                <p class="legend"><a href="/alerts/silences">"Silences and maintenance"</a></p>
            </header>
            <ul class="proof">{silence.collect_view()} {window.collect_view()} {none}</ul>
        </section>
    }
    .into_any()
}

/// Each quiet rule on its rail, and what its worst value of a day was. Burn rules have none, and stand in a sentence.
pub fn headroom(read: &Read) -> AnyView {
    let quiet = read.alerts.rules.iter().filter(|rule| is_judged(rule) && !is_open(rule));
    let (leveled, burns): (Vec<&RuleView>, Vec<&RuleView>) = quiet.partition(|rule| rule.threshold.is_some());
    if leveled.is_empty() && burns.is_empty() {
        return ().into_any();
    }
    let row = |rule: &&RuleView| {
        let look = Look::of_rule(rule);
        let value = rule.value.map_or_else(
            || view! { <b class="no-data">"no data"</b> }.into_any(),
            |value| view! { <b>{figure(value, &rule.unit)}<small>{rule.unit.clone()}</small></b> }.into_any(),
        );
        let side = if rule.below { "below" } else { "above" };
        let limit = rule.threshold.map_or_else(String::new, |limit| level(limit, &rule.unit));
        view! {
            <li class="rulerow">
                <span class=format!("st {}", look.tone.class())>{look.mark()}<span class="sr">{look.word}</span></span>
                <div>
                    <h3><a href=format!("/alerts/rules/{}", rule.name)>{short_of(rule)}</a></h3>
                    <p>{format!("{side} {limit} for {}, {}", rule.duration, super::open::severity(rule.severity))}</p>
                </div>
                <div class="at"><p class="amount">{value}</p>{Level::of_rule(rule, look.tone).map(|level| level.view())}</div>
                <p>{worst(rule, read.now)}</p>
            </li>
        }
    };
    let burning = (!burns.is_empty()).then(|| {
        let blind = burns.iter().filter(|rule| rule.blind.is_some()).count() as u64;
        let tail = if blind == 0 { String::new() } else { format!("; {} without data", rules(blind)) };
        view! {
            <p class="cap">
                {format!("And {} quiet{tail}. ", count(burns.len() as u64, "budget rule is", "budget rules are"))}
                <a href="/alerts/rules">"All rules"</a>
            </p>
        }
    });
    view! {
        <section class="panel" aria-labelledby="far">
            <header>
                <h2 id="far">"How far each quiet rule is from firing"</h2>
                <p class="legend"><span class="key-dot">"now"</span><span class="key-tick">"threshold"</span><span class="key-ring">"worst in 24 h"</span></p>
            </header>
            <ul class="rulerows">{leveled.iter().map(row).collect_view()}</ul>
            {burning}
        </section>
    }
    .into_any()
}

/// "Highest 0.3 %": and whether that was an incident.
fn worst(rule: &RuleView, now: i64) -> AnyView {
    use streamgauge_core::page::alerts::SpanKind as Kind;
    if let Some(since) = rule.blind {
        return view! { "Blind since "{moment(since, now)} }.into_any();
    }
    let name = if rule.below { "Lowest" } else { "Highest" };
    let value = rule.worst.map(|worst| format!("{name} {}", amount(worst, &rule.unit)));
    let of = |kind: Kind| rule.spans.iter().rev().find(|span| span.kind == kind);
    let fired =
        of(Kind::Firing).map(|span| (span, "fired")).or_else(|| Some((of(Kind::Muted)?, "fired, muted,")));
    let what = match (fired, of(Kind::Pending)) {
        (Some((span, fired)), _) => {
            let link = span.incident.map(|id| {
                view! { ", "<a href=format!("/alerts/incidents/{id}")>{format!("#{id}")}</a> }
            });
            view! { ": "{fired}" "{moment(span.from, now)}{link} }.into_any()
        }
        (None, Some(span)) => {
            let lasted = lasted(span.from, span.to.unwrap_or(now));
            view! { ": pending for "{lasted}" at "{moment(span.from, now)}", did not fire" }.into_any()
        }
        (None, None) => ().into_any(),
    };
    match value {
        Some(value) => view! { {value}{what} }.into_any(),
        None => view! { "No data in 24 h" }.into_any(),
    }
}

/// `is_made_up`: the demo's incidents are among them. `is_history`: the page is the list of them.
pub fn precision(precision: &Precision, is_made_up: bool, is_history: bool) -> AnyView {
    let Precision { real, r#false, expected, unjudged, share, low, high, days } = precision;
    let judged = real + r#false;
    let all = judged + expected + unjudged;
    let percent = |share: f64| fixed(share * 100.0, 0);
    let words = match (share, low, high) {
        (Some(_), Some(low), Some(high)) => view! {
            <b>{format!("{real} of {judged}")}</b>
            {format!(
                " judged were real: between {}\u{a0}% and {}\u{a0}% (95\u{a0}% interval). ",
                percent(*low),
                percent(*high)
            )}
        }
        .into_any(),
        _ => view! { "Nobody has judged an incident yet: say on its page whether it was real. " }.into_any(),
    };
    let others = [(*expected, "expected"), (*unjudged, "not judged yet")];
    let others: Vec<String> = others
        .into_iter()
        .filter(|(many, _)| *many > 0)
        .map(|(many, word)| format!("{many} {word}"))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!("{}. ", others.join(", ")) };
    let mut left = 0.0;
    let mut bars = String::new();
    for (many, class) in [(*real, "real"), (*expected, "expected"), (*r#false, "false"), (*unjudged, "open")]
    {
        if many > 0 {
            let width = many as f64 / all as f64 * 100.0;
            bars.push_str(&format!(
                "<rect class=\"{class}\" x=\"{left:.2}%\" width=\"{:.2}%\" y=\"1\" height=\"12\" rx=\"1\"/>",
                (width - 0.6).max(0.6)
            ));
            left += width;
        }
    }
    let said = format!("{real} real, {expected} expected, {} false, {unjudged} not judged", r#false);
    let tally = (all > 0).then(|| {
        view! { <svg class="tally" height="14" role="img" aria-label=said inner_html=bars></svg> }
    });
    let made_up = is_made_up.then_some("Incidents that the demo made up are counted. ");
    let history = (!is_history).then(|| view! { <a href="/alerts/history">"History"</a> });
    let window = if *days == 0 { String::new() } else { format!("{days} days") };
    view! {
        <section class="panel" aria-labelledby="right">
            <header><h2 id="right">"Were earlier alerts right?"</h2><p class="legend">{window}</p></header>
            {tally}
            <p class="cap">{words} {others} {made_up} {history}</p>
        </section>
    }
    .into_any()
}
