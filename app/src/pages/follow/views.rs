//! Heading, current status, journal.

use super::{Contact, Following};
use crate::{
    components::progress::Progress,
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
    let contact = move || following.contact.get();
    let at = move || following.current.with(|current| current.as_ref().map(|event| event.at / 1_000));
    let time = move || {
        let at = at()?;
        let text = format!("{}{}", zone.get().moment(at), zone.get().suffix());
        Some(view! { " "<time datetime=time::iso(at)>{text}</time> })
    };
    // A change of the connection or of the state is said; progress is not, it would never be silent.
    let said = Memo::new(move |_| {
        let state = following.current.with(|current| current.as_ref().map(|event| event.state.as_str()));
        format!("{} {}", state.unwrap_or_default(), if contact() == Contact::Lost { "connection lost" } else { "" })
    });
    view! {
        <header class="top">
            <div>
                <h1 class="id">{id.to_string()}</h1>
                <p class=move || format!("freshness {}", contact().class())>
                    <span class="pulse" aria-hidden="true"></span>
                    {move || contact().words()}
                    {time}
                    <noscript>" (reload for newer status)"</noscript>
                </p>
                <p class="sr" role="status">{move || said.get()}</p>
            </div>
        </header>
    }
    .into_any()
}

#[component]
pub fn Now(following: Following) -> impl IntoView {
    let current = following.current;
    let is_there = Memo::new(move |_| current.with(Option::is_some));
    let read = move |of: fn(&StatusEvent) -> String| current.with(|now| now.as_ref().map(of).unwrap_or_default());
    let state = Memo::new(move |_| current.with(|now| now.as_ref().map(|event| event.state).unwrap_or_default()));
    let percent = Memo::new(move |_| current.with(|now| now.as_ref().map_or(0, |event| event.progress)));
    let words = move || match state.get() {
        State::Running => "running",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Abandoned => "abandoned: its publisher has gone silent",
    };
    let body = move || {
        if !is_there.get() {
            return view! {
                <p class="mut none">"Nothing was published yet. The first status appears here as it comes."</p>
            }
            .into_any();
        }
        view! {
            <header>
                <h2>{move || read(|event| event.stage.clone())}</h2>
                <span class=move || format!("outcome {}", state.get().as_str())>{words}</span>
            </header>
            <p class="big"><b>{move || percent.get()}</b>" "<i>"%"</i></p>
            <Progress percent state />
            <p class="message">{move || read(|event| event.message.clone().unwrap_or_default())}</p>
            {move || result(current.with(|now| now.clone().filter(|event| event.state.has_ended())))}
        }
        .into_any()
    };
    view! { <section class="panel now" aria-label="Current status">{body}</section> }.into_any()
}

/// What the session brought, once it ended.
fn result(event: Option<StatusEvent>) -> impl IntoView {
    let data = event?.data?;
    let text = serde_json::to_string_pretty(&data).unwrap_or_default();
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
        following.journal.get().into_iter().map(entry).collect_view()
    };
    let way = match following.cohort {
        Cohort::Stream => "followed by stream",
        Cohort::Poll => "followed by polling, as the control group is",
    };
    let quiet = move || {
        let text = match following.contact.get() {
            Contact::Served => "With scripts on, each event is listed here as it arrives.",
            Contact::Ended => "The session had ended before this page was opened.",
            _ => "Nothing yet.",
        };
        following.journal.with(|journal| journal.is_empty()).then(|| view! { <p class="mut none">{text}</p> })
    };
    view! {
        <section class="panel journal" aria-labelledby="journal">
            <header>
                <h2 id="journal">"Received"</h2>
                <p class="legend">{way}</p>
            </header>
            <ol>{entries}</ol>
            {quiet}
        </section>
    }
    .into_any()
}
