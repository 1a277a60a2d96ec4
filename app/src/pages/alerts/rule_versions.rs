//! Who changed a rule, when, what was and what is; and the way back.

use super::rule::Edit;
use crate::{
    alerts::{action::hidden, draft::Draft, words::moment},
    text::number::count,
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::RuleVersion;

pub fn versions(edit: &Edit) -> AnyView {
    let rows = &edit.history.rows;
    if rows.is_empty() {
        return ().into_any();
    }
    let row = |version: &RuleVersion| {
        let current = edit.rule.as_ref().is_some_and(|rule| rule.version == version.version);
        let act = match (&version.new, current) {
            (_, true) => view! { <span class="mut">"saved now"</span> }.into_any(),
            (Some(_), false) if edit.is_read_only() => ().into_any(),
            (Some(yaml), false) => restore(edit, version, yaml),
            (None, false) => ().into_any(),
        };
        let actor = (!version.actor.is_empty()).then(|| format!("{}, ", version.actor));
        view! {
            <li>
                <b>{version.version}</b>
                <span>{changes(version)}<small>{actor} {moment(version.at, edit.now)}</small></span>
                {act}
            </li>
        }
    };
    let more = edit
        .history
        .next
        .map(|_| view! { <p class="cap">"Older versions are in the API: GET …/history."</p> });
    view! {
        <section class="panel" aria-labelledby="versions">
            <header><h2 id="versions">"Versions"</h2><p class="legend">{count(rows.len() as u64, "version", "versions")}</p></header>
            <ol class="versions">{rows.iter().map(row).collect_view()}</ol>
            {more}
        </section>
    }
    .into_any()
}

fn restore(edit: &Edit, version: &RuleVersion, yaml: &str) -> AnyView {
    let now = edit.rule.as_ref().map_or(0, |rule| rule.version).to_string();
    view! {
        <form method="post" action="/api/admin/alerts">
            {hidden("back", &edit.address())}
            {hidden("version", &now)}
            {hidden("yaml", yaml)}
            <button class="link">"Restore"<span class="sr">{format!(" version {}", version.version)}</span></button>
        </form>
    }
    .into_any()
}

fn changes(version: &RuleVersion) -> AnyView {
    match (&version.old, &version.new) {
        (None, Some(_)) if version.version <= 1 => "as it began".into_any(),
        (None, _) => "created".into_any(),
        (Some(_), None) => "deleted".into_any(),
        (Some(old), Some(new)) => {
            let changes = Draft::of_yaml(old).changes(&Draft::of_yaml(new));
            if changes.is_empty() {
                return "no field differs".into_any();
            }
            let change = |(name, old, new): (&'static str, Option<String>, Option<String>)| {
                let old = old.map(|old| view! { <del>{old}</del>" " });
                let new = new.map(|new| view! { <ins>{new}</ins> });
                view! { <span class="change">{name.replace('_', " ")}" "{old}{new}</span> }
            };
            changes.into_iter().map(change).collect_view().into_any()
        }
    }
}
