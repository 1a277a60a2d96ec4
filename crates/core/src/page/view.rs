//! What the pages other than the board show. Plain data, the same on the server and in the browser.

use crate::{
    metric::beacon::FallbackReason,
    session::{
        cohort::Cohort,
        ids::SessionId,
        status::{State, StatusEvent},
    },
    text::is_label,
};
use serde::{Deserialize, Serialize};

/// One line of the list of sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: SessionId,
    /// What kind of work, as the publisher called it: `transcription`.
    pub kind: Option<String>,
    pub region: Option<String>,
    pub cohort: Cohort,
    pub state: State,
    pub stage: String,
    /// 0 to 100.
    pub progress: u8,
    pub message: Option<String>,
    /// Unix milliseconds.
    pub started_at: i64,
    /// Unix milliseconds.
    pub last_event_at: i64,
    /// Status events published so far.
    pub events: u64,
    /// Streams open to it now, on this node.
    pub streams: u32,
}

/// The running sessions, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionList {
    /// Unix milliseconds at which it was read.
    pub as_of: i64,
    /// All that run, of which `rows` shows the newest.
    pub running: u64,
    pub rows: Vec<SessionRow>,
    /// False when the history could not be read and only this node's own sessions are listed.
    pub complete: bool,
}

/// The public page of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicSession {
    pub id: SessionId,
    /// Which way its clients are told to follow it.
    pub cohort: Cohort,
    /// `None` before the first event.
    pub current: Option<StatusEvent>,
    /// Where it is followed; the stream's address begins with the poll's.
    /// Without the ticket: the visitor has it in the page's address or in a cookie.
    pub poll_url: String,
    /// Silence after which its stream is sent a ping, milliseconds.
    pub heartbeat_ms: u64,
}

/// What the list of all sessions is asked for. It lives in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Beginning of an id, a user or a kind.
    pub text: String,
    pub state: Option<State>,
    /// Of the session, as its publisher said it.
    pub region: String,
    /// With a fallback that a page reported; `Some(None)`: for whichever reason.
    pub fallback: Option<Option<FallbackReason>>,
    /// Where the page was that fell back, as the trusted proxy or the GeoIP file says it. Empty: anywhere.
    pub fell_in: String,
    /// Where this page begins: what follows this session's beginning (Unix milliseconds) and id.
    pub after: Option<(i64, String)>,
}

/// Rows of one page.
pub const PAGE: usize = 50;

impl Search {
    pub fn of(mut get: impl FnMut(&str) -> Option<String>) -> Search {
        let mut label = |name: &str, most: usize| {
            let text = get(name).unwrap_or_default().trim().to_owned();
            if is_label(&text, most) { text } else { String::new() }
        };
        let [text, state, region, fallback, fell_in] =
            ["q", "state", "region", "fallback", "fell_in"].map(|name| label(name, SessionId::MAX));
        // A time, a tilde, an id.
        let after = label("after", SessionId::MAX + 24);
        let after = after.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
        let fallback = match FallbackReason::parse(&fallback) {
            None if fallback.is_empty() && fell_in.is_empty() => None,
            reason => Some(reason),
        };
        Search { text, state: State::parse(&state), region, fallback, fell_in, after }
    }

    /// Anything but the plain list.
    pub fn is_narrowed(&self) -> bool {
        !self.text.is_empty() || self.state.is_some() || !self.region.is_empty() || self.fallback.is_some()
    }
}

/// One page of the sessions that were asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub search: Search,
    pub rows: Vec<SessionRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<(i64, String)>,
    /// Unix milliseconds.
    pub as_of: i64,
}
