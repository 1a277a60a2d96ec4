//! One file a page.

pub mod board; // the Overview's panels, once its figures are there
#[cfg(feature = "ssr")]
pub mod load_test; // `/load-tests/{id}`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod load_tests; // `/load-tests`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod login; // `/login`, which no WASM knows
pub mod missing; // no page at this address
pub mod overview; // `/`
#[cfg(feature = "ssr")]
pub mod search; // `/search`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod session; // `/s/{id}`, which no WASM knows
pub mod sessions; // `/sessions`
#[cfg(feature = "ssr")]
pub mod story; // `/sessions/{id}`, which no WASM knows

use leptos::prelude::*;
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route},
    path,
};
use missing::MissingPage;
use overview::OverviewPage;
use sessions::SessionsPage;
#[cfg(feature = "ssr")]
use {
    load_test::LoadTestPage, load_tests::LoadTestsPage, login::LoginPage, search::SearchPage,
    session::SessionPage, story::StoryPage,
};

/// One page: where it is, which scripts it brings, and for whom it is. The router is made of the list, and a server test
/// holds each page to its audience.
#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// A part that begins with `:` stands for any value.
    pub path: &'static str,
    /// The scripts that it brings: the dashboard's WASM, or at most a small one of its own.
    pub build: Build,
    pub audience: Audience,
}

#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    Hydrated,
    /// For everybody, who must not download a dashboard, or not changing while it is read.
    Plain,
}

#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Admins,
    /// With a ticket for the session.
    Followers,
    Everybody,
}

/// The browser's build knows only the pages that are hydrated; links to the others are `rel="external"`. Flat: pages that
/// nest would cost the browser a tenth of the WASM, and only the frame is shared. Every page is rendered whole before it is
/// sent (`SsrMode::Async`): with scripts off nothing is missing.
macro_rules! pages {
    (
        Hydrated { $($path:tt => $view:ident, for $audience:ident;)* }
        Plain { $($plain_path:tt => $plain_view:ident, for $plain_audience:ident;)* }
    ) => {
        #[cfg(feature = "ssr")]
        pub const PAGES: &[Page] = &[
            $(Page { path: $path, build: Build::Hydrated, audience: Audience::$audience },)*
            $(Page { path: $plain_path, build: Build::Plain, audience: Audience::$plain_audience },)*
        ];

        #[cfg(feature = "ssr")]
        #[component]
        pub fn Pages() -> impl IntoView {
            view! {
                <FlatRoutes fallback=MissingPage>
                    $(<Route path=path!($path) view=$view ssr=SsrMode::Async />)*
                    $(<Route path=path!($plain_path) view=$plain_view ssr=SsrMode::Async />)*
                </FlatRoutes>
            }
        }

        #[cfg(not(feature = "ssr"))]
        #[component]
        pub fn Pages() -> impl IntoView {
            view! {
                <FlatRoutes fallback=MissingPage>
                    $(<Route path=path!($path) view=$view ssr=SsrMode::Async />)*
                </FlatRoutes>
            }
        }
    };
}

pages! {
    Hydrated {
        "/" => OverviewPage, for Admins;
        "/sessions" => SessionsPage, for Admins;
    }
    Plain {
        "/search" => SearchPage, for Admins;
        "/sessions/:id" => StoryPage, for Admins;
        "/s/:id" => SessionPage, for Followers;
        "/login" => LoginPage, for Everybody;
        "/load-tests" => LoadTestsPage, for Admins;
        "/load-tests/:id" => LoadTestPage, for Admins;
    }
}

/// The page at an address; `None`: there is none, and the server's frame says so.
#[cfg(feature = "ssr")]
pub fn page_at(address: &str) -> Option<&'static Page> {
    let is_at = |page: &&Page| {
        let (pattern, parts) = (page.path.split('/'), address.trim_end_matches('/').split('/'));
        let pattern = pattern.filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        pattern.clone().count() == parts.len()
            && pattern.zip(parts).all(|(wanted, part)| wanted.starts_with(':') || wanted == part)
    };
    PAGES.iter().find(is_at)
}

/// It is never hydrated.
#[cfg(feature = "ssr")]
pub fn is_plain(address: &str) -> bool {
    page_at(address).is_some_and(|page| page.build == Build::Plain)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::page_at;

    #[test]
    fn an_address_shows_the_page_that_fits_all_its_parts() {
        let check = |address, path: Option<&str>| {
            assert_eq!(page_at(address).map(|page| page.path), path, "{address}")
        };
        check("/", Some("/"));
        check("/sessions", Some("/sessions"));
        check("/sessions/", Some("/sessions"));
        check("/sessions/a", Some("/sessions/:id"));
        check("/sessions/a/b", None);
        check("/load-tests/7", Some("/load-tests/:id"));
        check("/s", None);
        check("/nothing", None);
    }
}
