//! No page at this address.

use crate::components::frame::Brand;
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn MissingPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <Title text="Page not found" />
        <div class="alone">
            <header class="masthead"><Brand /></header>
            <main id="main">
                <h1>"Page not found"</h1>
                <p><a href="/">"Overview"</a>" "<a href="/sessions">"Sessions"</a>" "<a href="/search" rel="external">"Search"</a></p>
            </main>
        </div>
    }
    .into_any()
}

/// The status of the document that is being rendered; nothing where a server function runs.
#[cfg(feature = "ssr")]
pub fn answer_with(status: http::StatusCode) {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(status);
    }
}
