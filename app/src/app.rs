//! The router: which address shows which page.

use crate::{
    components::frame::Frame,
    pages::{missing::MissingPage, overview::OverviewPage, sessions::SessionsPage},
    text::zone,
};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    MatchNestedRoutes, SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

/// Every page is rendered whole before it is sent (`SsrMode::Async`): with scripts off nothing is missing.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    zone::provide();
    let title =
        |page: String| if page.is_empty() { "Streamgauge".into() } else { format!("{page} · Streamgauge") };
    view! {
        <Title formatter=title />
        <Router>
            <Routes fallback=MissingPage>
                <ParentRoute path=path!("") view=Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=OverviewPage ssr=SsrMode::Async />
                    <Route path=path!("sessions") view=SessionsPage ssr=SsrMode::Async />
                </ParentRoute>
                <PublicRoute />
            </Routes>
        </Router>
    }
}

/// The public page is not hydrated: the browser's build has no route to it, and links to it are `rel="external"`.
#[component(transparent)]
fn PublicRoute() -> impl MatchNestedRoutes + Clone {
    #[cfg(feature = "ssr")]
    view! { <Route path=path!("/s/:id") view=crate::pages::session::SessionPage ssr=SsrMode::Async /> }
        .into_inner()
}
