//! The pages of alerts: what is open, what was, the rules, what keeps them quiet; an incident; a rule.
//!
//! They are plain: complete as the server sends them, and kept current by `public/alerts.js`, which asks for the same page
//! again and puts in the parts (`data-part`) that differ.

pub mod history; // `/alerts/history`
pub mod incident; // `/alerts/incidents/{id}`
mod incident_forms; // what a person does with an incident
mod open; // the rows of what is open
pub mod overview; // `/alerts`
mod proof; // whether alerting itself works, how far each rule is from firing, whether earlier alerts were right
pub mod rule; // `/alerts/rules/{name}`
mod rule_backtest; // what a draft would have done
mod rule_form; // a rule as a sentence
mod rule_rest; // the rest of a rule
mod rule_versions; // who changed it, and how
pub mod rules; // `/alerts/rules`
pub mod silences; // `/alerts/silences`
mod timeline; // what happened in an incident
mod verdict; // what needs a person

use crate::{
    api::{self, Failure, backend::Assets},
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
    },
    text::time::{self, Zone},
};
use leptos::prelude::*;
use leptos_meta::Title;
use streamgauge_core::page::alerts::{Alerts, MaintenanceList, NotUsed, RuleState, RuleView, SilenceList};

/// What every tab reads.
pub struct Read {
    pub alerts: Alerts,
    pub silences: SilenceList,
    pub maintenance: MaintenanceList,
    /// Unix milliseconds.
    pub now: i64,
}

pub fn read() -> impl Future<Output = Result<Read, Failure>> + Send {
    let (alerts, quiet, now) = (api::alerts::overview(), api::alerts::quiet(), api::alerts::now());
    async move {
        let alerts = alerts.await?;
        let (silences, maintenance) = quiet.await?;
        Ok(Read { alerts, silences, maintenance, now })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Open,
    History,
    Rules,
    Silences,
}

/// A page of alerts around what `show` makes of what it read.
pub fn page<F>(title: String, show: impl Fn() -> F + Send + Sync + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, Failure>> + Send + 'static,
{
    let body = waiting(move || {
        let shown = show();
        async move {
            match shown.await {
                Ok(view) => view,
                Err(failure) => view! {
                    <header class="top"><h1>"Alerts"</h1></header>
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    let script = use_context::<Assets>().and_then(|assets| assets.alerts);
    view! {
        <Title text=title />
        <Frame>
            <Suspense fallback=Loading>{body}</Suspense>
            {script.map(|address| view! { <script type="module" src=address></script> })}
        </Frame>
    }
    .into_any()
}

/// Title, tabs with their counts, and what one can begin here.
pub fn head(read: &Read, tab: Tab) -> AnyView {
    let Read { alerts, silences, maintenance, now } = read;
    let open = alerts.rules.iter().filter(|rule| is_open(rule)).count();
    let judged = &alerts.precision;
    let past = judged.real + judged.r#false + judged.expected + judged.unjudged;
    let quiet = silences.rows.iter().filter(|silence| silence.ended_at.is_none()).count()
        + maintenance.rows.iter().filter(|window| window.active || window.next_from.is_some()).count();
    let link = |of: Tab, path: &'static str, name: &'static str, count: u64| {
        let here = (of == tab).then_some("page");
        view! { <a href=path aria-current=here>{name} <i>{count}</i></a> }
    };
    let new =
        alerts.file.is_none().then(|| view! { <a class="button" href="/alerts/rules/new">"New rule"</a> });
    view! {
        <header class="top">
            <div>
                <h1>"Alerts"</h1>
                {as_of(*now)}
            </div>
            <div class="tools">
                <a class="button" href="/alerts/silences#new">"Silence…"</a>
                {new}
            </div>
        </header>
        <nav class="tabs" aria-label="Alerts" data-part="tabs">
            {link(Tab::Open, "/alerts", "Open", open as u64)}
            {link(Tab::History, "/alerts/history", "History", past)}
            {link(Tab::Rules, "/alerts/rules", "Rules", alerts.rules.len() as u64)}
            {link(Tab::Silences, "/alerts/silences", "Silences and maintenance", quiet as u64)}
        </nav>
    }
    .into_any()
}

/// The zone is named here, once a page.
pub fn as_of(now: i64) -> AnyView {
    let at = now / 1_000;
    view! {
        <p class="freshness served" data-live="5">
            <span class="pulse" aria-hidden="true"></span>
            "as of "
            <time datetime=time::iso(at)>{format!("{} UTC, {}", Zone::Utc.clock(at), Zone::Utc.day(at))}</time>
            <span class="link"></span>
            <noscript>" (reload for newer figures)"</noscript>
        </p>
        <p class="sr" role="status" data-said=""></p>
    }
    .into_any()
}

/// Firing, recovering, or about to fire.
pub fn is_open(rule: &RuleView) -> bool {
    rule.not_used.is_none() && rule.state != RuleState::Ok
}

/// Fires and says so: what a person must look at.
pub fn is_firing(rule: &RuleView) -> bool {
    rule.not_used.is_none()
        && rule.muted_by.is_none()
        && matches!(rule.state, RuleState::Firing | RuleState::Recovering)
}

/// By severity, then by age.
pub fn in_order<'a>(rules: impl Iterator<Item = &'a RuleView>) -> Vec<&'a RuleView> {
    let mut rules: Vec<_> = rules.collect();
    rules.sort_by_key(|rule| (std::cmp::Reverse(rule.severity as u8), rule.since));
    rules
}

/// Neither off nor without its source.
pub fn is_judged(rule: &RuleView) -> bool {
    rule.not_used.is_none()
}

/// Why a rule is not judged, for a sentence.
pub fn why_not_used(why: NotUsed) -> &'static str {
    match why {
        NotUsed::Disabled => "switched off",
        NotUsed::NoRedis => "this server has no Redis",
    }
}
