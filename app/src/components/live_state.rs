//! "as of 14:42:07, 2 nodes, live": how old the figures are, in words, beside the title.

use super::bound::text;
use crate::{
    live::{Link, Live},
    text::{time, zone},
};
use leptos::prelude::*;

/// `as_of`: Unix milliseconds of the figures that the page shows.
#[component]
pub fn LiveState(as_of: Signal<i64>, #[prop(optional)] nodes: usize) -> impl IntoView {
    let zone = zone::reader();
    let live = Live::of_app();
    let link = move || live.link.get();
    let nodes = if nodes > 1 { format!(", {nodes} nodes") } else { String::new() };
    let time = text(move || format!("{}{}", zone.get().clock(as_of.get() / 1_000), zone.get().suffix()));
    // Behind the time, which so keeps its place when the stream comes: nothing on the page moves.
    let words = text(move || match link() {
        Link::Served => nodes.clone(),
        Link::Connecting => format!("{nodes}, connecting"),
        Link::Live => format!("{nodes}, live"),
        Link::Stale(seconds) => format!(", stale: no figures for {}", time::span(seconds)),
        Link::Lost => ", connection lost, trying again".into(),
    });
    // Said aloud only when the state changes: a clock that speaks every second is a nuisance.
    let said = move || match link() {
        Link::Served | Link::Connecting => "",
        Link::Live => "Figures are live.",
        Link::Stale(_) => "Figures are stale.",
        Link::Lost => "Connection lost, trying again.",
    };
    view! {
        <p class=text(move || format!("freshness {}", link().class()))>
            <span class="pulse" aria-hidden="true"></span>
            "as of "
            <time datetime=text(move || time::iso(as_of.get() / 1_000))>{time}</time>
            <span class="link">{words}</span>
            <noscript>" (reload for newer figures)"</noscript>
        </p>
        <p class="sr" role="status">{text(move || said().into())}</p>
    }
    .into_any()
}
