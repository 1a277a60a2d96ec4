//! Server-Sent Events as text. One message is framed once, for all its followers.
//!
//! No frame can be broken by its content: ids are numbers, event names are ours, and data is JSON,
//! which escapes every line break.

use crate::session::{
    ids::{EventId, SessionId},
    status::StatusEvent,
};
use serde::Serialize;

/// Why a follower missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// This session never had an event with the requested id.
    Unknown,
    /// It is older than what history holds.
    Evicted,
    /// It is of a history that was lost.
    Epoch,
}

impl GapReason {
    /// As it stands in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::Unknown => "unknown",
            GapReason::Evicted => "evicted",
            GapReason::Epoch => "epoch",
        }
    }
}

/// `status`, or `end` for the event that ends its session. Carries the id by which a follower resumes.
pub fn status(event: &StatusEvent) -> String {
    let event_line = if event.state.has_ended() { "\nevent: end\ndata: " } else { "\nevent: status\ndata: " };
    let message = event.message.as_ref().map_or(0, String::len);
    let mut text = Vec::with_capacity(USUAL + message);
    text.extend_from_slice(b"id: ");
    event.id.with_text(|id| text.extend_from_slice(id.as_bytes()));
    text.extend_from_slice(event_line.as_bytes());
    // Our own types have string keys only, and memory takes all: serde_json cannot refuse them.
    let _ = serde_json::to_writer(&mut text, event);
    text.extend_from_slice(b"\n\n");
    // JSON of ours is always UTF-8.
    String::from_utf8(text).unwrap_or_default()
}

/// Bytes of an event without its message; it grows where that is not enough.
const USUAL: usize = 320;

/// How long a client waits before it reconnects, ms. First in a stream.
pub fn retry(ms: u32) -> String {
    format!("retry: {ms}\n\n")
}

/// Named, so that a watchdog in the browser sees it. `at`: server time, Unix milliseconds; `heartbeat_ms`: within which
/// silence the next one comes.
pub fn ping(at: i64, heartbeat_ms: u32) -> String {
    format!("event: ping\ndata: {{\"at\":{at},\"heartbeat_ms\":{heartbeat_ms}}}\n\n")
}

/// What the follower asked to resume from cannot be resumed; a snapshot follows.
pub fn gap(session: &SessionId, reason: GapReason, resumes_at: Option<EventId>) -> String {
    #[derive(Serialize)]
    struct Gap<'a> {
        session: &'a SessionId,
        reason: GapReason,
        resumes_at: Option<EventId>,
    }
    format!("event: gap\ndata: {}\n\n", json(&Gap { session, reason, resumes_at }))
}

/// No event for so long that the server closes.
pub fn idle(after_ms: u64) -> String {
    format!("event: idle\ndata: {{\"after_ms\":{after_ms}}}\n\n")
}

/// The server is about to close: come back after `in_ms`.
pub fn reconnect(in_ms: u32) -> String {
    format!("retry: {in_ms}\nevent: reconnect\ndata: {{\"in_ms\":{in_ms}}}\n\n")
}

/// One tick of the self-test. `at`: server time, Unix milliseconds.
pub fn tick(n: u32, at: i64) -> String {
    format!("event: tick\ndata: {{\"n\":{n},\"at\":{at}}}\n\n")
}

fn json<T: Serialize>(value: &T) -> String {
    // Our own types have string keys only, so serde_json cannot refuse them.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        ids::Epoch,
        status::{Draft, RawDraft},
    };

    fn event(raw: &str) -> StatusEvent {
        let raw: RawDraft = serde_json::from_str(raw).expect("a draft");
        let draft = Draft::check(raw).expect("a good draft");
        let id = EventId { epoch: Epoch(0xa1), seq: 7 };
        StatusEvent::new(id, "job-1".parse().expect("an id"), draft, 1_000)
    }

    #[test]
    fn golden_frames() {
        assert_eq!(
            status(&event(r#"{"stage":"upload","progress":5,"message":"a\nb: c"}"#)),
            "id: a1-7\nevent: status\ndata: {\"id\":\"a1-7\",\"session\":\"job-1\",\"state\":\"running\",\
             \"stage\":\"upload\",\"progress\":5,\"message\":\"a\\nb: c\",\"at\":1000}\n\n"
        );
        assert!(status(&event(r#"{"stage":"x","progress":5,"state":"failed"}"#)).contains("\nevent: end\n"));
        assert_eq!(ping(5, 900), "event: ping\ndata: {\"at\":5,\"heartbeat_ms\":900}\n\n");
        assert_eq!(
            gap(&"job-1".parse().expect("an id"), GapReason::Evicted, None),
            "event: gap\ndata: {\"session\":\"job-1\",\"reason\":\"evicted\",\"resumes_at\":null}\n\n"
        );
        assert_eq!(reconnect(900), "retry: 900\nevent: reconnect\ndata: {\"in_ms\":900}\n\n");
        assert_eq!(idle(300_000), "event: idle\ndata: {\"after_ms\":300000}\n\n");
        assert_eq!(tick(1, 5), "event: tick\ndata: {\"n\":1,\"at\":5}\n\n");
        assert_eq!(retry(1_500), "retry: 1500\n\n");
    }
}
