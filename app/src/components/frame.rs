//! The page's frame: brand, navigation, the main part. While a page is in it, the admin stream is followed.

use super::bound::part;
use crate::live::Live;
use leptos::prelude::*;
use leptos_router::components::A;

#[component]
pub fn Frame(children: Children) -> impl IntoView {
    let live = Live::of_app();
    live.follow();
    // Known with the first message: the foot stands apart, so nothing moves when it comes.
    let node = move || {
        live.metrics.with(|metrics| {
            metrics.as_ref().map(|metrics| (metrics.origin.node.clone(), metrics.origin.version.clone()))
        })
    };
    let served_by = served_by();
    let foot = part(move || {
        node()
            .or_else(|| served_by.clone())
            .map(|(node, version)| view! { <p>"node "<b>{node}</b><br />"v"{version}</p> })
            .into_any()
    });
    view! {
        <a class="skip" href="#main">"Skip to the figures"</a>
        <div class="frame">
            <header class="side">
                <Brand />
                <nav aria-label="Pages">
                    <A href="/" exact=true>"Overview"</A>
                    <A href="/sessions">"Sessions"</A>
                    <a href="/load-tests" rel="external" aria-current=load_tests()>"Load tests"</a>
                </nav>
                <div class="foot">{foot}</div>
                // Seen where access is closed: layout.css.
                <form class="leave" method="post" action="/logout">
                    <button>"Sign out"</button>
                </form>
            </header>
            <main id="main">{children()}</main>
        </div>
    }
    .into_any()
}

/// Whether this page is of the load tests: only the server shows one, so the browser's build need not ask.
fn load_tests() -> Option<&'static str> {
    #[cfg(feature = "ssr")]
    if leptos_router::hooks::use_location().pathname.with_untracked(|path| path.starts_with("/load-tests")) {
        return Some("page");
    }
    None
}

/// Who rendered a plain page, which nothing follows later. Where the browser takes over, it begins without.
fn served_by() -> Option<(String, String)> {
    #[cfg(feature = "ssr")]
    if leptos_router::hooks::use_location().pathname.with_untracked(|path| crate::pages::is_plain(path)) {
        let served_by = use_context::<crate::api::backend::ServedBy>()?;
        return Some((served_by.node, served_by.version.into()));
    }
    None
}

#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
                <path d="M2 12h4.5M13.5 12H22M18 7v10"></path>
                <circle cx="10" cy="12" r="3.5"></circle>
            </svg>
            "Streamgauge"
        </a>
    }
    .into_any()
}
