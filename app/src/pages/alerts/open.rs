//! The rows of what is open, by severity and then by age.

use super::Read;
use crate::{
    alerts::{
        action::{Act, silence_an_hour},
        level::Level,
        shape::Look,
        words::{amount, figure, lasted, listed, moment, short_of},
    },
    text::number::count,
};
use leptos::prelude::*;
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{MutedBy, RuleState, RuleView},
};

pub fn rows(rows: &[&RuleView], read: &Read) -> AnyView {
    let (firing, rest): (Vec<&RuleView>, Vec<&RuleView>) =
        rows.iter().partition(|rule| rule.state == RuleState::Firing);
    let acknowledged = firing.iter().filter(|rule| rule.acknowledged_by.is_some()).count();
    let of_firing = match (firing.len(), acknowledged) {
        (many, 0) => format!("{many}, none acknowledged"),
        (many, some) if many == some => format!("{many}, acknowledged"),
        (many, some) => format!("{many}, of them {some} acknowledged"),
    };
    let state = |state: RuleState| rest.iter().filter(|rule| rule.state == state).count() as u64;
    let (pending, recovering) = (state(RuleState::Pending), state(RuleState::Recovering));
    let parts = [(pending, "pending"), (recovering, "recovering")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(many, _)| *many > 0)
        .map(|(many, word)| format!("{many} {word}"))
        .collect();
    let group = |title: &'static str, note: String, rows: &[&RuleView]| {
        (!rows.is_empty()).then(|| {
            view! {
                <div class="group"><h3>{title}</h3><span>{note}</span></div>
                {rows.iter().map(|rule| row(rule, read)).collect_view()}
            }
        })
    };
    view! {
        <section class="panel rows" aria-labelledby="open">
            <header>
                <h2 id="open">"Open"</h2>
                <p class="legend">"by severity, then age; nothing moves while the pointer is here"</p>
            </header>
            {group("Firing", of_firing, &firing)}
            {group("Pending and recovering", format!("{}; neither sends notifications", parts.join(", ")), &rest)}
        </section>
    }
    .into_any()
}

fn row(rule: &RuleView, read: &Read) -> AnyView {
    let now = read.now;
    let look = Look::of_rule(rule);
    let name = short_of(rule);
    let rule_path = format!("/alerts/rules/{}", rule.name);
    let path = rule.incident.map_or_else(|| rule_path.clone(), |id| format!("/alerts/incidents/{id}"));
    let age = rule.since.map(|since| view! { <span class="ln">"for "{lasted(since, now)}</span> });
    let blind = rule.blind.map(|since| view! { <span class="ln">"blind since "{moment(since, now)}</span> });
    let number = rule.incident.map(|id| format!(", #{id}"));
    let since = rule.since.map(|since| view! { ", since "{moment(since, now)} });
    let severity = severity(rule.severity);
    view! {
        <article class="alert" aria-label=rule.title.clone()>
            <div class="what-state">
                {look.view()}
                <p>{severity}" "{age}" "{blind}</p>
            </div>
            <div class="what">
                <h4><a href=path>{rule.title.clone()}</a></h4>
                <p>{rule.reason.clone()}{rule.node.clone().map(|node| view! { ". Worst: "<b class="nw">{node}</b> })}</p>
                <p><a class="quietly" href=rule_path>{rule.name.clone()}</a>{number}{since}</p>
            </div>
            <div class="at">{value(rule, look)}</div>
            <div class="whom">{whom(rule, read)}</div>
            <div class="acts">{acts(rule, &name, now)}</div>
        </article>
    }
    .into_any()
}

pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn value(rule: &RuleView, look: Look) -> AnyView {
    let value = match rule.value {
        Some(value) => {
            view! { <b>{figure(value, &rule.unit)}<small>{rule.unit.clone()}</small></b> }.into_any()
        }
        None => view! { <b class="no-data">"no data"</b> }.into_any(),
    };
    let worst =
        rule.worst.map(|worst| view! { <span>{format!("ring: {}", amount(worst, &rule.unit))}</span> });
    // A burn has no level: its factor is in the reason.
    let level = Level::of_rule(rule, look.tone).map(|level| level.view());
    view! { <p class="amount">{value} {level.is_some().then_some(worst)}</p> {level} }.into_any()
}

/// Who has it, who was notified, and why nobody was.
fn whom(rule: &RuleView, read: &Read) -> AnyView {
    let now = read.now;
    let owner = match (&rule.acknowledged_by, rule.state) {
        (Some(person), _) => view! { <p><b>{person.clone()}</b>" has acknowledged it"</p> }.into_any(),
        (None, RuleState::Pending) => view! { <p>"Notifies if it fires"</p> }.into_any(),
        (None, _) => view! { <p class="nobody">"Not acknowledged yet"</p> }.into_any(),
    };
    let muted = rule.muted_by.as_ref().map(|muted| view! { <p>{muted_words(muted, now)}</p> });
    let missing: Vec<String> =
        rule.notification.iter().filter(|name| read.alerts.not_set_up.contains(name)).cloned().collect();
    let told: Vec<String> =
        rule.notification.iter().filter(|name| !read.alerts.not_set_up.contains(name)).cloned().collect();
    let told = (!told.is_empty()).then(|| view! { <p>"Channels: "{listed(&told)}</p> });
    let missing = (!missing.is_empty()).then(|| {
        let be = if missing.len() == 1 { "is" } else { "are" };
        view! { <p class="st warn small">{format!("{} {be} not set up", listed(&missing))}</p> }
    });
    let nobody = rule
        .notification
        .is_empty()
        .then(|| view! { <p>"Names no channel: it stands on this page only"</p> });
    view! { {owner} {muted} {told} {missing} {nobody} }.into_any()
}

/// Why a rule that fires sends nothing.
pub fn muted_words(muted: &MutedBy, now: i64) -> AnyView {
    let words = match muted {
        MutedBy::Silence { ends_at: Some(end), author, reason, .. } => view! {
            "Silenced until "{moment(*end, now)}" by "{author.clone()}": "{reason.clone()}
        }
        .into_any(),
        MutedBy::Silence { ends_at: None, author, reason, .. } => view! {
            "Silenced until it is resolved by "{author.clone()}": "{reason.clone()}
        }
        .into_any(),
        MutedBy::Maintenance { ends_at, reason, .. } => view! {
            "In maintenance until "{moment(*ends_at, now)}": "{reason.clone()}
        }
        .into_any(),
        MutedBy::Dependency { rule } => view! {
            "Muted while "<a href=format!("/alerts/rules/{rule}")>{rule.clone()}</a>" fires"
        }
        .into_any(),
    };
    view! { <span class="hushed">{words}</span> }.into_any()
}

fn acts(rule: &RuleView, name: &str, now: i64) -> AnyView {
    let open = rule.incident.map(|id| match (&rule.acknowledged_by, &rule.muted_by) {
        (None, None) => Act {
            route: format!("incidents/{id}/acknowledge"),
            back: "/alerts",
            label: "Acknowledge".into(),
            of: name,
            primary: false,
            fields: &[],
        }
        .view(),
        _ => view! {
            <a class="button" href=format!("/alerts/incidents/{id}")>"Open"<span class="sr">{format!(" {name}")}</span></a>
        }
        .into_any(),
    });
    let silence = rule.muted_by.is_none().then(|| silence_an_hour(&rule.name, name, "/alerts", now));
    view! { {open} {silence} }.into_any()
}

/// "2 rules".
pub fn rules(many: u64) -> String {
    count(many, "rule", "rules")
}
