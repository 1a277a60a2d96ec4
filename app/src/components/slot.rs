//! A part of a page that the server alone renders. The browser leaves it as it came, and a small script
//! (`public/overview.js`) puts in newer ones: no code for it is in the WASM.

use leptos::prelude::*;

/// `html`: empty in the browser, where what the server sent stays.
#[component]
pub fn Slot(name: &'static str, html: String) -> impl IntoView {
    view! { <div data-slot=name inner_html=html></div> }.into_any()
}
