//! What a back end says when it publishes to `session:{id}:status` by itself: JSON in a shape that is older than ours.
//!
//! Our own field names count first. Beside them stands what such back ends are known to write: `status` for the stage
//! or the outcome, a fraction of a percent, and fields of their own, which are kept in `data`.

use crate::session::{
    data::Data,
    status::{BadDraft, Draft, RawDraft, State, StatusEvent},
};
use serde_json::{Map, Number, Value};

/// Bytes of one message. More than any draft that would be taken.
pub const MOST: usize = 16 * 1_024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlain {
    #[error("it is longer than {MOST} bytes")]
    TooLong,
    #[error("it is no JSON object")]
    NoObject,
    #[error(transparent)]
    Draft(#[from] BadDraft),
}

/// A message as it was published, before what it leaves out is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain(Map<String, Value>);

impl Plain {
    pub fn parse(text: &str) -> Result<Plain, BadPlain> {
        if text.len() > MOST {
            return Err(BadPlain::TooLong);
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Plain(fields)),
            _ => Err(BadPlain::NoObject),
        }
    }

    /// Whether the session's last event is needed to make a whole one of this.
    pub fn leans_on_the_last(&self) -> bool {
        !self.0.get("progress").is_some_and(Value::is_number)
            || !(self.0.get("stage").is_some_and(Value::is_string)
                || self
                    .0
                    .get("status")
                    .is_some_and(|status| status.as_str().is_some_and(|word| outcome(word).is_none())))
    }

    pub fn draft(self, last: Option<&StatusEvent>) -> Result<Draft, BadPlain> {
        let mut fields = self.0;
        let state = take_text(&mut fields, "state");
        let status = take_text(&mut fields, "status");
        let stage = take_text(&mut fields, "stage");
        let message = take_text(&mut fields, "message");
        // The session is named by the channel.
        for name in ["session", "session_id", "sessionId"] {
            fields.remove(name);
        }
        let ended = [&state, &status].into_iter().flatten().find_map(|word| outcome(word));
        let word = status.or(state).filter(|word| outcome(word).is_none() && word != "running");
        let stage = stage.or(word).or_else(|| last.map(|event| event.stage.clone()));
        let stage = stage.unwrap_or_else(|| ended.unwrap_or_default().as_str().to_owned());
        let progress = match fields.remove("progress") {
            Some(Value::Number(number)) => number,
            Some(_) => Err(BadDraft { field: "progress", allowed: "must be a number from 0 to 100" })?,
            None if ended == Some(State::Completed) => Number::from(100),
            None => Number::from(last.map_or(0, |event| event.progress)),
        };
        let data = match fields.remove("data") {
            Some(data) if fields.is_empty() => Some(data),
            Some(data) => {
                fields.insert("data".to_owned(), data);
                Some(Value::Object(fields))
            }
            None => (!fields.is_empty()).then_some(Value::Object(fields)),
        };
        let data = data.as_ref().and_then(Data::of);
        let state = ended.map(|state| state.as_str().to_owned());
        Ok(Draft::check(RawDraft { stage: Some(stage), progress: Some(progress), message, data, state })?)
    }
}

/// Anything but text stays where it is, and so ends up in `data`.
fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(Value::String(_)) => fields.remove(name).and_then(|value| value.as_str().map(str::to_owned)),
        _ => None,
    }
}

fn outcome(word: &str) -> Option<State> {
    match word {
        "completed" | "complete" | "done" | "succeeded" => Some(State::Completed),
        "failed" | "error" => Some(State::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::ids::{Epoch, EventId};

    fn last() -> StatusEvent {
        let draft =
            Draft { state: State::Running, stage: "upload".into(), progress: 30, message: None, data: None };
        StatusEvent::new(EventId { epoch: Epoch(1), seq: 4 }, "job".parse().expect("an id"), draft, 1)
    }

    /// `state stage progress message data`, or why not.
    fn check(text: &str, expected: &str) {
        let got = Plain::parse(text).and_then(|plain| plain.draft(Some(&last())));
        let got = got.map_or_else(
            |error| error.to_string(),
            |draft| {
                let Draft { state, stage, progress, message, data } = draft;
                let data = data.map_or("-".to_owned(), |data| data.as_str().to_owned());
                format!("{} {stage} {progress} {} {data}", state.as_str(), message.unwrap_or("-".into()))
            },
        );
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn our_own_shape_is_taken_as_it_is() {
        check(r#"{"stage":"render","progress":42,"message":"m","data":[1]}"#, "running render 42 m [1]");
        check(r#"{"state":"failed","stage":"render","progress":42}"#, "failed render 42 - -");
    }

    #[test]
    fn what_is_left_out_stays_as_it_was() {
        check("{}", "running upload 30 - -");
        check(r#"{"progress":55.5}"#, "running upload 55 - -");
        check(r#"{"message":"still at it"}"#, "running upload 30 still at it -");
        check(r#"{"status":"completed"}"#, "completed upload 100 - -");
        check(r#"{"status":"error","message":"disk full"}"#, "failed upload 30 disk full -");
        let first = Plain::parse(r#"{"status":"completed"}"#).and_then(|plain| plain.draft(None));
        assert_eq!(first.map(|draft| (draft.stage, draft.progress)), Ok(("completed".into(), 100)));
    }

    #[test]
    fn a_status_is_a_stage_and_what_is_unknown_is_kept() {
        check(r#"{"status":"transcribing","progress":7}"#, "running transcribing 7 - -");
        check(
            r#"{"session_id":"job","status":"transcribing","progress":7,"eta":12}"#,
            r#"running transcribing 7 - {"eta":12}"#,
        );
        check(r#"{"progress":7,"data":1,"eta":2}"#, r#"running upload 7 - {"data":1,"eta":2}"#);
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for text in ["", "hello", "[1]", "7", "null", "{"] {
            check(text, "it is no JSON object");
        }
        check(r#"{"progress":101}"#, "progress: must be a number from 0 to 100");
        check(r#"{"progress":"7"}"#, "progress: must be a number from 0 to 100");
        check(
            r#"{"stage":"","progress":1}"#,
            "stage: must have 1 to 64 characters and no control or invisible formatting characters",
        );
        check(&format!("{{\"message\":\"{}\"}}", "x".repeat(MOST)), "it is longer than 16384 bytes");
    }
}
