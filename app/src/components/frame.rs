//! The page's frame: brand, navigation, the main part. While a page is in it, the admin stream is followed.

use super::{
    alarm::Alarm,
    bound::{part, text},
    navigation::{self, Here},
};
use crate::live::Live;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

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
    let alarm = Alarm::of_app();
    let (here, is_list) = use_location()
        .pathname
        .with_untracked(|path| (Here::at(path), path.trim_end_matches('/') == "/alerts"));
    let rest = navigation::rest(&here);
    // The list of alerts begins with a verdict of its own.
    let line = (!is_list).then(|| view! { <div data-part="alarm" inner_html=alarm.line()></div> });
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
                    <div class="bar" data-part="bar" inner_html=text(move || navigation::bar(&here, &alarm.badge()))></div>
                    <div class="rest" id="more" popover="auto">
                        <div inner_html=rest></div>
                        <div class="foot">{foot}</div>
                        // Seen where access is closed: navigation.css.
                        <form class="leave" method="post" action="/logout">
                            <button>"Sign out"</button>
                        </form>
                    </div>
                </nav>
            </header>
            <main id="main">{line} {children()}</main>
        </div>
    }
    .into_any()
}

/// Who rendered a plain page, which nothing follows later. Where the browser takes over, it begins without.
fn served_by() -> Option<(String, String)> {
    #[cfg(feature = "ssr")]
    if use_location().pathname.with_untracked(|path| crate::pages::is_plain(path)) {
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
