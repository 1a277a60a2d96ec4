//! `/alerts/history`: every incident, newest first, and what people judged of it.

use super::{Tab, head, incident_forms::outcomes, page, proof, read};
use crate::{
    alerts::{
        shape::Look,
        words::{amount, lasted, moment},
    },
    api::{
        self,
        alerts::{IncidentFilter, Judged},
    },
    text::html::query_value,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use streamgauge_core::page::alerts::{Incident, IncidentList, Outcome, RuleView};

/// Rows of a page.
const ROWS: u32 = 50;

/// What the address asks for.
#[derive(Clone, Default)]
struct Asked {
    rule: Option<String>,
    outcome: Option<String>,
    before: Option<i64>,
}

impl Asked {
    fn of_address() -> Asked {
        use_query_map().with_untracked(|query| Asked {
            rule: query.get("rule").filter(|rule| !rule.is_empty()),
            outcome: query.get("outcome").filter(|outcome| !outcome.is_empty()),
            before: query.get("before").and_then(|before| before.parse().ok()),
        })
    }

    fn filter(&self) -> IncidentFilter {
        let outcome = self.outcome.as_deref().and_then(|outcome| match outcome {
            "real" => Some(Judged::As(Outcome::Real)),
            "false" => Some(Judged::As(Outcome::False)),
            "expected" => Some(Judged::As(Outcome::Expected)),
            "none" => Some(Judged::NotYet),
            _ => None,
        });
        IncidentFilter { rule: self.rule.clone(), outcome, before: self.before, limit: ROWS, open: None }
    }

    fn address(&self, before: Option<i64>) -> String {
        let parts = [
            self.rule.as_ref().map(|rule| format!("rule={}", query_value(rule))),
            self.outcome.as_ref().map(|outcome| format!("outcome={}", query_value(outcome))),
            before.map(|before| format!("before={before}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            "/alerts/history".into()
        } else {
            format!("/alerts/history?{}", parts.join("&"))
        }
    }
}

#[component]
pub fn HistoryPage() -> impl IntoView {
    page("History of alerts".into(), || {
        let asked = Asked::of_address();
        let (read, list) = (read(), api::alerts::incidents(asked.filter()));
        async move {
            let (read, list) = (read.await?, list.await?);
            let is_made_up = list.rows.iter().any(|incident| incident.seeded);
            Ok(view! {
                {head(&read, Tab::History)}
                {filters(&asked, &read.alerts.rules)}
                <div class="parts" data-part="body">
                    {table(&list, &asked, read.now)}
                    {proof::precision(&read.alerts.precision, is_made_up, true)}
                </div>
            }
            .into_any())
        }
    })
}

fn filters(asked: &Asked, rules: &[RuleView]) -> AnyView {
    let option = |value: &str, words: &str, chosen: &Option<String>| {
        let selected = chosen.as_deref() == Some(value);
        view! { <option value=value.to_owned() selected=selected>{words.to_owned()}</option> }
    };
    let outcomes =
        [("real", "real"), ("false", "false alarm"), ("expected", "expected"), ("none", "not judged yet")];
    view! {
        <form class="filters" method="get" action="/alerts/history">
            <label>"Rule "
                <select name="rule">
                    <option value="">"all"</option>
                    {rules.iter().map(|rule| option(&rule.name, &rule.name, &asked.rule)).collect_view()}
                </select>
            </label>
            <label>"Judged "
                <select name="outcome">
                    <option value="">"all"</option>
                    {outcomes.map(|(value, words)| option(value, words, &asked.outcome)).into_iter().collect_view()}
                </select>
            </label>
            <button class="button">"Show"</button>
        </form>
    }
    .into_any()
}

fn table(list: &IncidentList, asked: &Asked, now: i64) -> AnyView {
    if list.rows.is_empty() {
        let (title, more) = match (asked.rule.is_some() || asked.outcome.is_some(), asked.before.is_some()) {
            (true, _) => {
                ("No incident matches.", Some(view! { <a href="/alerts/history">"Clear the filters"</a> }))
            }
            (false, true) => ("There are no older incidents.", None),
            (false, false) => ("No rule has fired yet.", None),
        };
        return view! {
            <section class="panel"><div class="empty"><h2>{title}</h2><p>{more}</p></div></section>
        }
        .into_any();
    }
    let back = asked.address(asked.before);
    let row = |incident: &Incident| view! { <tr>{cells(incident, &back, now)}</tr> };
    let older = list.next.map(|next| {
        view! { <p class="pages"><a class="button" rel="next" href=asked.address(Some(next))>"Older incidents"</a></p> }
    });
    let newest = asked.before.map(|_| view! { <a href=asked.address(None)>"Newest"</a> });
    view! {
        <section class="panel incidents" aria-labelledby="incidents">
            <header>
                <h2 id="incidents">"Incidents"</h2>
                <p class="legend">"newest first; was it real? Your answer makes the precision below" {newest}</p>
            </header>
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">"Incident"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Opened, UTC"</th>
                        <th scope="col" class="num">"Lasted"</th>
                        <th scope="col" class="num">"Worst"</th>
                        <th scope="col">"Judged"</th>
                    </tr>
                </thead>
                <tbody>{list.rows.iter().map(row).collect_view()}</tbody>
            </table>
            {older}
        </section>
    }
    .into_any()
}

fn cells(incident: &Incident, back: &str, now: i64) -> AnyView {
    let id = incident.id;
    let look = Look::of_incident(incident);
    let worst = incident.peak.map(|peak| amount(peak, &incident.unit));
    let end = incident.resolved_at.unwrap_or(now);
    let seeded = incident.seeded.then(|| view! { <small>"made up by the demo"</small> });
    view! {
        <th scope="row">
            <a href=format!("/alerts/incidents/{id}")>{format!("#{id} {}", incident.title)}</a>
            <small><a class="quietly" href=format!("/alerts/rules/{}", incident.rule)>{incident.rule.clone()}</a></small>
            {seeded}
        </th>
        <td data-label="State">{look.view()}</td>
        <td data-label="Opened, UTC">{moment(incident.opened_at, now)}</td>
        <td data-label="Lasted" class="num">{lasted(incident.opened_at, end)}</td>
        <td data-label="Worst" class="num">{worst}</td>
        <td data-label="Judged">{outcomes(incident, back)}</td>
    }
    .into_any()
}
