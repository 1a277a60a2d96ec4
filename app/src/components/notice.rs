//! A sentence at the top: the fact, its likely cause, what happens next.

use super::bound::part;
use crate::{live::Live, text::zone};
use leptos::prelude::*;
use streamgauge_core::{
    metric::notice::{Notice, Severity},
    page::board::Overview,
};

#[component]
pub fn Notices(board: RwSignal<Overview>) -> impl IntoView {
    let one = |notice: Notice| {
        let (class, word) = match notice.severity {
            Severity::Info => ("notice info", "Note"),
            Severity::Warning => ("notice warning", "Warning"),
            Severity::Critical => ("notice critical", "Critical"),
        };
        view! {
            <p class=class>
                <span class="sr">{word}": "</span>
                <b>{notice.fact}</b>
                " "
                {notice.detail}
            </p>
        }
    };
    view! { <div class="notices">{part(move || board.with(|board| board.notices.clone()).into_iter().map(one).collect_view().into_any())}</div> }.into_any()
}

#[component]
pub fn DemoBanner(seeded_until: Option<i64>) -> impl IntoView {
    let zone = zone::reader();
    let past = seeded_until.map(|until| {
        part(move || {
            let zone = zone.get();
            let until = format!("{}, {}{}", zone.date(until), zone.minute(until), zone.suffix());
            view! { " Figures before "{until}" are made up." }.into_any()
        })
    });
    view! {
        <p class="notice demo">
            <b>"Demo data."</b>
            " This server makes its own traffic: real publishers, streams and pollers over HTTP, with invented work."
            {past}
        </p>
    }
    .into_any()
}

/// Quiet: the figures go on by themselves. Only a new version asks for something.
#[component]
pub fn RestartNote() -> impl IntoView {
    let zone = zone::reader();
    let live = Live::of_app();
    let note = move || {
        let restart = live.past.get().restart?;
        let time = format!("{}{}", zone.get().clock(restart.at), zone.get().suffix());
        let reload = restart.version.map(|version| {
            view! {
                " It runs version "
                {version}
                " now. "
                <a href="" rel="external">"Reload this page"</a>
            }
        });
        Some(view! {
            <p class="notice info" role="status">
                <b>"The server was restarted at "{time}"."</b>
                " Figures before that come from its history."
                {reload}
            </p>
        })
    };
    part(move || note().into_any())
}
