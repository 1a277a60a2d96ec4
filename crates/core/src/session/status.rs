//! A status event: one update of a session, and what a publisher may say in it.

use crate::{
    session::{
        data::Data,
        ids::{EventId, SessionId},
    },
    text::{is_label, is_prose},
};
use serde::{Deserialize, Serialize};

/// Where a session stands. It runs, then is one of the other three for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Running,
    Completed,
    Failed,
    /// No event for too long: its publisher is gone.
    Abandoned,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Abandoned => "abandoned",
        }
    }

    pub fn has_ended(self) -> bool {
        self != State::Running
    }

    pub fn parse(text: &str) -> Option<State> {
        [State::Running, State::Completed, State::Failed, State::Abandoned]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// What a publisher sends: checked, not yet numbered. Built by [`Draft::check`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub state: State,
    /// 1 to 64 characters, a label.
    pub stage: String,
    /// 0 to 100.
    pub progress: u8,
    /// At most 500 characters, no control or invisible formatting characters but line breaks and direction marks.
    pub message: Option<String>,
    /// At most [`Draft::MAX_DATA`] bytes as text, nested at most [`Draft::DEEPEST`] deep.
    pub data: Option<Data>,
}

/// A draft as it arrives: every field as the publisher wrote it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDraft {
    pub stage: Option<String>,
    pub progress: Option<serde_json::Number>,
    pub message: Option<String>,
    pub data: Option<Data>,
    pub state: Option<String>,
}

/// One of many events, which names its session. Its fields are those of [`RawDraft`], and not that struct flattened:
/// serde would hold every value of a line twice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLine {
    pub session: String,
    stage: Option<String>,
    progress: Option<serde_json::Number>,
    message: Option<String>,
    data: Option<Data>,
    state: Option<String>,
}

impl From<RawLine> for RawDraft {
    fn from(line: RawLine) -> RawDraft {
        let RawLine { session: _, stage, progress, message, data, state } = line;
        RawDraft { stage, progress, message, data, state }
    }
}

/// Which field is wrong, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {allowed}")]
pub struct BadDraft {
    pub field: &'static str,
    pub allowed: &'static str,
}

impl Draft {
    pub const MAX_STAGE: usize = 64;
    pub const MAX_MESSAGE: usize = 500;
    pub const MAX_DATA: usize = 8 * 1024;
    /// Followers read it by what gives up at 128.
    pub const DEEPEST: usize = 100;

    pub fn check(raw: RawDraft) -> Result<Draft, BadDraft> {
        let bad = |field, allowed| BadDraft { field, allowed };
        let stage = raw.stage.ok_or(bad("stage", "is required: 1 to 64 characters"))?;
        if !is_label(&stage, Self::MAX_STAGE) {
            return Err(bad(
                "stage",
                "must have 1 to 64 characters and no control or invisible formatting characters",
            ));
        }
        let progress = raw.progress.ok_or(bad("progress", "is required: a number from 0 to 100"))?;
        // 42.7 is taken as 42: publishers divide, and a bar never needs the fraction.
        let progress = match progress.as_f64() {
            Some(value) if (0.0..=100.0).contains(&value) => value as u8,
            _ => return Err(bad("progress", "must be a number from 0 to 100")),
        };
        if raw.message.as_deref().is_some_and(|text| !is_prose(text, Self::MAX_MESSAGE)) {
            return Err(bad(
                "message",
                "must have at most 500 characters and no control or invisible formatting characters but line breaks and direction marks",
            ));
        }
        if raw.data.as_ref().is_some_and(|data| data.as_str().len() > Self::MAX_DATA) {
            return Err(bad("data", "must be at most 8,192 bytes as JSON"));
        }
        if raw.data.as_ref().is_some_and(|data| data.depth() > Self::DEEPEST) {
            return Err(bad("data", "must be nested at most 100 deep"));
        }
        if raw.data.as_ref().is_some_and(|data| !data.is_text()) {
            return Err(bad("data", "must not hold \\u0000 or half a surrogate pair"));
        }
        let state = match raw.state.as_deref() {
            None => State::Running,
            // Only the server can tell that a session was abandoned.
            Some("abandoned") => return Err(bad("state", "must be running, completed or failed")),
            Some(text) => State::parse(text).ok_or(bad("state", "must be running, completed or failed"))?,
        };
        Ok(Draft { state, stage, progress, message: raw.message, data: raw.data })
    }

