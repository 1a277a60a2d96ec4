//! What happened to one session: its marks on one line of time.

use crate::{
    cohort::Cohort,
    ids::SessionId,
    status::{State, StatusEvent},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A status event; `detail` is its stage, `value` its progress.
    Event,
    /// A stream began; `detail` says from where.
    StreamOpened,
    /// A stream ended; `detail` says why, `value` how long it lived, ms.
    StreamClosed,
    /// A follower was told of a gap; `detail` is the reason.
    Gap,
    /// Polls within a minute; `value` is how many.
    Polls,
    /// A page turned to polling; `detail` is the reason.
    Fallback,
    /// What a page measured; `value` is the median latency, ms.
    Latency,
    /// A page's first status; `value` is the time to it, ms.
    FirstUpdate,
}

impl MarkKind {
    pub const ALL: [MarkKind; 8] = [
        MarkKind::Event,
        MarkKind::StreamOpened,
        MarkKind::StreamClosed,
        MarkKind::Gap,
        MarkKind::Polls,
        MarkKind::Fallback,
        MarkKind::Latency,
        MarkKind::FirstUpdate,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            MarkKind::Event => "event",
            MarkKind::StreamOpened => "stream_opened",
            MarkKind::StreamClosed => "stream_closed",
            MarkKind::Gap => "gap",
            MarkKind::Polls => "polls",
            MarkKind::Fallback => "fallback",
            MarkKind::Latency => "latency",
            MarkKind::FirstUpdate => "first_update",
        }
    }

    pub fn parse(text: &str) -> Option<MarkKind> {
        MarkKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub fn title(self) -> &'static str {
        match self {
            MarkKind::Event => "Event",
            MarkKind::StreamOpened => "Stream opened",
            MarkKind::StreamClosed => "Stream closed",
            MarkKind::Gap => "Gap",
            MarkKind::Polls => "Polls",
            MarkKind::Fallback => "Fallback",
            MarkKind::Latency => "Latency",
            MarkKind::FirstUpdate => "First update",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Unix milliseconds.
    pub at: i64,
    pub kind: MarkKind,
    pub node: String,
    pub detail: String,
    pub value: Option<f64>,
}

/// Everything that is known of one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    pub id: SessionId,
    pub kind: Option<String>,
    pub region: Option<String>,
    pub user: Option<String>,
    pub cohort: Cohort,
    pub state: State,
    /// Unix milliseconds.
    pub started_at: i64,
    pub last_event_at: i64,
    pub ended_at: Option<i64>,
    pub events: u64,
    pub last: Option<StatusEvent>,
    /// Oldest first, at most [`MOST`].
    pub marks: Vec<Mark>,
    /// There were more, and the oldest are left out.
    pub more: bool,
}

/// Marks of one page.
pub const MOST: i64 = 500;

/// Which events of a session are marked: those that change its stage or state, and progress no oftener than this, ms.
pub const PROGRESS_EVERY_MS: i64 = 10_000;

/// Whether an event is worth a mark, given the stage and time of the last one that was.
pub fn is_marked(event: &StatusEvent, last: Option<(&str, i64)>) -> bool {
    event.state != State::Running
        || last.is_none_or(|(stage, at)| stage != event.stage || event.at - at >= PROGRESS_EVERY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{Epoch, EventId},
        status::Draft,
    };

    #[test]
    fn progress_is_thinned_and_changes_are_not() {
        let event = |stage: &str, at, state| {
            let draft = Draft { state, stage: stage.into(), progress: 1, message: None, data: None };
            StatusEvent::new(EventId { epoch: Epoch(1), seq: 1 }, "a".parse().expect("an id"), draft, at)
        };
        assert!(is_marked(&event("up", 0, State::Running), None));
        assert!(!is_marked(&event("up", 9_999, State::Running), Some(("up", 0))));
        assert!(is_marked(&event("up", 10_000, State::Running), Some(("up", 0))));
        assert!(is_marked(&event("down", 1, State::Running), Some(("up", 0))));
        assert!(is_marked(&event("up", 1, State::Completed), Some(("up", 0))));
    }

    #[test]
    fn kinds_read_back() {
        assert!(MarkKind::ALL.into_iter().all(|kind| MarkKind::parse(kind.as_str()) == Some(kind)));
    }
}
