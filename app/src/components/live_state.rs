//! "live, 2 nodes, as of 14:42:07": how old the figures are, in words, beside the title.

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
    let live = use_context::<Live>();
    let link = move || live.map_or(Link::Served, |live| live.link.get());
    let nodes = if nodes > 1 { format!("{nodes} nodes, ") } else { String::new() };
    let time = text(move || format!("{}{}", zone.get().clock(as_of.get() / 1_000), zone.get().suffix()));
    let words = text(move || match link() {
        Link::Served => format!("{nodes}as of "),
        Link::Connecting => format!("connecting, {nodes}as of "),
        Link::Live => format!("live, {nodes}as of "),
        Link::Stale(seconds) => format!("stale: no figures for {}, as of ", time::span(seconds)),
        Link::Lost => "connection lost, trying again; as of ".into(),
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
            {words}
            <time datetime=text(move || time::iso(as_of.get() / 1_000))>{time}</time>
            <noscript>" (reload for newer figures)"</noscript>
        </p>
        <p class="sr" role="status">{text(move || said().into())}</p>
    }
    .into_any()
}
