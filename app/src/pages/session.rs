//! `/s/{id}`: the public page of one session. Its status is there before any script; then it follows by itself.

use super::follow::{Following, Heading, Journal, Now};
use crate::{
    api,
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Brand,
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use streamgauge_core::{ids::SessionId, view::PublicSession};

#[component]
pub fn SessionPage() -> impl IntoView {
    let params = use_params_map();
    let id = move || params.with(|params| params.get("id").and_then(|id| id.parse::<SessionId>().ok()));
    let first = Resource::new(id, |id| async move {
        match id {
            Some(id) => api::session(id).await,
            // What cannot be an id names no session.
            None => Ok(None),
        }
    });
    let page = waiting(move || async move {
        match first.await {
            Ok(Some(session)) => view! { <Session session /> }.into_any(),
            Ok(None) => view! { <NoSession /> }.into_any(),
            Err(failure) => view! { <Unreadable failure /> }.into_any(),
        }
    });
    let title = move || id().map_or_else(|| "No such session".into(), |id| id.to_string());
    view! {
        <Title text=title />
        <div class="alone">
            <header class="masthead"><Brand /></header>
            <main id="main"><Transition fallback=Loading>{page}</Transition></main>
        </div>
    }
    .into_any()
}

#[component]
fn Session(session: PublicSession) -> impl IntoView {
    let following = Following::begin(&session);
    view! {
        <Heading id=session.id following />
        <Now following />
        <Journal following />
    }
    .into_any()
}

#[component]
fn NoSession() -> impl IntoView {
    #[cfg(feature = "ssr")]
    super::missing::answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <h1>"No such session"</h1>
        <p>"It never began, or it ended so long ago that nothing is kept of it."</p>
    }
    .into_any()
}
