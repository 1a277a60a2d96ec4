//! `/alerts/rules`: every rule, what it is now and why it does not fire.

use super::{Read, Tab, head, open, page, read, why_not_used};
use crate::alerts::{
    shape::Look,
    words::{amount, level, moment},
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::RuleView;

#[component]
pub fn RulesPage() -> impl IntoView {
    page("Alert rules".into(), || {
        let read = read();
        async move {
            let read = read.await?;
            Ok(view! { {head(&read, Tab::Rules)} <div class="parts" data-part="body">{table(&read)}</div> }
                .into_any())
        }
    })
}

fn table(read: &Read) -> AnyView {
    let place = match &read.alerts.file {
        Some(file) => view! { "in the file "<code>{file.clone()}</code>", read-only here" }.into_any(),
        None => "kept in PostgreSQL, with their history".into_any(),
    };
    let row = |rule: &RuleView| view! { <tr>{cells(rule, read.now)}</tr> };
    view! {
        <section class="panel rules" aria-labelledby="rules">
            <header><h2 id="rules">"Rules"</h2><p class="legend"><span>{place}</span></p></header>
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="num">"Now"</th>
                        <th scope="col" class="num">"Fires"</th>
                        <th scope="col">"Why"</th>
                        <th scope="col">"Notifies"</th>
                    </tr>
                </thead>
                <tbody>{read.alerts.rules.iter().map(row).collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

fn cells(rule: &RuleView, now: i64) -> AnyView {
    let look = Look::of_rule(rule);
    let value = rule.value.map_or_else(|| "\u{2013}".into(), |value| amount(value, &rule.unit));
    let side = if rule.below { "below" } else { "above" };
    let fires = rule.threshold.map_or_else(
        || "by burn rate".to_owned(),
        |limit| format!("{side} {} for {}", level(limit, &rule.unit), rule.duration),
    );
    let why = match (rule.not_used, rule.blind) {
        (Some(why), _) => why_not_used(why).into_any(),
        (None, Some(since)) => {
            view! { "blind since "{moment(since, now)}". "{rule.reason.clone()} }.into_any()
        }
        (None, None) => rule.reason.clone().into_any(),
    };
    let parent = rule
        .depends_on
        .clone()
        .map(|parent| view! { <small>{format!("muted while {parent} fires")}</small> });
    let channels =
        if rule.notification.is_empty() { "\u{2013}".into() } else { rule.notification.join(", ") };
    view! {
        <th scope="row">
            <a href=format!("/alerts/rules/{}", rule.name)>{rule.name.clone()}</a>
            <small>{rule.title.clone()}{format!(", {}", open::severity(rule.severity))}</small>
        </th>
        <td data-label="State">{look.view()}</td>
        <td data-label="Now" class="num">{value}</td>
        <td data-label="Fires" class="num">{fires}</td>
        <td data-label="Why" class="why">{why}</td>
        <td data-label="Notifies">{channels}{parent}</td>
    }
    .into_any()
}
