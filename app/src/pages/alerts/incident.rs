//! `/alerts/incidents/{id}`: what is wrong, since when and who has it; what to do first; what happened.

use super::{as_of, incident_forms as forms, open, page, timeline::timeline};
use crate::{
    alerts::{
        chart::{Area, Flag, SpanChart, keys, lines},
        level::Level,
        runbook,
        shape::Look,
        strip::Patterns,
        words::{amount, figure, lasted, level, moment, short, when},
    },
    api::{self, alerts::IncidentValues},
    pages::missing::answer_with,
    text::number::count,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use streamgauge_core::page::alerts::{Incident, IncidentState, MutedBy, TimelineKind as Kind};

#[component]
pub fn IncidentPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id")?.parse::<i64>().ok());
    let title = id.map_or_else(|| "No such incident".into(), |id| format!("Incident {id}"));
    let host = crate::components::empty::host();
    page(title, move || {
        let read = id.map(api::alerts::incident);
        let (host, now) = (host.clone(), api::alerts::now());
        async move {
            let found = match read {
                Some(read) => read.await?,
                None => None,
            };
            Ok(match found {
                Some((incident, values)) => whole(&incident, values.as_ref(), host.as_deref(), now),
                None => missing(),
            })
        }
    })
}

fn missing() -> AnyView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <header class="top"><h1>"No such incident"</h1></header>
        <p>"No rule has fired under this number. "<a href="/alerts/history">"History"</a></p>
    }
    .into_any()
}

fn whole(incident: &Incident, values: Option<&IncidentValues>, host: Option<&str>, now: i64) -> AnyView {
    view! {
        <div class="parts" data-part="head">{head(incident, now)}</div>
        <div data-part="facts">{facts(incident, values, now)}</div>
        <div class="incident">
            <div class="stackcol">
                <div class="panel area-chart" data-part="chart">{chart(incident, values, now)}</div>
                <div class="area-public">{forms::publish(incident)}</div>
            </div>
            <div class="stackcol">
            {book(incident, host)}
            <section class="panel area-line" aria-labelledby="line">
                <header>
                    <h2 id="line">"Timeline"</h2>
                    <p class="legend"><span>"UTC, newest first"</span><a href=format!("/api/admin/incidents/{}.md", incident.id) download="">"Export as Markdown"</a></p>
                </header>
                {forms::note(incident)}
                <div data-part="line">{timeline(incident)}</div>
            </section>
            </div>
        </div>
        <Patterns />
    }
    .into_any()
}

/// "Error rate above 1 % for 14 min, on fra-2".
fn headline(incident: &Incident, now: i64) -> String {
    let end = incident.resolved_at.unwrap_or(now);
    let metric = short(&incident.rule, &incident.title);
    let what = match incident.threshold {
        Some(limit) => {
            let side = if incident.below { "below" } else { "above" };
            format!("{metric} {side} {}", level(limit, &incident.unit))
        }
        None => incident.title.clone(),
    };
    let node = incident.node.as_ref().map_or_else(String::new, |node| format!(", on {node}"));
    let region = incident.region.as_ref().map_or_else(String::new, |region| format!(", in {region}"));
    format!("{what} for {}{node}{region}", lasted(incident.pending_at.unwrap_or(incident.opened_at), end))
}

