//! Errors, in one shape: RFC 9457 problem details.

use crate::{broker::BrokerError, stream::jitter};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::borrow::Cow;
use streamgauge_core::session::{follow::BadSessions, ids::BadSessionId, status::BadDraft};

/// Seconds after which a refused client should come back; by chance within it, so that they do not return as one.
const RETRY_AFTER: std::ops::Range<u32> = 2..8;

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<Cow<'static, str>>,
    poll_url: Option<String>,
    /// The broker cannot take anything, whatever it is about.
    is_away: bool,
    /// Asking again later may help. Of 429 and 503 that is always so.
    may_change: bool,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            field: None,
            poll_url: None,
            is_away: false,
            may_change: false,
        }
    }

    pub fn is_away(&self) -> bool {
        self.is_away
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// 422: understood, but `field` holds what is not allowed there.
    pub fn field(field: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Problem {
        Problem { field: Some(field.into()), ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// 503 with `Retry-After`.
    pub fn away(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 429 with `Retry-After`.
    pub fn too_many(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }

    pub fn unknown_session() -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "There is no such session. It begins with its first status event.",
        )
    }

    /// With `Retry-After`.
    pub fn that_may_change(self) -> Problem {
        Problem { may_change: true, ..self }
    }

    /// Names the way that still works.
    pub fn with_poll(self, poll_url: String) -> Problem {
        Problem { poll_url: Some(poll_url), ..self }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let waits = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.status);
        let retry_after = (waits || self.may_change).then(|| jitter(RETRY_AFTER));
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
            poll_url: self.poll_url.as_deref(),
            retry_after,
        };
        let mut response = (self.status, serde_json::to_string(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The rest of its body is not read: who keeps the connection must not send the next request on it.
        if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&self.status) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<BadSessionId> for Problem {
    fn from(error: BadSessionId) -> Problem {
        Problem {
            field: Some("id".into()),
            ..Problem::new(StatusCode::BAD_REQUEST, sentence(&error.to_string()))
        }
    }
}

impl From<BadSessions> for Problem {
    fn from(error: BadSessions) -> Problem {
        match error {
            BadSessions::Id(id) => id.into(),
            BadSessions::Missing | BadSessions::TooMany => {
                Problem::new(StatusCode::BAD_REQUEST, sentence(&error.to_string()))
            }
        }
    }
}

/// An error's words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

impl From<BadDraft> for Problem {
    fn from(error: BadDraft) -> Problem {
        Problem::field(error.field, format!("{} {}.", error.field, error.allowed))
    }
}

impl From<BrokerError> for Problem {
    fn from(error: BrokerError) -> Problem {
        match error {
            BrokerError::Ended => {
                Problem::new(StatusCode::CONFLICT, "The session has ended; its status is final.")
            }
            BrokerError::Unknown | BrokerError::NotBegun(_) => Problem::unknown_session(),
            BrokerError::Bad(bad) => bad.into(),
            BrokerError::Full => {
                Problem::away("This node holds as many sessions as it can. Try again when some have ended.")
            }
            BrokerError::OutOfMemory => Problem {
                is_away: true,
                ..Problem::away("Redis is at its memory limit, so nothing was published. Try again later.")
            },
            // The cause is in the log; it may name hosts.
            // Without an answer nobody knows whether it was taken; `Idempotency-Key` makes trying again harmless.
            BrokerError::Away(_) => Problem {
                is_away: true,
                ..Problem::away("Redis is away. Whatever was sent may not have been published; try again.")
            },
        }
    }
}
