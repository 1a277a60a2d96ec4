//! What happened in an incident, newest first: transitions, people, changes around it.

use crate::{
    alerts::{
        shape::{Filling, Look, Tone},
        words::amount,
    },
    text::time::{self, Zone},
};
use leptos::prelude::*;
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{Incident, TimelineEntry, TimelineKind as Kind},
};

pub fn timeline(incident: &Incident) -> AnyView {
    let mut day = None;
    let entries = incident.timeline.iter().rev().map(|entry| {
        let at = entry.at / 1_000;
        let of = at.div_euclid(86_400);
        // The date stands where it changes.
        let date = (day != Some(of)).then(|| view! { <span class="date">{Zone::Utc.date(at)}</span> });
        day = Some(of);
        view! {
            <li class=class(entry.kind)>
                <time datetime=time::iso(at)>{date}{Zone::Utc.clock(at)}</time>
                <span class="point">{mark(entry.kind, incident.severity)}</span>
                <div>{words(entry, incident)}</div>
            </li>
        }
    });
    view! { <ol class="happened">{entries.collect_view()}</ol> }.into_any()
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Deploy | Kind::Restart | Kind::Change => "around",
        Kind::Note => "said",
        _ => "",
    }
}

fn mark(kind: Kind, severity: Severity) -> AnyView {
    let look = |filling, tone| Look { severity, filling, tone, word: "", said: "" };
    let look = match kind {
        Kind::Pending => look(Filling::Dashed, Tone::Warn),
        Kind::Fired | Kind::Relapsed => look(Filling::Solid, Tone::of(severity)),
        Kind::Recovering => look(Filling::Half, Tone::Good),
        Kind::Blind => look(Filling::Hollow, Tone::Warn),
        Kind::Resolved => Look { severity: Severity::Info, ..look(Filling::Ticked, Tone::Good) },
        kind => return sign(kind),
    };
    view! { <span class=format!("st {}", look.tone.class())>{look.mark()}</span> }.into_any()
}

/// A person, a flag, or a dot.
fn sign(kind: Kind) -> AnyView {
    let svg = match kind {
        Kind::Acknowledged
        | Kind::Note
        | Kind::Outcome
        | Kind::Silence
        | Kind::Maintenance
        | Kind::Published => {
            "<circle class=\"sh\" cx=\"7\" cy=\"4.2\" r=\"2.7\"/><path class=\"sh\" d=\"M1.8 13c.4-3 2.4-4.4 5.2-4.4s4.8 1.4 5.2 4.4\"/>"
        }
        Kind::Deploy | Kind::Restart | Kind::Change | Kind::Rule => {
            "<path class=\"flagmark\" d=\"M3 1h9l-2.6 3L12 7H4.4v6H3z\"/>"
        }
        _ => "<circle class=\"dot\" cx=\"7\" cy=\"7\" r=\"3\"/>",
    };
    view! { <svg class="mark" viewBox="0 0 14 14" aria-hidden="true" inner_html=svg></svg> }.into_any()
}

fn words(entry: &TimelineEntry, incident: &Incident) -> AnyView {
    let value = entry.value.map(|value| amount(value, &incident.unit));
    let at = value.as_ref().map_or_else(String::new, |value| format!(" at {value}"));
    let who = |deed: &str| {
        let actor = if entry.actor.is_empty() { "Streamgauge" } else { &entry.actor };
        format!("{actor} {deed}")
    };
    let severity = super::open::severity(incident.severity);
    let title = match entry.kind {
        Kind::Pending => format!("Pending{at}"),
        Kind::Fired => format!("Firing, {severity}{at}"),
        Kind::Recovering => format!("Recovering{at}"),
        Kind::Relapsed => format!("Bad again{at}"),
        Kind::Resolved if entry.actor.is_empty() => format!("Resolved{at}"),
        Kind::Resolved => who("resolved it"),
        Kind::Blind => "Blind: no data".into(),
        Kind::Seeing => format!("Data again{at}"),
        Kind::Peak => value.map_or_else(|| "The peak".into(), |value| format!("{value}, the peak")),
        Kind::Acknowledged => who("acknowledged"),
        Kind::Note => {
            format!("Note by {}", if entry.actor.is_empty() { "Streamgauge" } else { &entry.actor })
        }
        Kind::Outcome => who("judged it"),
        Kind::Silence => who("changed a silence"),
        Kind::Maintenance => "Maintenance".into(),
        Kind::Rule => who("changed the rule"),
        Kind::Deploy => "Deploy".into(),
        Kind::Restart => "Restart".into(),
        Kind::Change => "Changed setting".into(),
        Kind::Published => who("published a text"),
    };
    let text = (!entry.text.is_empty()).then(|| match entry.kind {
        Kind::Note => view! { <blockquote>{entry.text.clone()}</blockquote> }.into_any(),
        _ => view! { <p>{entry.text.clone()}</p> }.into_any(),
    });
    view! { <b>{title}</b> {text} }.into_any()
}
