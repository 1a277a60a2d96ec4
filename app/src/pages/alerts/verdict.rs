//! What needs a person, in a sentence, and the one thing to do about it.

use super::{Read, in_order, is_firing, is_judged};
use crate::{
    alerts::{
        action::Act,
        shape::{Filling, Look, Tone},
        words::{lasted, moment, short_of},
    },
    text::number::count,
};
use leptos::prelude::*;
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{Incident, RuleState, RuleView},
};

/// Rules are evaluated every ten seconds; after six missed turns silence means nothing.
pub const STALE_MS: i64 = 60_000;
/// Incidents that began within this of each other probably have one cause.
const TOGETHER_MS: i64 = 15 * 60_000;

pub fn is_stale(read: &Read) -> bool {
    read.alerts.evaluated_at.is_none_or(|at| read.now - at > STALE_MS)
}

/// `last`: the newest resolved incident.
pub fn verdict(read: &Read, last: Option<&Incident>) -> AnyView {
    let firing = in_order(read.alerts.rules.iter().filter(|rule| is_firing(rule)));
    let view = if is_stale(read) {
        stale(read)
    } else if firing.is_empty() {
        quiet(read, last)
    } else {
        fires(&firing, read.now)
    };
    view! { <div data-part="verdict">{view}</div> }.into_any()
}

fn stale(read: &Read) -> AnyView {
    let since = match read.alerts.evaluated_at {
        Some(at) => view! {
            "The last evaluation ended at "<b>{moment(at, read.now)}</b>", "{lasted(at, read.now)}" ago. "
        }
        .into_any(),
        None => "No evaluation has ended yet. ".into_any(),
    };
    let detail = view! {
        {since}
        "Nothing is notified meanwhile, and what stands here is old. Rules need PostgreSQL and one running node: see its log, and "
        <code>"GET /healthz/alerting"</code>"."
    };
    shown(Tone::Bad, "Alerts are not being evaluated.".into(), detail.into_any(), None)
}

fn fires(firing: &[&RuleView], now: i64) -> AnyView {
    let many = firing.len() as u64;
    let waiting: Vec<&RuleView> =
        firing.iter().copied().filter(|rule| rule.acknowledged_by.is_none()).collect();
    let tail = match (waiting.len(), many) {
        (0, 1) => "It is acknowledged.".to_owned(),
        (0, _) => "All are acknowledged.".to_owned(),
        (1, 1) => "It is not acknowledged.".to_owned(),
        (open, all) if open as u64 == all => "None is acknowledged.".to_owned(),
        (1, _) => "One is not acknowledged.".to_owned(),
        (open, _) => format!("{open} are not acknowledged."),
    };
    let recovering = firing.iter().filter(|rule| rule.state == RuleState::Recovering).count();
    let recovering =
        if recovering == 0 { String::new() } else { format!(", {recovering} of them recovering") };
    let title = format!("{}{recovering}. {tail}", count(many, "alert is firing", "alerts are firing"));
    let began = firing.iter().filter_map(|rule| rule.since);
    let (first, latest) = (began.clone().min(), began.max());
    let together = first.zip(latest).filter(|(first, latest)| many > 1 && latest - first <= TOGETHER_MS);
    let together = together.map(|(first, latest)| {
        format!(
            " All {many} began within {}: there may be one cause.",
            lasted(first, latest.max(first + 60_000))
        )
    });
    let rule = waiting.first().copied().or_else(|| firing.first().copied());
    let Some(rule) = rule else { return ().into_any() };
    let age = rule.since.map_or_else(String::new, |since| lasted(since, now));
    let detail = match &rule.acknowledged_by {
        None => view! {
            <b>{rule.title.clone()}</b>" for "<b>{age}</b>", and nobody has acknowledged it."{together}
        }
        .into_any(),
        Some(person) => view! {
            <b>{rule.title.clone()}</b>" for "<b>{age}</b>". "<b>{person.clone()}</b>" has it."{together}
        }
        .into_any(),
    };
    let act = rule.incident.map(|id| match rule.acknowledged_by {
        None => Act {
            route: format!("incidents/{id}/acknowledge"),
            back: "/alerts",
            label: format!("Acknowledge {}", lower(&short_of(rule))),
            of: "",
            primary: true,
            fields: &[],
        }
        .view(),
        Some(_) => view! { <a class="button" href=format!("/alerts/incidents/{id}")>{format!("Open incident {id}")}</a> }
            .into_any(),
    });
    let tone = if waiting.is_empty() { Tone::Warn } else { Tone::of(worst(firing)) };
    shown(tone, title, detail, act)
}

fn quiet(read: &Read, last: Option<&Incident>) -> AnyView {
    let judged = read.alerts.rules.iter().filter(|rule| is_judged(rule)).count() as u64;
    let seeing = read.alerts.rules.iter().filter(|rule| is_judged(rule) && rule.blind.is_none()).count();
    let pending = read.alerts.rules.iter().filter(|rule| rule.state == RuleState::Pending).count() as u64;
    let muted = read.alerts.rules.iter().filter(|rule| {
        rule.muted_by.is_some() && matches!(rule.state, RuleState::Firing | RuleState::Recovering)
    });
    let muted = muted.count() as u64;
    let title = match (pending, muted) {
        (0, 0) => "Nothing is firing.".to_owned(),
        (0, muted) => format!("Nothing is firing, but {}.", count(muted, "muted alert", "muted alerts")),
        (pending, _) => {
            format!("Nothing is firing. {}.", count(pending, "rule is pending", "rules are pending"))
        }
    };
    let past = match last.and_then(|last| Some((last, last.resolved_at?))) {
        None => view! { "No incident is on record. " }.into_any(),
        Some((last, ended)) => view! {
            "The last incident ended "<b>{lasted(ended, read.now)}" ago"</b>": "
            <a href=format!("/alerts/incidents/{}", last.id)>{format!("#{}, {}", last.id, last.title)}</a>
            {format!(", {}{}. ", lasted(last.opened_at, ended), if last.seeded { ", made up by the demo" } else { "" })}
        }
        .into_any(),
    };
    let age = read.alerts.evaluated_at.map(|at| {
        view! { " and were evaluated "<b>{lasted(at, read.now.max(at))}" ago"</b> }
    });
    let detail = view! { {past} {format!("{seeing} of {judged} rules have data")} {age}"." };
    let tone = if pending + muted > 0 || (seeing as u64) < judged { Tone::Warn } else { Tone::Good };
    let act = view! { <a class="button" href="/alerts/history">"History"</a> }.into_any();
    shown(tone, title, detail.into_any(), Some(act))
}

fn shown(tone: Tone, title: String, detail: AnyView, act: Option<AnyView>) -> AnyView {
    let severity = match tone {
        Tone::Bad => Severity::Critical,
        Tone::Warn => Severity::Warning,
        Tone::Good | Tone::Mute => Severity::Info,
    };
    let mark = Look { severity, filling: Filling::Solid, tone, word: "", said: "" }.mark();
    view! {
        <section class=format!("verdict {}", tone.class()) aria-labelledby="verdict">
            <div>
                <h2 id="verdict"><span class=format!("st {}", tone.class())>{mark}</span>{title}</h2>
                <p>{detail}</p>
            </div>
            {act.map(|act| view! { <div class="tools">{act}</div> })}
        </section>
    }
    .into_any()
}

fn worst(firing: &[&RuleView]) -> Severity {
    firing.first().map_or(Severity::Info, |rule| rule.severity)
}

/// "error rate", but "SSE latency".
pub fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let (first, second) = (letters.next(), letters.clone().next());
    match (first, second) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
