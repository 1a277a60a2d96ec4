//! The app around its pages.

use crate::{components::alarm::Alarm, live::Live, pages::Pages, text::zone};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::Router;

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    zone::provide();
    Live::provide();
    let alarm = Alarm::provide();
    let title = move |page: String| {
        let page = if page.is_empty() { "Streamgauge".into() } else { format!("{page} · Streamgauge") };
        match alarm.firing() {
            0 => page,
            firing => format!("({firing}) {page}"),
        }
    };
    view! {
        <Title formatter=title />
        <Router>
            <Pages />
        </Router>
    }
}
