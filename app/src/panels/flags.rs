//! What happened around the sessions: the charts' flags as a list.

use crate::text::time::{self, Zone};
use leptos::prelude::*;
use streamgauge_core::page::{annotation::Annotation, panels::Panels};

/// More are in the admin API.
const SHOWN: usize = 12;

pub fn flags(panels: &Panels) -> AnyView {
    if panels.annotations.is_empty() {
        return ().into_any();
    }
    let row = |flag: &Annotation| {
        view! {
            <li class=flag.kind.as_str()>
                <time datetime=time::iso(flag.at)>{Zone::Utc.moment(flag.at)}</time>
                " "
                <b>{flag.kind.as_str()}</b>
                " "
                {flag.text.clone()}
            </li>
        }
    };
    let rows = panels.annotations.iter().rev().take(SHOWN).map(row).collect_view();
    view! {
        <section class="panel flags" aria-labelledby="flags-title">
            <header>
                <h2 id="flags-title">"What happened"</h2>
                <p class="legend">"flags in the charts, UTC"</p>
            </header>
            <ul>{rows}</ul>
        </section>
    }
    .into_any()
}
