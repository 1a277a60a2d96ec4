//! `/`: the four headline figures, their charts, what they rest on and what runs now.

use super::board::{self, Board};
use crate::{
    api,
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
        live_state::LiveState,
        notice::RestartNote,
        ranges,
    },
    live::Live,
};
use leptos::prelude::*;
use leptos_meta::Title;
use streamgauge_core::page::board::Overview;

#[component]
pub fn OverviewPage() -> impl IntoView {
    let asked = ranges::asked();
    // Read once: when the address turns to another range the board reads again by itself, and nothing on the page is made
    // anew.
    let first = Resource::new(|| (), move |()| api::dashboard::overview(asked.get_untracked()));
    // Read here and not where it is shown: a resource made inside what waits for another one would be made again with
    // each attempt to render that, and the document would wait for the ones that were given up.
    let sessions = Resource::new(|| (), |()| api::sessions::running());
    let live = Live::of_app();
    let state = waiting(move || async move {
        let Ok(board) = first.await.map(Overview::from) else { return ().into_any() };
        let told = move || live.metrics.with(|metrics| metrics.as_ref().map_or(0, |metrics| metrics.as_of));
        let as_of = Signal::derive(move || told().max(board.as_of));
        let nodes = board.origin.nodes.len();
        view! { <LiveState as_of nodes /> }.into_any()
    });
    let board = waiting(move || {
        let quiet = board::quiet(&asked.get_untracked());
        async move {
            match first.await {
                Ok(board) => {
                    view! { <Board board=board.into() sessions=sessions.await quiet=quiet.await asked /> }
                        .into_any()
                }
                Err(failure) => view! { <Unreadable failure /> }.into_any(),
            }
        }
    });
    view! {
        <Title text="Overview" />
        <Frame>
            <header class="top">
                <div>
                    <h1>"Overview"</h1>
                    <Transition>{state}</Transition>
                </div>
            </header>
            <RestartNote />
            <Transition fallback=Loading>{board}</Transition>
        </Frame>
    }
    .into_any()
}
