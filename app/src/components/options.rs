//! What a load was run with. An option keeps its value, and its dashes, on its line; lines break between options.

use leptos::prelude::*;

/// Nothing where there are none.
#[component]
pub fn RunOptions<'a>(options: &'a str) -> impl IntoView + use<> {
    let mut parts = options.split(" --").map(str::trim).filter(|part| !part.is_empty());
    // What is split off the first one begins the text, and has its dashes still.
    let first = parts.next().map(str::to_owned);
    let rest: Vec<String> = parts.map(|part| format!("--{part}")).collect();
    first.map(|first| {
        let part = |part: String| view! { <span>{part}</span>" " };
        view! { <code class="options">{part(first)} {rest.into_iter().map(part).collect_view()}</code> }
    })
}
