//! The admin stream in the browser: what it said last, and the state of its connection.
//!
//! On the server, and in the browser's first render, there is only [`Link::Served`]: the page as it was sent.

#[cfg(any(feature = "hydrate", test))]
mod backoff; // how long to wait before asking again
#[cfg(feature = "hydrate")]
mod stream; // an EventSource that never gives up
#[cfg(feature = "hydrate")]
mod watch; // the admin stream's messages and silences

use leptos::prelude::*;
use std::sync::Arc;
use streamgauge_core::page::{board::LiveUpdate, view::SessionList};

/// How the page stands to its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "hydrate"),
    expect(dead_code, reason = "the server renders pages that nobody listens on yet")
)]
pub enum Link {
    /// As the server rendered it; nobody listens yet (or scripts are off).
    #[default]
    Served,
    Connecting,
    Live,
    /// Connected, but no figures for so many seconds, which are more than five.
    Stale(i64),
    /// Not connected; it is being tried again.
    Lost,
}

impl Link {
    pub fn class(self) -> &'static str {
        match self {
            Link::Served => "served",
            Link::Connecting => "connecting",
            Link::Live => "live",
            Link::Stale(_) => "stale",
            Link::Lost => "lost",
        }
    }
}

/// The server that answers is not the one that the page began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Unix seconds.
    pub at: i64,
    /// Its version, where that differs: this page's code may then be too old for it.
    pub version: Option<String>,
}

/// What the connection has been through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Counts the recoveries: a page then reads again what it missed.
    pub resumed: u32,
    pub restart: Option<Restart>,
}

/// The shared state of the admin stream, in the context of every page that shows figures.
#[derive(Clone, Copy)]
pub struct Live {
    pub link: RwSignal<Link>,
    pub metrics: RwSignal<Option<Arc<LiveUpdate>>>,
    pub sessions: RwSignal<Option<Arc<SessionList>>>,
    pub past: RwSignal<Past>,
    /// A page that shows figures is open.
    wanted: RwSignal<bool>,
}

impl Live {
    /// Provides it for the whole app: the stream outlives the change from one page to the next.
    pub fn provide() {
        let live = Live {
            link: RwSignal::default(),
            metrics: RwSignal::new(None),
            sessions: RwSignal::new(None),
            past: RwSignal::default(),
            wanted: RwSignal::new(false),
        };
        provide_context(live);
        #[cfg(feature = "hydrate")]
        watch::start(live);
    }

    /// As [`Live::provide`] provided it, which is the first thing that the app does.
    pub fn of_app() -> Live {
        expect_context()
    }

    /// Listens, in the browser, as long as the calling component is there.
    pub fn follow(self) {
        Effect::new(move || self.wanted.set(true));
        on_cleanup(move || self.wanted.set(false));
    }
}
