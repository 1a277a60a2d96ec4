//! The app around its pages.

use crate::{live::Live, pages::Pages, text::zone};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::Router;

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    zone::provide();
    Live::provide();
    let title =
        |page: String| if page.is_empty() { "Streamgauge".into() } else { format!("{page} · Streamgauge") };
    view! {
        <Title formatter=title />
        <Router>
            <Pages />
        </Router>
    }
}
