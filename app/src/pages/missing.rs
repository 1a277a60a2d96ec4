//! No page at this address.

use crate::components::frame::Brand;
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn MissingPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <Title text="No such page" />
        <div class="alone">
            <header class="masthead"><Brand /></header>
            <main id="main">
                <h1>"No such page"</h1>
                <p>"Nothing is served at this address. The figures are on the "<a href="/">"Overview"</a>", what runs now under "<a href="/sessions">"Sessions"</a>"."</p>
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
