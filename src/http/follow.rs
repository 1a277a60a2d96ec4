//! The followers' side: the stream, and the poll that it replaces.

use super::{
    asked::{Asked, Named},
    problem::Problem,
};
use crate::{
    clock,
    gauge::Followed,
    node::Node,
    stream::{ConnectionMeter, Refusal, Traffic, open},
};
use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use serde::{Deserialize, Serialize};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use streamgauge_core::{
    history::Ask,
    ids::{EventId, SessionId},
    measure::{counters::Counter, sample::Measure},
    status::StatusEvent,
};

#[derive(Deserialize)]
pub struct Resume {
    #[serde(rename = "last-event-id", alias = "lastEventId", alias = "last_event_id")]
    last_event_id: Option<String>,
}

/// What the client says about its position: the header, as EventSource sends it, or the query.
fn ask(headers: &HeaderMap, query: Resume) -> Ask {
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?").to_owned());
    // EventSource sends no header for an empty id, and neither do we take one for a position.
    let id = header.or(query.last_event_id).filter(|id| !id.is_empty());
    match id.map(|id| id.parse::<EventId>()) {
        Some(Ok(id)) => Ask::Resume(id),
        Some(Err(_)) => Ask::Unreadable,
        None => {
            let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
            Ask::Newcomer { insists: accept.is_some_and(|accept| accept.contains("text/event-stream")) }
        }
    }
}

pub fn poll_url(id: &SessionId) -> String {
    format!("/api/v1/sessions/{id}/status")
}

pub async fn stream(
    State(node): State<Arc<Node>>,
    Extension(meter): Extension<Arc<ConnectionMeter>>,
    Named(id): Named,
    Asked(resume): Asked<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cohort = node.cohort(&id);
    let body = open(&node.door, &id, ask(&headers, resume), meter.clone()).await;
    if body.is_ok() {
        // Also a 204: reconnecting to find that it is over is part of what streaming costs.
        meter.classify(Traffic::Stream(cohort));
    }
    let body = match body {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => return Err(refused(refusal, &id)),
    };
    meter.opens();
    let body = Counted { body, _follows: node.followed.stream(&id, cohort) };
    let mut response = Body::new(body).into_response();
    event_stream_headers(response.headers_mut());
    Ok(response)
}

fn refused(refusal: Refusal, id: &SessionId) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::unknown_session(),
        Refusal::Full => Problem::away("As many streams are open as this node allows. Poll meanwhile."),
        Refusal::Draining => Problem::away("This node is shutting down. Connect again."),
        Refusal::Away(error) => error.into(),
    }
    .with_poll(poll_url(id))
}

/// What keeps proxies and caches from holding events back.
pub fn event_stream_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// A stream's body that counts its session as followed while it lives.
struct Counted<B, F> {
    body: B,
    _follows: F,
}

impl<B, F> http_body::Body for Counted<B, F>
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Unpin,
    F: Unpin,
{
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

/// The answer to a poll.
#[derive(Serialize)]
struct Polled<'a> {
    #[serde(flatten)]
    event: &'a StatusEvent,
    /// When to ask again, ms; absent when the status is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_ms: Option<u32>,
}

/// The answer before a session's first event.
#[derive(Serialize)]
struct Waiting<'a> {
    session: &'a SessionId,
    state: &'static str,
    poll_after_ms: u32,
}

pub async fn poll(
    State(node): State<Arc<Node>>,
    Extension(meter): Extension<Arc<ConnectionMeter>>,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cohort = node.cohort(&id);
    let current = node.door.broker.current(&id).await?.ok_or_else(Problem::unknown_session)?;
    meter.classify(Traffic::Poll(cohort));
    let now = clock::now_ms();
    let followed: &Followed = &node.followed;
    followed.poll(&id, cohort, now);

    let etag = format!("\"{}\"", current.id);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let interval = node.settings.poll_interval_ms;
    let mut response = if known == Some(etag.as_str()) {
        node.recorder.add(Counter::PollsUnchanged, 1);
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(event) = &current.event {
        // A poller that knew an older status gets news of this age; one without an ETag says nothing about that.
        if known.is_some() {
            node.recorder.record(Measure::Staleness, u64::try_from(now - event.at).unwrap_or(0));
        }
        let poll_after_ms = (!event.state.has_ended()).then_some(interval);
        Json(Polled { event, poll_after_ms }).into_response()
    } else {
        Json(Waiting { session: &id, state: "running", poll_after_ms: interval }).into_response()
    };
    let out = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if !current.event.as_ref().is_some_and(|event| event.state.has_ended()) {
        out.insert(header::RETRY_AFTER, HeaderValue::from(interval.div_ceil(1_000)));
    }
    Ok(response)
}
