//! One session as a browser follows it: what it knows, how it is connected, what it received.

#[cfg(feature = "hydrate")]
mod browser; // by stream, or by poll where the session is of the control group
mod views; // heading, current status, journal

pub use views::{Heading, Journal, Now};

use leptos::prelude::*;
use std::collections::VecDeque;
#[cfg(feature = "hydrate")]
use streamgauge_core::ids::EventId;
use streamgauge_core::{cohort::Cohort, status::StatusEvent, view::PublicSession};

/// How the page is connected to its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "hydrate"),
    expect(dead_code, reason = "the server renders pages that nobody follows yet")
)]
pub enum Contact {
    /// As the server rendered it.
    #[default]
    Served,
    Connecting,
    Streaming,
    Polling,
    /// Nothing happened for minutes: asked now and then.
    Idle,
    Lost,
    /// The session ended: nothing more will come.
    Ended,
}

impl Contact {
    fn words(self) -> &'static str {
        match self {
            Contact::Served => "as of",
            Contact::Connecting => "connecting, as of",
            Contact::Streaming => "live by stream, last event",
            Contact::Polling => "live by polling, last event",
            Contact::Idle => "quiet, asking now and then, last event",
            Contact::Lost => "connection lost, trying again; last event",
            Contact::Ended => "ended",
        }
    }

    /// The classes of the dot are the admin stream's.
    fn class(self) -> &'static str {
        match self {
            Contact::Served => "served",
            Contact::Connecting => "connecting",
            Contact::Streaming | Contact::Polling => "live",
            Contact::Idle => "stale",
            Contact::Lost => "lost",
            Contact::Ended => "ended",
        }
    }
}

/// One thing received.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// On the browser's clock, Unix milliseconds.
    pub at: i64,
    pub name: &'static str,
    pub text: String,
}

/// Entries that are kept.
#[cfg(feature = "hydrate")]
const KEPT: usize = 20;

/// What is known of the session.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub current: Option<StatusEvent>,
    pub contact: Contact,
    /// Newest first.
    pub journal: VecDeque<Entry>,
}

#[derive(Clone, Copy)]
pub struct Following {
    pub known: RwSignal<Known>,
    pub cohort: Cohort,
}

impl Following {
    /// Starts from what the server knew; in the browser it goes on from there, until the calling component ends.
    pub fn begin(session: &PublicSession) -> Following {
        let known = Known { current: session.current.clone(), ..Known::default() };
        let following = Following { known: RwSignal::new(known), cohort: session.cohort };
        #[cfg(feature = "hydrate")]
        browser::start(following, session.clone());
        following
    }
}

#[cfg(feature = "hydrate")]
impl Known {
    /// Notes what came, the newest first.
    fn note(&mut self, entry: Entry) {
        self.journal.push_front(entry);
        self.journal.truncate(KEPT);
    }

    fn has_ended(&self) -> bool {
        self.current.as_ref().is_some_and(|event| event.state.has_ended())
    }

    fn last_id(&self) -> Option<EventId> {
        self.current.as_ref().map(|event| event.id)
    }
}