fn head(incident: &Incident, now: i64) -> AnyView {
    let look = Look::of_incident(incident);
    let owner = incident.acknowledged_by.as_ref().map(|person| {
        let at = incident.acknowledged_at.map(|at| view! { ", acknowledged "{moment(at, now)} });
        let remind = incident.remind_at.map(|at| view! { ", reminder at "{moment(at, now)} });
        view! { <span>"owner "<b>{person.clone()}</b>{at}{remind}</span> }
    });
    let nobody =
        (incident.state == IncidentState::Open).then(|| view! { <span><b>"not acknowledged"</b></span> });
    let ended = incident.resolved_at.map(|at| view! { <span>"resolved "<b>{moment(at, now)}</b></span> });
    let again = incident.again.map(|id| {
        view! { <span>"again after "<a href=format!("/alerts/incidents/{id}")>{format!("#{id}")}</a></span> }
    });
    let seeded = incident.seeded.then(|| view! { <span>"made up by the demo"</span> });
    let muted = incident.muted_by.as_ref().map(|muted| {
        let end = match muted {
            MutedBy::Silence { id, .. } => {
                Some(forms::end_silence(*id, "silence", &format!("/alerts/incidents/{}", incident.id)))
            }
            MutedBy::Maintenance { .. } | MutedBy::Dependency { .. } => None,
        };
        view! { <div class="notice info muted-note"><p>{open::muted_words(muted, now)}</p>{end}</div> }
    });
    let resolution = incident.resolution.as_ref().map(|how| view! { <p class="how">{how.clone()}</p> });
    view! {
        <header class="top incident-top">
            <div>
                <p class="crumb">
                    <a href="/alerts">"Alerts"</a>" / "
                    <a href=format!("/alerts/rules/{}", incident.rule)>{incident.rule.clone()}</a>
                    {format!(" / incident {}", incident.id)}
                </p>
                <h1>{headline(incident, now)}</h1>
                <p class="meta">
                    {look.view()}
                    <span>{open::severity(incident.severity)}</span>
                    <span>"since "<b>{moment(incident.opened_at, now)}</b></span>
                    {ended} {owner} {nobody} {again} {seeded}
                </p>
                {resolution}
                {as_of(now)}
            </div>
            {forms::tools(incident, now)}
        </header>
        {muted}
    }
    .into_any()
}

fn facts(incident: &Incident, values: Option<&IncidentValues>, now: i64) -> AnyView {
    let unit = &incident.unit;
    let newest = values.and_then(|values| values.values.iter().rev().find_map(|value| value.value));
    let is_open = incident.state != IncidentState::Resolved;
    let value = if is_open { newest } else { incident.value };
    let name = short(&incident.rule, &incident.title);
    let look = Look::of_incident(incident);
    let gauge = Level::of_incident(incident, value, look.tone).map(|level| level.view());
    let shown = match value {
        Some(value) => view! { {figure(value, unit)}<small>{unit.clone()}</small> }.into_any(),
        None => view! { <span class="no-data">"no data"</span> }.into_any(),
    };
    let first = if is_open { format!("{name} now") } else { format!("{name} when it fired") };
    let peak = incident.peak.map_or_else(|| "\u{2013}".into(), |peak| amount(peak, unit));
    let end = incident.resolved_at.unwrap_or(now);
    let waited = incident.acknowledged_at.map_or_else(
        || "nobody yet".to_owned(),
        |at| format!("after {}", lasted(incident.opened_at, at.max(incident.opened_at))),
    );
    let before = incident
        .pending_at
        .map(|pending| format!("evident {} before it fired", lasted(pending, incident.opened_at)));
    view! {
        <section class="kpis facts-row" aria-label="This incident in figures">
            <div class="fact duo"><div><h2>{first}</h2><p class="big">{shown}</p></div><div>{gauge}</div></div>
            <div class="fact"><h2>"Furthest beyond"</h2><p class="big">{peak}</p><p>{incident.value.map(|value| format!("{} when it fired", amount(value, unit)))}</p></div>
            <div class="fact"><h2>"Firing"</h2><p class="big">{lasted(incident.opened_at, end)}</p><p>{before}</p></div>
            <div class="fact"><h2>"Acknowledged"</h2><p class="big">{waited}</p><p>{incident.acknowledged_by.clone()}</p></div>
        </section>
    }
    .into_any()
}

