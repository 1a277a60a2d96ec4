//! The router: which address shows which page.

use crate::{
    live::Live,
    pages::{missing::MissingPage, overview::OverviewPage, sessions::SessionsPage},
    text::zone,
};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

/// Flat: pages that nest would cost the browser a tenth of the WASM, and only the frame is shared.
/// Every page is rendered whole before it is sent (`SsrMode::Async`): with scripts off nothing is missing.
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

#[cfg(feature = "ssr")]
#[component]
fn Pages() -> impl IntoView {
    use crate::pages::{
        load_test::LoadTestPage, load_tests::LoadTestsPage, login::LoginPage, search::SearchPage,
        session::SessionPage, story::StoryPage,
    };
    view! {
        <FlatRoutes fallback=MissingPage>
            <Route path=path!("/") view=OverviewPage ssr=SsrMode::Async />
            <Route path=path!("/sessions") view=SessionsPage ssr=SsrMode::Async />
            <Route path=path!("/search") view=SearchPage ssr=SsrMode::Async />
            <Route path=path!("/sessions/:id") view=StoryPage ssr=SsrMode::Async />
            <Route path=path!("/s/:id") view=SessionPage ssr=SsrMode::Async />
            <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
            <Route path=path!("/load-tests") view=LoadTestsPage ssr=SsrMode::Async />
            <Route path=path!("/load-tests/:id") view=LoadTestPage ssr=SsrMode::Async />
        </FlatRoutes>
    }
}

/// Plain pages are never hydrated: they bring small scripts of their own, or none, and no WASM. Some are for everybody,
/// which must not download a dashboard; some do not change while they are read. Who may see a page is another
/// question, which the server's gate answers.
#[cfg(feature = "ssr")]
pub fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("s" | "login" | "load-tests" | "search") => true,
        // The list of those that run is live; one session's story is told.
        Some("sessions") => parts.next().is_some_and(|id| !id.is_empty()),
        _ => false,
    }
}

/// The browser's build knows only the pages that are hydrated; links to the others are `rel="external"`.
#[cfg(not(feature = "ssr"))]
#[component]
fn Pages() -> impl IntoView {
    view! {
        <FlatRoutes fallback=MissingPage>
            <Route path=path!("/") view=OverviewPage ssr=SsrMode::Async />
            <Route path=path!("/sessions") view=SessionsPage ssr=SsrMode::Async />
        </FlatRoutes>
    }
}
