//! How far a session is.

use leptos::prelude::*;
use streamgauge_core::status::State;

/// A bar with its number. SVG, because a width in a style attribute is what the content security policy forbids.
#[component]
pub fn Progress(#[prop(into)] percent: Signal<u8>, #[prop(into)] state: Signal<State>) -> impl IntoView {
    let width = move || format!("{}%", percent.get());
    view! {
        <span class=move || format!("progress {}", state.get().as_str())>
            <svg height="6" aria-hidden="true">
                <rect class="rest" width="100%" height="6" rx="3"></rect>
                <rect class="done" width=width height="6" rx="3"></rect>
            </svg>
            <span class="num">{move || percent.get()}" %"</span>
        </span>
    }
}
