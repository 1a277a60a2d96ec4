//! Heading, current status, journal.

use super::{Contact, Following};
use crate::{
    components::{
        bound::{part, text},
        progress::progress,
    },
    text::{time, zone},
};
use leptos::prelude::*;
use streamgauge_core::{
    cohort::Cohort,
    ids::SessionId,
    status::{State, StatusEvent},
};

#[component]
pub fn Heading(id: SessionId, following: Following) -> impl IntoView {
    let zone = zone::reader();
    let known = following.known;
    let contact = move || known.with(|known| known.contact);
    let time = move || {
        let at = known.with(|known| known.current.as_ref().map(|event| event.at / 1_000))?;
        let moment = format!("{}{}", zone.get().moment(at), zone.get().suffix());
        Some(view! { " "<time datetime=time::iso(at)>{moment}</time> })
    };
    // A change of the connection or of the state is said; progress is not, it would never be silent.
    let said = move || {
        let state = known.with(|known| known.current.as_ref().map(|event| event.state.as_str()));
        let lost = if contact() == Contact::Lost { ", connection lost" } else { "" };
        format!("{}{lost}", state.unwrap_or_default())
    };
    view! {
        <header class="top">
            <div>
                <h1 class="id">{id.to_string()}</h1>
                <p class=text(move || format!("freshness {}", contact().class()))>
                    <span class="pulse" aria-hidden="true"></span>
                    {text(move || contact().words().into())}
                    {part(move || time().into_any())}
                    <noscript>" (reload for newer status)"</noscript>
                </p>
                <p class="sr" role="status">{text(said)}</p>
            </div>
        </header>
    }
    .into_any()
}

#[component]
pub fn Now(following: Following) -> impl IntoView {
    let body = part(move || {
        following.known.with(|known| match &known.current {
            Some(event) => status(event),
            None => view! {
                <p class="mut none">"Nothing was published yet. The first status appears here as it comes."</p>
            }
            .into_any(),
        })
    });
    view! { <section class="panel now" aria-label="Current status">{body}</section> }.into_any()
}

fn status(event: &StatusEvent) -> AnyView {
    let words = match event.state {
        State::Running => "running",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Abandoned => "abandoned: its publisher has gone silent",
    };
    view! {
        <header>
            <h2>{event.stage.clone()}</h2>
            <span class=format!("outcome {}", event.state.as_str())>{words}</span>
        </header>
        <p class="big"><b>{event.progress.to_string()}</b>" "<i>"%"</i></p>
        {progress(event.progress, event.state)}
        <p class="message">{event.message.clone().unwrap_or_default()}</p>
        {result(event).into_any()}
    }
    .into_any()
}

/// What the session brought, once it ended.
fn result(event: &StatusEvent) -> impl IntoView + use<> {
    let data = event.data.as_ref().filter(|_| event.state.has_ended())?;
    let text = serde_json::to_string_pretty(data).unwrap_or_default();
    Some(view! {
        <h3>"Result"</h3>
        <pre tabindex="0" role="region" aria-label="Result"><code>{text}</code></pre>
    })
}

#[component]
pub fn Journal(following: Following) -> impl IntoView {
    let zone = zone::reader();
    let entries = move || {
        let entry = |entry: super::Entry| {
            let at = entry.at / 1_000;
            view! {
                <li>
                    <time datetime=time::iso(at)>{zone.get().clock(at)}</time>
                    <b class=format!("name {}", entry.name)>{entry.name}</b>
                    <span>{entry.text}</span>
                </li>
            }
        };
        following.known.with(|known| known.journal.clone()).into_iter().map(entry).collect_view().into_any()
    };
    let way = match following.cohort {
        Cohort::Stream => "followed by stream",
        Cohort::Poll => "followed by polling, as the control group is",
    };
    let quiet = move || {
        let text = match following.known.with(|known| known.contact) {
            Contact::Served => "With scripts on, each event is listed here as it arrives.",
            Contact::Ended => "The session had ended before this page was opened.",
            _ => "Nothing yet.",
        };
        following
            .known
            .with(|known| known.journal.is_empty())
            .then(|| view! { <p class="mut none">{text}</p> })
    };
    view! {
        <section class="panel journal" aria-labelledby="journal">
            <header>
                <h2 id="journal">"Received"</h2>
                <p class="legend">{way}</p>
            </header>
            <ol>{part(entries)}</ol>
            {part(move || quiet().into_any())}
        </section>
    }
    .into_any()
}