fn chart(incident: &Incident, values: Option<&IncidentValues>, now: i64) -> AnyView {
    let name = short(&incident.rule, &incident.title);
    let why = (!incident.reason.is_empty())
        .then(|| view! { <p class="why"><b>"Why it fired: "</b>{incident.reason.clone()}</p> });
    let drawn = values
        .filter(|values| values.to > values.from && values.values.iter().any(|value| value.value.is_some()));
    let Some(values) = drawn else {
        return view! {
            <figure class="chart"><header><h2>{name}</h2></header><p class="mut">"The samples of that time are not stored any more, or not yet."</p></figure>
            {why}
        }
        .into_any();
    };
    let areas = areas(incident, values.to.min(now));
    let flags = incident
        .timeline
        .iter()
        .filter(|entry| matches!(entry.kind, Kind::Deploy | Kind::Restart | Kind::Change | Kind::Rule));
    let flags =
        flags.map(|entry| Flag { at: entry.at, text: entry.text.chars().take(40).collect() }).collect();
    let mut key: Vec<(&'static str, &'static str)> = vec![("line", "value")];
    for (class, words) in [("pend", "pending"), ("fire", "firing"), ("rec", "recovering"), ("blind", "blind")]
    {
        if areas.iter().any(|area| area.class == class) {
            key.push((class, words));
        }
    }
    let levels = lines(incident.threshold, incident.recover, &incident.unit);
    if !levels.is_empty() {
        key.push(("limit", "threshold"));
    }
    if levels.len() > 1 {
        key.push(("back", "recovers"));
    }
    let peak =
        incident.peak.map_or_else(String::new, |peak| format!(", furthest {}", amount(peak, &incident.unit)));
    let end = match incident.resolved_at {
        Some(at) => format!("resolved {}", when(at, now)),
        None => "still open".into(),
    };
    let chart = SpanChart {
        id: "incident-chart",
        title: name.clone(),
        unit: &incident.unit,
        from: values.from,
        to: values.to,
        values: &values.values,
        below: incident.below,
        lines: levels,
        areas,
        flags,
        said: format!("{name}. {}: fired {}{peak}, {end}.", incident.title, when(incident.opened_at, now)),
        caption: String::new(),
        open: true,
    };
    let scale = if chart.is_logarithmic() { ", logarithmic" } else { "" };
    let unit = if incident.unit.is_empty() { "count" } else { &incident.unit };
    let caption = format!(
        "{unit}{scale}, over the rule's duration at each {} s, UTC; n = {}.",
        values.step / 1_000,
        count(values.n, "event or sample", "events or samples")
    );
    let chart = SpanChart { caption, ..chart };
    view! { {chart.view(keys(&key))} {why} }.into_any()
}

/// The states of the incident out of its timeline.
fn areas(incident: &Incident, end: i64) -> Vec<Area> {
    let state = |kind: Kind| match kind {
        Kind::Pending => Some("pend"),
        Kind::Fired | Kind::Relapsed => Some("fire"),
        Kind::Recovering => Some("rec"),
        Kind::Resolved => Some(""),
        _ => None,
    };
    let mut areas: Vec<Area> = Vec::new();
    let mut current: Option<(i64, &'static str)> = incident.pending_at.map(|at| (at, "pend"));
    let mut blind: Option<i64> = None;
    let mut push = |from: i64, to: i64, class: &'static str| {
        if to > from && !class.is_empty() {
            areas.push(Area { from, to, class, head: None });
        }
    };
    for entry in &incident.timeline {
        match entry.kind {
            Kind::Blind => blind = Some(entry.at),
            Kind::Seeing => {
                if let Some(from) = blind.take() {
                    push(from, entry.at, "blind");
                }
            }
            _ => {}
        }
        let Some(next) = state(entry.kind) else { continue };
        if let Some((from, class)) = current {
            push(from, entry.at, class);
        }
        current = Some((entry.at, next));
    }
    if let Some((from, class)) = current {
        push(from, end, class);
    }
    if let Some(from) = blind {
        push(from, end, "blind");
    }
    // Words over the longest firing time alone.
    let longest = areas.iter_mut().filter(|area| area.class == "fire").max_by_key(|area| area.to - area.from);
    if let Some(area) = longest {
        area.head = Some((String::new(), format!("firing {}", lasted(area.from, area.to))));
    }
    areas
}

/// What to do, above the timeline: the timeline grows, and the first command must not move.
fn book(incident: &Incident, host: Option<&str>) -> AnyView {
    let shipped = runbook::of(&incident.rule, host);
    let body = match shipped {
        Some(book) => view! {
            <div class="prose" inner_html=book.first></div>
            <details class="figures">
                <summary>"Causes, how to confirm them, what to do, when to escalate"</summary>
                <div class="prose" inner_html=book.rest></div>
            </details>
        }
        .into_any(),
        None => view! {
            <p class="mut">"This rule has no runbook. Give it one: the rule's field "<code>"runbook"</code>" takes an address. "
            <a href=format!("/alerts/rules/{}#rest", incident.rule)>"Edit the rule"</a></p>
        }
        .into_any(),
    };
    view! { <section class="panel area-book" aria-labelledby="book"><header><h2 id="book">"Runbook"</h2></header>{body}</section> }
        .into_any()
}
