//! 1h, 24h, 7d: real links, so that the range lives in the address and works with scripts off.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use streamgauge_core::range::Range;

/// The range that the address asks for; what no button offers is the default.
pub fn asked() -> Memo<Range> {
    let query = use_query_map();
    Memo::new(move |_| {
        query.with(|query| query.get("range").and_then(|text| Range::parse(&text)).unwrap_or_default())
    })
}

#[component]
pub fn Ranges(range: Memo<Range>) -> impl IntoView {
    let link = move |each: Range| {
        view! {
            <a href=format!("/?range={}", each.as_str()) aria-current=move || (range.get() == each).then_some("true")>
                {each.as_str()}
                <span class="sr">", "{each.in_words()}</span>
            </a>
        }
    };
    view! { <nav class="seg" aria-label="Range">{Range::ALL.map(link).into_iter().collect_view()}</nav> }
}
