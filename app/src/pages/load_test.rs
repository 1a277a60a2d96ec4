//! `/load-tests/{id}`: one run, compared with the run of the same load before it.

use super::missing::answer_with;
use crate::{
    api,
    charts::trend::change_words,
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
        load_test,
    },
    text::number::brief,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use streamgauge_core::load_test::Kept;

#[component]
pub fn LoadTestPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id")?.parse::<i64>().ok());
    let title = id.map_or_else(|| "No such load test".into(), |id| format!("Load test {id}"));
    let page = waiting(move || {
        // What is no number names no run.
        let read = id.map(api::load_tests::find);
        async move {
            let found = match read {
                Some(read) => read.await,
                None => Ok(None),
            };
            match found {
                Ok(Some(kept)) => view! { <Run kept /> }.into_any(),
                Ok(None) => view! { <NoRun /> }.into_any(),
                Err(failure) => view! {
                    <header class="top"><h1>"Load test"</h1></header>
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    view! {
        <Title text=title />
        <Frame>
            <Suspense fallback=Loading>{page}</Suspense>
        </Frame>
    }
    .into_any()
}

#[component]
fn Run(kept: Kept) -> impl IntoView {
    let compared = compared(&kept).into_any();
    let Kept { row, outcome, .. } = kept;
    let by = view! { <span>{format!("kept by {}, v{}", row.node, row.server_version)}</span> };
    let back = view! { <p class="back"><a href="/load-tests">"Load tests"</a></p> };
    view! {
        {load_test::heading(&row, &outcome, back.into_any(), by.into_any())}
        {load_test::result(&outcome, compared)}
    }
    .into_any()
}

/// p95 against the run of the same load before it.
fn compared(kept: &Kept) -> impl IntoView + use<> {
    let before = kept.before.as_ref()?;
    let (class, words) = change_words(kept.change());
    let p95 = before.p95().map_or_else(String::new, |ms| format!(" ({} ms)", brief(ms)));
    Some(view! {
        <span>
            "p95 "<span class=class>{words}</span>": "
            <a href=format!("/load-tests/{}", before.id)>{format!("run {}", before.id)}</a>
            {p95}
        </span>
    })
}

#[component]
fn NoRun() -> impl IntoView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <h1>"No such load test"</h1>
        <p>"This load test does not exist or was deleted; the server keeps the latest 500. "<a href="/load-tests">"All load tests"</a></p>
    }
    .into_any()
}
