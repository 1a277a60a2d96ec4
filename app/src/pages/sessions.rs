//! `/sessions`: what runs now, newest first.

use crate::{
    api,
    components::{
        bound::{Part, part, text, waiting},
        empty::{Loading, NoSessions, Unreadable},
        frame::Frame,
        live_state::LiveState,
        notice::RestartNote,
        progress::progress,
        running::newest,
    },
    text::{
        number::count,
        time::{self, Zone},
        zone,
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use std::sync::Arc;
use streamgauge_core::{
    metric::kpi::thousands,
    page::view::{SessionList, SessionRow},
    session::cohort::Cohort,
};

#[component]
pub fn SessionsPage() -> impl IntoView {
    let first = Resource::new(|| (), |()| api::sessions::running());
    let page = waiting(move || async move {
        match first.await {
            Ok(list) => view! { <List list /> }.into_any(),
            Err(failure) => view! {
                <header class="top"><h1>"Sessions"</h1></header>
                <Unreadable failure />
            }
            .into_any(),
        }
    });
    view! {
        <Title text="Sessions" />
        <Frame>
            <Transition fallback=Loading>{page}</Transition>
        </Frame>
    }
    .into_any()
}

#[component]
fn List(list: SessionList) -> impl IntoView {
    let list = newest(list);
    let as_of = Signal::derive(move || list.with(|list| list.as_of));
    let summary = text(move || {
        list.with(|list| {
            let shown = list.rows.len() as u64;
            let all = count(list.running, "session running", "sessions running");
            if shown < list.running { format!("{all}, the newest {} shown", thousands(shown)) } else { all }
        })
    });
    let empty = Memo::new(move |_| list.with(|list| list.rows.is_empty()));
    let body = part(move || {
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
    });
    view! {
        <header class="top">
            <div>
                <h1 id="title">"Sessions"</h1>
                <LiveState as_of />
            </div>
            <a class="button" href="/search" rel="external">"Search all sessions"</a>
        </header>
        <RestartNote />
        {part(move || {
            (!list.with(|list| list.complete))
                .then(|| {
                    view! {
                        <p class="notice warning">
                            <b>"The list may be incomplete."</b>
                            " The history cannot be read: only this node's own sessions are shown."
                        </p>
                    }
                })
                .into_any()
        })}
        {body}
    }
    .into_any()
}

#[component]
fn Table(list: Memo<Arc<SessionList>>) -> impl IntoView {
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
                    <tr>{row_of(row, list)}</tr>
                </For>
            </tbody>
        </table>
    }
    .into_any()
}

/// A row keeps its place in the document while its session runs; only what changed in it is written again.
fn row_of(first: SessionRow, list: Memo<Arc<SessionList>>) -> Part {
    let zone = zone::reader();
    part(move || {
        list.with(|list| {
            let now = list.rows.iter().find(|row| row.id == first.id).unwrap_or(&first);
            cells(now, list.as_of, zone.get())
        })
    })
}

fn cells(row: &SessionRow, as_of: i64, zone: Zone) -> AnyView {
    let href = format!("/sessions/{}", row.id);
    let about =
        [row.kind.as_deref(), row.region.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let started = format!("{}{}", zone.clock(row.started_at / 1_000), zone.suffix());
    let last = format!("{} ago", time::span((as_of - row.last_event_at) / 1_000));
    view! {
        <th scope="row" data-label="Session"><a href=href rel="external">{row.id.to_string()}</a></th>
        <td data-label="Kind">{about}</td>
        <td data-label="Stage">{row.stage.clone()}</td>
        <td data-label="Progress">{progress(row.progress, row.state)}</td>
        <td data-label="Streams" class="num">{thousands(row.streams.into())}</td>
        <td data-label="Cohort">{cohort(row.cohort)}</td>
        <td data-label="Started" class="num">{started}</td>
        <td data-label="Last event" class="num">{last}</td>
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
