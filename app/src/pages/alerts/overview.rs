//! `/alerts`: what needs a person, the last 24 hours, what is open, and the proof that quiet is quiet.

use super::{Tab, head, in_order, is_open, open, page, proof, read, verdict};
use crate::{
    alerts::strip::{Patterns, Strip},
    api::{self, alerts::IncidentFilter},
};
use leptos::prelude::*;

#[component]
pub fn AlertsPage() -> impl IntoView {
    page("Alerts".into(), || {
        let read = read();
        let last = IncidentFilter { open: Some(false), limit: 1, ..IncidentFilter::default() };
        let last = api::alerts::incidents(last);
        async move {
            let read = read.await?;
            let last = last.await?.rows.into_iter().next();
            let is_made_up = last.as_ref().is_some_and(|last| last.seeded);
            let rows = in_order(read.alerts.rules.iter().filter(|rule| is_open(rule)));
            let strip =
                view! { <div data-part="day"><Strip rules=read.alerts.rules.clone() now=read.now /></div> };
            // What is open comes first; where nothing is, how far each rule is from firing.
            let body = if rows.is_empty() {
                view! {
                    <div class="row two quiet">
                        {proof::headroom(&read)}
                        <div class="stackcol">{proof::working(&read)} {proof::keeping_quiet(&read)}</div>
                    </div>
                    {strip}
                    {proof::precision(&read.alerts.precision, is_made_up, false)}
                }
                .into_any()
            } else {
                view! {
                    {strip}
                    {open::rows(&rows, &read)}
                    <div class="row two loose">
                        {proof::working(&read)}
                        <div class="stackcol">{proof::precision(&read.alerts.precision, is_made_up, false)} {proof::keeping_quiet(&read)}</div>
                    </div>
                    {proof::headroom(&read)}
                }
                .into_any()
            };
            Ok(view! {
                {head(&read, Tab::Open)}
                {verdict::verdict(&read, last.as_ref())}
                <div class="parts" data-part="body">{body}</div>
                <Patterns />
            }
            .into_any())
        }
    })
}
