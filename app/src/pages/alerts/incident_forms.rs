//! What a person does with an incident: forms that post to the API and come back.

use crate::alerts::action::{Act, ends, hidden};
use leptos::prelude::*;
use streamgauge_core::page::alerts::{Incident, IncidentState, Outcome};

/// "Was it real?": three buttons, of which the given answer is pressed. Of a test nobody is asked.
pub fn outcomes(incident: &Incident, back: &str) -> AnyView {
    if incident.outcome == Some(Outcome::Test) {
        return "a test".into_any();
    }
    if incident.state != IncidentState::Resolved {
        return view! { <span class="mut">"when it is resolved"</span> }.into_any();
    }
    let words = [(Outcome::Real, "Real"), (Outcome::False, "False"), (Outcome::Expected, "Expected")];
    let button = |(outcome, words): (Outcome, &'static str)| {
        let pressed = (incident.outcome == Some(outcome)).to_string();
        view! {
            <button class="button" name="outcome" value=outcome.as_str() aria-pressed=pressed>{words}</button>
        }
    };
    let label = format!("Was incident {} real?", incident.id);
    view! {
        <form class="outcomes" method="post" action=format!("/api/admin/incidents/{}/outcome", incident.id) aria-label=label>
            {hidden("back", back)}
            {words.map(button).into_iter().collect_view()}
        </form>
    }
    .into_any()
}

/// The buttons beside the headline. Acknowledging is the one thing to do first.
pub fn tools(incident: &Incident, now: i64) -> AnyView {
    let back = format!("/alerts/incidents/{}", incident.id);
    if incident.state == IncidentState::Resolved {
        return view! { <div class="tools">{outcomes(incident, &back)}</div> }.into_any();
    }
    let acknowledge = match incident.acknowledged_by {
        None => acknowledge(incident, &back),
        Some(_) => ().into_any(),
    };
    view! { <div class="tools acts">{silence(incident, &back, now)} {resolve(incident, &back)} {acknowledge}</div> }
        .into_any()
}

fn acknowledge(incident: &Incident, back: &str) -> AnyView {
    let action = format!("/api/admin/incidents/{}/acknowledge", incident.id);
    view! {
        <form class="at-once" method="post" action=action.clone()>
            {hidden("back", back)}
            <button class="button primary">"Acknowledge"</button>
        </form>
        <details class="drop">
            <summary class="button">"with a note…"</summary>
            <form method="post" action=action>
                {hidden("back", back)}
                <label>"Note"<input type="text" name="note" maxlength="500" placeholder="What do you do about it?" /></label>
                <label class="check"><input type="checkbox" name="remind_after" value="3600" />"Remind me in 1 h"</label>
                <button class="button primary">"Acknowledge"</button>
            </form>
        </details>
    }
    .into_any()
}

fn silence(incident: &Incident, back: &str, now: i64) -> AnyView {
    if incident.muted_by.is_some() {
        return ().into_any();
    }
    view! {
        <details class="drop">
            <summary class="button">"Silence…"</summary>
            <form method="post" action="/api/admin/silences">
                {hidden("back", back)}
                {hidden("rule", &incident.rule)}
                <label>"For"<select name="until">{ends(now)}</select></label>
                <label>"Reason"<input type="text" name="reason" required maxlength="200" /></label>
                <p class="mut">"It stays open, and sends nothing meanwhile."</p>
                <button class="button">"Silence"</button>
            </form>
        </details>
    }
    .into_any()
}

fn resolve(incident: &Incident, back: &str) -> AnyView {
    view! {
        <details class="drop">
            <summary class="button">"Resolve…"</summary>
            <form method="post" action=format!("/api/admin/incidents/{}/resolve", incident.id)>
                {hidden("back", back)}
                <p class="mut">"It resolves by itself when the rule is clear for its hold. If the rule still breaches, it fires again as a new incident that links to this one."</p>
                <button class="button">"Resolve now"</button>
            </form>
        </details>
    }
    .into_any()
}

/// The box above the timeline.
pub fn note(incident: &Incident) -> AnyView {
    view! {
        <form class="note" method="post" action=format!("/api/admin/incidents/{}/note", incident.id)>
            {hidden("back", &format!("/alerts/incidents/{}", incident.id))}
            <label class="sr" for="note">"Note"</label>
            <input type="text" id="note" name="text" required maxlength="500" placeholder="What did you see or do?" />
            <button class="button">"Add note"</button>
        </form>
    }
    .into_any()
}

/// What the public status page says of it.
pub fn publish(incident: &Incident) -> AnyView {
    let back = format!("/alerts/incidents/{}", incident.id);
    let now = match &incident.published {
        Some(text) => view! { <p>"It says: "<b>{text.clone()}</b></p> }.into_any(),
        None => view! { <p class="mut">"Nothing is published of this incident."</p> }.into_any(),
    };
    let open = incident.published.is_some();
    let label = if open { "Publish the new text" } else { "Publish" };
    view! {
        <section class="panel" aria-labelledby="public">
            <header><h2 id="public">"Status page"</h2><p class="legend">"for everybody to read"</p></header>
            {now}
            <details class="figures">
                <summary>{if open { "Change it" } else { "Publish a text" }}</summary>
                <form class="publish" method="post" action=format!("/api/admin/incidents/{}/publish", incident.id)>
                    {hidden("back", &back)}
                    <label for="text">"What users should know, without names and hosts"</label>
                    <textarea id="text" name="text" rows="3" maxlength="1000" required>{incident.published.clone()}</textarea>
                    <button class="button">{label}</button>
                </form>
            </details>
        </section>
    }
    .into_any()
}

/// For those who silenced it by mistake.
pub fn end_silence(id: i64, of: &str, back: &str) -> AnyView {
    Act { route: format!("silences/{id}/end"), back, label: "End it".into(), of, primary: false, fields: &[] }
        .view()
}
