//! How far a session is.

use leptos::prelude::*;
use streamgauge_core::session::status::State;

/// A bar with its number. SVG, because a width in a style attribute is what the content security policy forbids.
pub fn progress(percent: u8, state: State) -> AnyView {
    view! {
        <span class=format!("progress {}", state.as_str())>
            <svg height="6" aria-hidden="true">
                <rect class="rest" width="100%" height="6" rx="3"></rect>
                <rect class="done" width=format!("{percent}%") height="6" rx="3"></rect>
            </svg>
            <span class="num">{format!("{percent} %")}</span>
        </span>
    }
    .into_any()
}