    /// The event that ends a session: it keeps the stage and the progress that were reached, and a completed one is at 100.
    pub fn ending(
        outcome: State,
        message: Option<String>,
        last: Option<&StatusEvent>,
    ) -> Result<Draft, BadDraft> {
        if message.as_deref().is_some_and(|text| !is_prose(text, Self::MAX_MESSAGE)) {
            return Err(BadDraft {
                field: "message",
                allowed: "must have at most 500 characters and no control or invisible formatting characters but line breaks and direction marks",
            });
        }
        let reached = last.map_or(0, |event| event.progress);
        Ok(Draft {
            state: outcome,
            stage: last.map_or_else(|| outcome.as_str().to_owned(), |event| event.stage.clone()),
            progress: if outcome == State::Completed { 100 } else { reached },
            message,
            data: None,
        })
    }
}

/// One update of a session, numbered. Its JSON is the `data:` of a `status` event and the answer to a poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusEvent {
    pub id: EventId,
    pub session: SessionId,
    pub state: State,
    pub stage: String,
    /// 0 to 100.
    pub progress: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// When the server accepted it, Unix milliseconds.
    pub at: i64,
}

impl StatusEvent {
    pub fn new(id: EventId, session: SessionId, draft: Draft, at: i64) -> StatusEvent {
        let Draft { state, stage, progress, message, data } = draft;
        StatusEvent { id, session, state, stage, progress, message, data, at }
    }

    /// Bytes of memory that it takes, about.
    pub fn weight(&self) -> usize {
        let data = self.data.as_ref().map_or(0, |data| data.as_str().len());
        let texts = self.stage.len() + self.message.as_ref().map_or(0, String::len);
        size_of::<StatusEvent>() + self.session.as_str().len() + texts + data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<(u8, State), &str>) {
        let raw: RawDraft = serde_json::from_str(json).expect(json);
        let got = Draft::check(raw).map(|d| (d.progress, d.state)).map_err(|e| e.field);
        assert_eq!(got, expected, "{json}");
    }

    #[test]
    fn a_draft_is_checked_field_by_field() {
        check(r#"{"stage":"upload","progress":0}"#, Ok((0, State::Running)));
        check(r#"{"stage":"upload","progress":42.7}"#, Ok((42, State::Running)));
        check(r#"{"stage":"done","progress":100,"state":"completed"}"#, Ok((100, State::Completed)));
        check(r#"{"stage":"done","progress":10,"state":"failed"}"#, Ok((10, State::Failed)));
        check(r#"{"stage":"upload","progress":900}"#, Err("progress"));
        check(r#"{"stage":"upload","progress":-1}"#, Err("progress"));
        check(r#"{"stage":"upload"}"#, Err("progress"));
        check(r#"{"progress":1}"#, Err("stage"));
        check(r#"{"stage":"","progress":1}"#, Err("stage"));
        check(r#"{"stage":"a\nb","progress":1}"#, Err("stage"));
        check(r#"{"stage":"a","progress":1,"message":"b\u0000"}"#, Err("message"));
        check(r#"{"stage":"a","progress":1,"message":"two\nlines"}"#, Ok((1, State::Running)));
        check(r#"{"stage":"a\u202eb","progress":1}"#, Err("stage"));
        check(r#"{"stage":"a\u200fb","progress":1}"#, Err("stage"));
        check(r#"{"stage":"a","progress":1,"message":"a \u202egpj.exe"}"#, Err("message"));
        check(r#"{"stage":"a","progress":1,"message":"C++\u200f"}"#, Ok((1, State::Running)));
        check(r#"{"stage":"a","progress":1,"state":"abandoned"}"#, Err("state"));
        check(r#"{"stage":"a","progress":1,"state":"paused"}"#, Err("state"));
        let with = |data: String| format!(r#"{{"stage":"a","progress":1,"data":{data}}}"#);
        let nested = |deep| "[".repeat(deep) + &"]".repeat(deep);
        check(&with(nested(Draft::DEEPEST)), Ok((1, State::Running)));
        check(&with(nested(Draft::DEEPEST + 1)), Err("data"));
        check(&with(format!("[{}1]", " ".repeat(9_000))), Ok((1, State::Running)));
        check(&with(format!("{:?}", "x".repeat(9_000))), Err("data"));
        check(&with(r#""\u0000""#.into()), Err("data"));
    }

    #[test]
    fn ending_keeps_what_was_reached() {
        let draft = Draft::ending(State::Failed, None, None);
        assert_eq!(draft.map(|d| (d.progress, d.stage)), Ok((0, "failed".into())));
    }
}
