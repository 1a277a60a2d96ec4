//! How an event stands in Redis: `epoch seq accepted_us payload`, and the names of keys and channels.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use streamgauge_core::session::{
    data::Data,
    ids::{EventId, SessionId},
    status::{Draft, State, StatusEvent},
};

/// The session's id in braces is the hash tag: all keys of a session lie on one node of a Redis Cluster.
pub fn state_key(session: &SessionId) -> String {
    format!("sg:{{{session}}}:state")
}

pub fn history_key(session: &SessionId) -> String {
    format!("sg:{{{session}}}:history")
}

pub fn idempotency_key(session: &SessionId, key: &str) -> String {
    format!("sg:{{{session}}}:once:{key}")
}

/// What a node published without a key of its publisher's, while it may be sent again.
pub fn sent_key(session: &SessionId, name: &str) -> String {
    format!("sg:{{{session}}}:sent:{name}")
}

/// Which nodes heard a plainly published message, by its digest.
pub fn claim_key(session: &SessionId, digest: &str) -> String {
    format!("sg:{{{session}}}:heard:{digest}")
}

/// Where back ends publish by themselves.
pub const PLAIN: &str = "session:*:status";

pub fn session_of_plain(channel: &str) -> Option<SessionId> {
    channel.strip_prefix("session:")?.strip_suffix(":status")?.parse().ok()
}

/// Where a user's streams to the session hold their places.
pub fn leases_key(session: &SessionId, user: &str) -> String {
    format!("sg:{{{session}}}:streams:{user}")
}

pub fn channel(session: &SessionId) -> String {
    format!("sg:{{{session}}}:live")
}

pub fn session_of_channel(channel: &str) -> Option<SessionId> {
    channel.strip_prefix("sg:{")?.strip_suffix("}:live")?.parse().ok()
}

/// An event without its id, which only the script knows.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    state: State,
    stage: Cow<'a, str>,
    progress: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, Data>>,
    at: i64,
}

/// What the script is handed for a draft.
pub fn payload(draft: &Draft, at: i64) -> String {
    let payload = Payload {
        state: draft.state,
        stage: Cow::Borrowed(&draft.stage),
        progress: draft.progress,
        message: draft.message.as_deref().map(Cow::Borrowed),
        data: draft.data.as_ref().map(Cow::Borrowed),
        at,
    };
    // Strings, numbers and JSON values only: serde_json cannot refuse them.
    serde_json::to_string(&payload).unwrap_or_default()
}

/// A message as published and kept, with the time at which it was accepted (Unix microseconds).
pub fn parse(session: &SessionId, message: &str) -> Option<(Arc<StatusEvent>, i64)> {
    let mut parts = message.splitn(4, ' ');
    let id: EventId = format!("{}-{}", parts.next()?, parts.next()?).parse().ok()?;
    let accepted_us = parts.next()?.parse().ok()?;
    let Payload { state, stage, progress, message, data, at } = serde_json::from_str(parts.next()?).ok()?;
    let (message, data) = (message.map(Cow::into_owned), data.map(Cow::into_owned));
    let draft = Draft { state, stage: stage.into_owned(), progress, message, data };
    Some((Arc::new(StatusEvent::new(id, session.clone(), draft, at)), accepted_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::session::ids::Epoch;

    #[test]
    fn a_message_reads_back_and_anything_else_is_passed_over() {
        let session: SessionId = "job-1".parse().expect("an id");
        let draft = Draft {
            state: State::Running,
            stage: "a b".into(),
            progress: 7,
            message: Some("x y\nz".into()),
            data: serde_json::from_str(r#"{"k":[1,2]}"#).expect("JSON"),
        };
        let text = format!("a1 3 1700000000000000 {}", payload(&draft, 1_700_000_000_000));
        let (event, accepted_us) = parse(&session, &text).expect("a message");
        let id = EventId { epoch: Epoch(0xa1), seq: 3 };
        assert_eq!(*event, StatusEvent::new(id, session.clone(), draft, 1_700_000_000_000));
        assert_eq!(accepted_us, 1_700_000_000_000_000);
        for foreign in ["", "a1 3", "a1 x 1 {}", "zz 3 1 {}", "a1 3 1 {}", "a1 3 1 [1]"] {
            assert_eq!(parse(&session, foreign), None, "{foreign:?}");
        }
        assert_eq!(session_of_channel(&channel(&session)), Some(session));
        assert_eq!(session_of_channel("sg:{a b}:live"), None);
        assert_eq!(session_of_plain("session:job-1:status"), "job-1".parse().ok());
        assert_eq!(session_of_plain("session:a b:status"), None);
    }
}
