//! `/sessions`: what runs now, newest first.

use crate::{
    api,
    components::{
        empty::{Loading, NoSessions, Unreadable},
        live_state::LiveState,
        notice::RestartNote,
        progress::Progress,
        running::newest,
    },
    text::{number::count, time, zone},
};
use leptos::prelude::*;
use leptos_meta::Title;
use streamgauge_core::{
    cohort::Cohort,
    kpi::thousands,
    view::{SessionList, SessionRow},
};

#[component]
pub fn SessionsPage() -> impl IntoView {
    let first = Resource::new(|| (), |()| api::sessions());
    let page = move || {
        Suspend::new(async move {
            match first.await {
                Ok(list) => view! { <List list /> }.into_any(),
                Err(failure) => {
                    view! {
                        <header class="top"><h1>"Sessions"</h1></header>
                        <Unreadable failure />
                    }
                    .into_any()
                }
            }
        })
    };
    view! {
        <Title text="Sessions" />
        <Transition fallback=Loading>{page}</Transition>
    }
    .into_any()
}

#[component]
fn List(list: SessionList) -> impl IntoView {
    let list = newest(list);
    let as_of = Signal::derive(move || list.with(|list| list.as_of));
    let summary = move || {
        list.with(|list| {
            let shown = list.rows.len() as u64;
            let all = count(list.running, "session running", "sessions running");
            if shown < list.running { format!("{all}, the newest {} shown", thousands(shown)) } else { all }
        })
    };
    let complete = Memo::new(move |_| list.with(|list| list.complete));
    let empty = Memo::new(move |_| list.with(|list| list.rows.is_empty()));
    let body = move || {
        if empty.get() {
            view! { <section class="panel"><NoSessions /></section> }.into_any()
        } else {
            view! {
                <section class="panel sessions" aria-labelledby="title">
                    <p class="legend">{summary}</p>
                    <Table list />
                </section>
            }
            .into_any()
        }
    };
    view! {
        <header class="top">
            <div>
                <h1 id="title">"Sessions"</h1>
                <LiveState as_of />
            </div>
        </header>
        <RestartNote />
        {move || {
            (!complete.get())
                .then(|| {
                    view! {
                        <p class="notice warning">
                            <b>"The list may be incomplete."</b>
                            " The history cannot be read: only this node's own sessions are shown."
                        </p>
                    }
                })
        }}
        {body}
    }
    .into_any()
}

#[component]
fn Table(list: Memo<std::sync::Arc<SessionList>>) -> impl IntoView {
    let rows = move || list.with(|list| list.rows.clone());
    view! {
        <table class="stack">
            <thead>
                <tr>
                    <th scope="col">"Session"</th>
                    <th scope="col">"Kind"</th>
                    <th scope="col">"Stage"</th>
                    <th scope="col">"Progress"</th>
                    <th scope="col" class="num">"Streams"</th>
                    <th scope="col">"Cohort"</th>
                    <th scope="col" class="num">"Started"</th>
                    <th scope="col" class="num">"Last event"</th>
                </tr>
            </thead>
            <tbody>
                <For each=rows key=|row| row.id.clone() let:row>
                    <Row id=row.id.clone() first=row list />
                </For>
            </tbody>
        </table>
    }
    .into_any()
}

/// A row keeps its place in the document while its session runs; only what changed in it is written again.
#[component]
fn Row(
    id: streamgauge_core::ids::SessionId,
    first: SessionRow,
    list: Memo<std::sync::Arc<SessionList>>,
) -> impl IntoView {
    let zone = zone::reader();
    let (href, name) = (format!("/s/{id}"), id.to_string());
    let row = Memo::new(move |last: Option<&SessionRow>| {
        let now = list.with(|list| list.rows.iter().find(|row| row.id == id).cloned());
        now.unwrap_or_else(|| last.unwrap_or(&first).clone())
    });
    let as_of = move || list.with(|list| list.as_of);
    let ago = move || time::span((as_of() - row.with(|row| row.last_event_at)) / 1_000);
    let started = move || row.with(|row| zone.get().clock(row.started_at / 1_000));
    let about = move || {
        row.with(|row| [row.kind.as_deref(), row.region.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    view! {
        <tr>
            <th scope="row" data-label="Session"><a href=href>{name}</a></th>
            <td data-label="Kind">{about}</td>
            <td data-label="Stage">{move || row.with(|row| row.stage.clone())}</td>
            <td data-label="Progress">
                <Progress
                    percent=Signal::derive(move || row.with(|row| row.progress))
                    state=Signal::derive(move || row.with(|row| row.state))
                />
            </td>
            <td data-label="Streams" class="num">{move || row.with(|row| thousands(row.streams.into()))}</td>
            <td data-label="Cohort">{move || cohort(row.with(|row| row.cohort))}</td>
            <td data-label="Started" class="num">{started}{move || zone.get().suffix()}</td>
            <td data-label="Last event" class="num">{ago}" ago"</td>
        </tr>
    }
    .into_any()
}

fn cohort(cohort: Cohort) -> impl IntoView {
    let class = match cohort {
        Cohort::Stream => "k sse",
        Cohort::Poll => "k poll",
    };
    view! { <span class=class>{cohort.as_str()}</span> }
}
