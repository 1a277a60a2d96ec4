//! What happened to one session: its marks on one line of time.

use crate::session::{
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
pub struct Timeline {
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

/// How far apart a stream's opening is marked, and its end says that it began, at most, ms: two clocks' readings of one moment.
const SAME_STREAM_MS: u64 = 2_000;

impl Timeline {
    /// When each stream opened that is still open, oldest first, Unix ms. None of a session that has ended: a stream of a
    /// node that was killed has no end of its own.
    pub fn open_streams(&self) -> Vec<i64> {
        if self.ended_at.is_some() {
            return Vec::new();
        }
        let of = |kind| self.marks.iter().filter(move |mark| mark.kind == kind);
        let mut open: Vec<i64> = of(MarkKind::StreamOpened).map(|mark| mark.at).collect();
        for closed in of(MarkKind::StreamClosed) {
            let began = closed.at - closed.value.unwrap_or(0.0) as i64;
            let nearest = open.iter().enumerate().min_by_key(|(_, at)| at.abs_diff(began));
            if let Some((index, at)) = nearest
                && at.abs_diff(began) <= SAME_STREAM_MS
            {
                open.remove(index);
            }
        }
        open
    }

    /// From when to when there is something to tell, Unix ms: a few seconds at least.
    pub fn span(&self) -> (i64, i64) {
        let marks = self.marks.first().zip(self.marks.last()).map(|(first, last)| (first.at, last.at));
        let (first, last) = marks.unwrap_or((self.started_at, self.started_at));
        let from = first.min(self.started_at);
        (from, last.max(self.ended_at.unwrap_or(self.last_event_at)).max(from + 4_000))
    }
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
    use crate::session::{
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

    fn timeline(marks: &[(i64, MarkKind, Option<f64>)]) -> Timeline {
        let mark = |&(at, kind, value): &(i64, MarkKind, Option<f64>)| Mark {
            at,
            kind,
            node: "a".into(),
            detail: String::new(),
            value,
        };
        Timeline {
            id: "a".parse().expect("an id"),
            kind: None,
            region: None,
            user: None,
            cohort: Cohort::Stream,
            state: State::Running,
            started_at: 1_000,
            last_event_at: 1_000,
            ended_at: None,
            events: 0,
            last: None,
            marks: marks.iter().map(mark).collect(),
            more: false,
        }
    }

    #[test]
    fn a_stream_is_open_until_its_end_is_marked() {
        use MarkKind::{StreamClosed, StreamOpened};
        let (one, two) = ((2_000, StreamOpened, None), (60_000, StreamOpened, None));
        assert_eq!(timeline(&[]).open_streams(), [] as [i64; 0]);
        assert_eq!(timeline(&[one, two]).open_streams(), [2_000, 60_000]);
        // It lived for 58.3 s, so it began a little after the first was marked.
        let end = (60_700, StreamClosed, Some(58_300.0));
        assert_eq!(timeline(&[one, two, end]).open_streams(), [60_000]);
        // Its opening is not among the marks any more.
        let old = (90_000, StreamClosed, Some(80_000.0));
        assert_eq!(timeline(&[one, two, old]).open_streams(), [2_000, 60_000]);
        let ended = Timeline { ended_at: Some(70_000), ..timeline(&[one, two]) };
        assert_eq!(ended.open_streams(), [] as [i64; 0]);
    }

    #[test]
    fn the_line_of_time_reaches_from_the_first_to_the_last_that_is_known() {
        assert_eq!(timeline(&[]).span(), (1_000, 5_000));
        let running = Timeline { last_event_at: 30_000, ..timeline(&[(900, MarkKind::StreamOpened, None)]) };
        assert_eq!(running.span(), (900, 30_000));
        let ended = Timeline { ended_at: Some(40_000), ..running };
        assert_eq!(ended.span(), (900, 40_000));
        let closed = Timeline { marks: timeline(&[(41_000, MarkKind::StreamClosed, None)]).marks, ..ended };
        assert_eq!(closed.span(), (1_000, 41_000));
    }

    #[test]
    fn kinds_read_back() {
        assert!(MarkKind::ALL.into_iter().all(|kind| MarkKind::parse(kind.as_str()) == Some(kind)));
    }
}
