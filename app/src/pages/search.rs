//! `/search`: all sessions that ever ran here, page by page from the newest. Rendered here and never hydrated.

use crate::{
    api,
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
        progress::progress,
    },
    text::{
        html::query_value,
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use streamgauge_core::{
    metric::{beacon::FallbackReason, kpi::thousands, region::shown_name},
    page::view::{Found, Search, SessionRow},
    session::status::State,
};

#[component]
pub fn SearchPage() -> impl IntoView {
    let search = use_query_map().with_untracked(|query| Search::of(|name| query.get(name)));
    let page = waiting(move || {
        let read = api::sessions::find(search.clone());
        let search = search.clone();
        async move {
            match read.await {
                Ok(found) => view! { <Page found /> }.into_any(),
                Err(failure) => view! {
                    <Head search />
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    view! {
        <Title text="All sessions" />
        <Frame>
            <Suspense fallback=Loading>{page}</Suspense>
        </Frame>
    }
    .into_any()
}

#[component]
fn Head(search: Search) -> impl IntoView {
    let states = [State::Running, State::Completed, State::Failed, State::Abandoned];
    let option = |state: State| {
        let selected = search.state == Some(state);
        view! { <option value=state.as_str() selected=selected>{state.as_str()}</option> }
    };
    let reasons = FallbackReason::ALL.map(|reason| {
        let selected = search.fallback == Some(Some(reason));
        view! { <option value=reason.as_str() selected=selected>{reason.title()}</option> }
    });
    let is_any = search.fallback == Some(None);
    let there = (!search.fell_in.is_empty()).then(|| {
        let everywhere = address(&Search { fell_in: String::new(), ..search.clone() });
        view! {
            <p class="legend">
                {format!("A page in {} fell back. ", shown_name(&search.fell_in))}
                <a href=everywhere>"Anywhere"</a>
            </p>
        }
    });
    view! {
        <header class="top">
            <div>
                <h1>"All sessions"</h1>
                <p class="legend"><a href="/sessions">"Running now"</a></p>
                {there}
            </div>
            <form class="search" method="get" action="/search" role="search">
                <label>
                    <span class="sr">"Beginning of an id, a user or a kind"</span>
                    <input type="search" name="q" value=search.text.clone() placeholder="id, user or kind begins with" maxlength="128" />
                </label>
                <label>
                    <span class="sr">"State"</span>
                    <select name="state">
                        <option value="">"any state"</option>
                        {states.map(option).into_iter().collect_view()}
                    </select>
                </label>
                <label>
                    <span class="sr">"Fallback"</span>
                    <select name="fallback">
                        <option value="">"fallback or not"</option>
                        <option value="any" selected=is_any>"any fallback"</option>
                        {reasons.into_iter().collect_view()}
                    </select>
                </label>
                <input type="hidden" name="fell_in" value=search.fell_in.clone() />
                <label>
                    <span class="sr">"Region"</span>
                    <input name="region" value=search.region.clone() placeholder="region" maxlength="64" />
                </label>
                <button class="button">"Search"</button>
            </form>
        </header>
    }
    .into_any()
}

#[component]
fn Page(found: Found) -> impl IntoView {
    let Found { search, rows, next, as_of } = found;
    let more = next.map(|(at, id)| {
        let href = format!("{}&after={at}~{}", address(&search), query_value(&id));
        view! { <a class="button" rel="next" href=href>"Older"</a> }
    });
    let first = search.after.is_some().then(|| {
        view! { <a class="button" href=address(&search)>"Newest"</a> }
    });
    let body = if rows.is_empty() {
        let words = match (search.after.is_some(), search.is_narrowed()) {
            (true, _) => "No older sessions. ",
            (false, true) => "No session matches. ",
            (false, false) => "No session has begun yet.",
        };
        let clear = search.is_narrowed().then(|| view! { <a href="/search">"Clear filters"</a> });
        view! { <p class="mut none">{words}{clear}</p> }.into_any()
    } else {
        view! { <Table rows as_of /> }.into_any()
    };
    view! {
        <Head search />
        <section class="panel found">
            {body}
            <nav class="paging" aria-label="Pages of the list">{first}{more}</nav>
        </section>
    }
    .into_any()
}

/// Without the place in the list.
fn address(search: &Search) -> String {
    let state = search.state.map_or("", State::as_str);
    let fallback = search.fallback.map_or("", |reason| reason.map_or("any", FallbackReason::as_str));
    let [text, region, fell_in] =
        [&search.text, &search.region, &search.fell_in].map(|text| query_value(text));
    format!("/search?q={text}&state={state}&region={region}&fallback={fallback}&fell_in={fell_in}")
}

#[component]
fn Table(rows: Vec<SessionRow>, as_of: i64) -> impl IntoView {
    let row = |row: SessionRow| {
        let href = format!("/sessions/{}", row.id);
        let about: Vec<&str> = [row.kind.as_deref(), row.region.as_deref()].into_iter().flatten().collect();
        let about = (!about.is_empty()).then(|| about.join(", "));
        let at = row.started_at / 1_000;
        let last = format!("{} ago", time::span((as_of - row.last_event_at) / 1_000));
        view! {
            <tr>
                <th scope="row" data-label="Session"><a href=href>{row.id.to_string()}</a></th>
                <td data-label="Kind">{about}</td>
                <td data-label="Stage">{row.stage.clone()}</td>
                <td data-label="State"><span class=format!("outcome {}", row.state.as_str())>{row.state.as_str()}</span></td>
                <td data-label="Progress">{progress(row.progress, row.state)}</td>
                <td data-label="Events" class="num">{thousands(row.events)}</td>
                <td data-label="Started" class="num"><time datetime=time::iso(at)>{Zone::Utc.moment(at)}</time></td>
                <td data-label="Last event" class="num">{last}</td>
            </tr>
        }
    };
    view! {
        <table class="stack">
            <thead>
                <tr>
                    <th scope="col">"Session"</th>
                    <th scope="col">"Kind, region"</th>
                    <th scope="col">"Stage"</th>
                    <th scope="col">"State"</th>
                    <th scope="col">"Progress"</th>
                    <th scope="col" class="num">"Events"</th>
                    <th scope="col" class="num">"Started, UTC"</th>
                    <th scope="col" class="num">"Last event"</th>
                </tr>
            </thead>
            <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}
