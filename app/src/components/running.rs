//! The newest sessions, briefly, beside the Overview's first chart.

use super::{
    bound::{part, text},
    progress::progress,
};
use crate::{api::Failure, live::Live};
use leptos::prelude::*;
use std::sync::Arc;
use streamgauge_core::{
    metric::kpi::thousands,
    page::view::{SessionList, SessionRow},
};

const SHOWN: usize = 8;

#[component]
pub fn RunningSessions(list: Result<SessionList, Failure>) -> impl IntoView {
    let body = match list {
        Ok(list) => view! { <Newest list /> }.into_any(),
        Err(failure) => view! {
            <header>
                <h2 id="running">"Running sessions"</h2>
            </header>
            <p class="mut">{failure.title()}" "{failure.detail().to_owned()}</p>
        }
        .into_any(),
    };
    view! { <section class="panel running" aria-labelledby="running">{body}</section> }.into_any()
}

#[component]
fn Newest(list: SessionList) -> impl IntoView {
    let list = newest(list);
    let row = |row: SessionRow| {
        let href = format!("/sessions/{}", row.id);
        view! {
            <li>
                <a href=href rel="external">{row.id.to_string()}</a>
                <span class="stage">{row.stage}</span>
                {progress(row.progress, row.state)}
            </li>
        }
    };
    let rows = part(move || {
        let rows = list.with(|list| list.rows.iter().take(SHOWN).cloned().collect::<Vec<_>>());
        if rows.is_empty() {
            view! { <p class="mut none">"No session is running. "<a href="/sessions">"How to start one"</a></p> }
                .into_any()
        } else {
            view! { <ul>{rows.into_iter().map(row).collect_view()}</ul> }.into_any()
        }
    });
    view! {
        <header>
            <h2 id="running">"Running sessions"</h2>
            <p class="legend"><a href="/sessions">"View all "{text(move || list.with(|list| thousands(list.running)))}</a></p>
        </header>
        {rows}
    }
    .into_any()
}

/// The list as it was read first, then as the stream tells it.
pub fn newest(first: SessionList) -> Memo<Arc<SessionList>> {
    let first = Arc::new(first);
    let live = Live::of_app();
    Memo::new(move |_| {
        // What the stream said last may be from before this page was read.
        let told = live.sessions.get().filter(|told| told.as_of >= first.as_of);
        told.unwrap_or_else(|| Arc::clone(&first))
    })
}
