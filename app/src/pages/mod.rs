//! One file a page.

#[cfg(feature = "ssr")]
pub mod alerts; // `/alerts` and what is below it, which no WASM knows
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
pub mod timeline; // `/sessions/{id}`, which no WASM knows

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
    alerts::{
        history::HistoryPage,
        incident::IncidentPage,
        overview::AlertsPage,
        rule::{NewRulePage, RulePage},
        rules::RulesPage,
        silences::SilencesPage,
    },
    load_test::LoadTestPage,
    load_tests::LoadTestsPage,
    login::LoginPage,
    search::SearchPage,
    session::SessionPage,
    timeline::TimelinePage,
};

/// One page: where it is, what it is called, which scripts it brings, for whom it is, and where the navigation shows it. The
/// router and the navigation are made of the list, and a server test holds each page to its audience.
#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// A part that begins with `:` stands for any value.
    pub path: &'static str,
    pub title: &'static str,
    /// The scripts that it brings: the dashboard's WASM, or at most a small one of its own.
    pub build: Build,
    pub audience: Audience,
    pub place: Place,
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

/// Where the navigation shows a page.
#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    In(Group),
    /// As the page at this path, of which it is a part.
    Under(&'static str),
    /// It has no navigation.
    Alone,
}

/// The groups of the navigation, in their order. A group without a page is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What goes on now. On a phone these pages are the bar at the bottom.
    Watch,
    /// What streaming brings.
    Prove,
    /// What could be better.
    Tune,
    /// What is seldom needed: setting up, settings, help.
    Foot,
}

/// A page in the navigation.
pub struct Entry {
    pub group: Group,
    pub title: &'static str,
    pub path: &'static str,
    /// The browser's build has no route to it: it is a whole load away.
    pub is_external: bool,
}

/// The browser's build knows only the pages that are hydrated; links to the others are `rel="external"`. Flat: pages that
/// nest would cost the browser a tenth of the WASM, and only the frame is shared. Every page is rendered whole before it is
/// sent (`SsrMode::Async`): with scripts off nothing is missing.
macro_rules! pages {
    (
        Hydrated {
            $($path:tt $title:literal => $view:ident, for $audience:ident, $(in $group:ident)? $(under $parent:tt)?;)*
        }
        Plain {
            $(
                $plain_path:tt $plain_title:literal => $plain_view:ident, for $plain_audience:ident,
                $(in $plain_group:ident)? $(under $plain_parent:tt)? $(alone)?;
            )*
        }
    ) => {
        #[cfg(feature = "ssr")]
        pub const PAGES: &[Page] = &[
            $(Page {
                path: $path,
                title: $title,
                build: Build::Hydrated,
                audience: Audience::$audience,
                place: place!($(in $group)? $(under $parent)?),
            },)*
            $(Page {
                path: $plain_path,
                title: $plain_title,
                build: Build::Plain,
                audience: Audience::$plain_audience,
                place: place!($(in $plain_group)? $(under $plain_parent)?),
            },)*
        ];

        /// The navigation, and all that the browser's build has of the list.
        pub const NAVIGATION: &[Entry] = &[
            $($(Entry { group: Group::$group, title: $title, path: $path, is_external: false },)?)*
            $($(Entry {
                group: Group::$plain_group,
                title: $plain_title,
                path: $plain_path,
                is_external: true,
            },)?)*
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

#[cfg(feature = "ssr")]
macro_rules! place {
    (in $group:ident) => {
        Place::In(Group::$group)
    };
    (under $parent:tt) => {
        Place::Under($parent)
    };
    () => {
        Place::Alone
    };
}

pages! {
    Hydrated {
        "/" "Overview" => OverviewPage, for Admins, in Watch;
        "/sessions" "Sessions" => SessionsPage, for Admins, in Watch;
    }
    Plain {
        "/alerts" "Alerts" => AlertsPage, for Admins, in Watch;
        "/alerts/history" "History of alerts" => HistoryPage, for Admins, under "/alerts";
        "/alerts/rules" "Alert rules" => RulesPage, for Admins, under "/alerts";
        "/alerts/rules/new" "New rule" => NewRulePage, for Admins, under "/alerts";
        "/alerts/rules/:name" "Alert rule" => RulePage, for Admins, under "/alerts";
        "/alerts/silences" "Silences and maintenance" => SilencesPage, for Admins, under "/alerts";
        "/alerts/incidents/:id" "Incident" => IncidentPage, for Admins, under "/alerts";
        "/search" "All sessions" => SearchPage, for Admins, under "/sessions";
        "/sessions/:id" "Session" => TimelinePage, for Admins, under "/sessions";
        "/load-tests" "Load tests" => LoadTestsPage, for Admins, in Tune;
        "/load-tests/:id" "Load test" => LoadTestPage, for Admins, under "/load-tests";
        "/s/:id" "Session" => SessionPage, for Followers, alone;
        "/login" "Sign in" => LoginPage, for Everybody, alone;
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

/// The path of the entry that the navigation marks at an address.
#[cfg(feature = "ssr")]
pub fn entry_at(address: &str) -> Option<&'static str> {
    let page = page_at(address)?;
    match page.place {
        Place::In(_) => Some(page.path),
        Place::Under(parent) => Some(parent),
        Place::Alone => None,
    }
}

/// It is never hydrated.
#[cfg(feature = "ssr")]
pub fn is_plain(address: &str) -> bool {
    page_at(address).is_some_and(|page| page.build == Build::Plain)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::{NAVIGATION, PAGES, Place, entry_at, page_at};

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

    #[test]
    fn a_page_is_shown_under_one_that_the_navigation_has() {
        for page in PAGES {
            if let Place::Under(parent) = page.place {
                assert!(NAVIGATION.iter().any(|entry| entry.path == parent), "{}", page.path);
            }
        }
        let check = |address, path| assert_eq!(entry_at(address), path, "{address}");
        check("/", Some("/"));
        check("/search", Some("/sessions"));
        check("/sessions/a", Some("/sessions"));
        check("/load-tests/7", Some("/load-tests"));
        check("/s/a", None);
        check("/nothing", None);
    }
}
