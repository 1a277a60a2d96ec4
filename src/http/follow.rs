//! The followers' side: the stream, and the poll that it replaces.

use super::{
    auth,
    extract::{Asked, Named},
    problem::Problem,
};
use crate::{
    backend::poll_url,
    broker::Current,
    clock,
    node::Node,
    stream::{Caller, ConnectionMeter, Member, Over, Refusal, StreamBody, StreamContext, Traffic, Who, open},
};
use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use serde::Serialize;
use std::sync::Arc;
use streamgauge_core::{
    metric::{
        fallback::browser,
        measure::{counters::Counter, sample::Measure},
        region::Region,
    },
    session::{
        cohort::Cohort,
        follow::{self, BadSessions, Following, Headers},
        history::Ask,
        ids::SessionId,
        status::{Draft, StatusEvent},
    },
    text::is_label,
};

/// Whose streams are counted together, while access is open.
fn user(asked: &Following) -> Result<Option<Box<str>>, Problem> {
    let Some(user) = asked.user.as_deref().filter(|user| !user.is_empty()) else { return Ok(None) };
    if is_label(user, Draft::MAX_STAGE) {
        return Ok(Some(user.into()));
    }
    Err(Problem::field(
        "user",
        "user must have 1 to 64 characters and no control or invisible formatting characters.",
    ))
}

/// The position in each of `count` sessions.
fn asks(headers: &HeaderMap, asked: &Following, count: usize) -> Vec<Ask> {
    let bytes = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let last_event_id = bytes(HeaderName::from_static("last-event-id"));
    let headers = Headers { last_event_id, accept: bytes(header::ACCEPT) };
    follow::asks(headers, asked.last_event_id.as_deref(), count)
}

pub async fn stream(
    State(node): State<Arc<Node>>,
    Named(id): Named,
    Asked(asked): Asked<Following>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let caller = parts.extensions.get::<Arc<Caller>>().ok_or_else(no_connection)?;
    let (meter, address) = (caller.meter.clone(), Some(caller.peer.ip()));
    let cohort = node.cohort(&id);
    // Before anything is allocated for it.
    let admitted = auth::follower(&node, &parts, &id, asked.ticket.as_deref())?;
    let (user, expires_in) = match admitted {
        Some(admitted) => (admitted.subject.map(String::into_boxed_str), Some(admitted.expires_in)),
        None => (user(&asked)?, None),
    };
    let region = node.geo.region(&parts.headers, address);
    if id.is_probe() {
        meter.silence();
    }
    let from = origin(&node, &parts.headers, region);
    let who = Who { user, address, region, from };
    let ask = asks(&parts.headers, &asked, 1).pop().unwrap_or(Ask::Unreadable);
    let opened = open(&node.streams, &id, cohort, ask, who, expires_in).await;
    if opened.is_ok() {
        // Also a 204: reconnecting to find that it is over is part of what streaming costs.
        meter.classify(Traffic::Stream(cohort));
    }
    let mut opened = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => return Err(refused(refusal, &id)),
    };
    opened.count();
    meter.opens(1, region);
    // Only a GET over HTTP/1.1 has a body in chunks, which a reactor can write as well as hyper.
    let parking = caller.parking.as_ref();
    let parking = parking.filter(|_| parts.version == Version::HTTP_11 && parts.method == Method::GET);
    let mut response = match parking {
        Some(parking) => Body::new(parking.put(opened)).into_response(),
        None => body(&node, vec![Member { opened: Some(opened), position: None }], meter).into_response(),
    };
    event_stream_headers(response.headers_mut());
    Ok(response)
}

/// "Firefox, eu-central".
fn origin(node: &Node, headers: &HeaderMap, region: Region) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let browser = browser(agent);
    node.geo.regions.name(region).map_or_else(|| browser.to_owned(), |name| format!("{browser}, {name}"))
}

fn body(node: &Node, members: Vec<Member>, meter: Arc<ConnectionMeter>) -> Body {
    let StreamContext { hub, drain, recorder, .. } = node.streams.clone();
    Body::new(StreamBody::new(members, hub.limits().clone(), drain, meter, recorder))
}

/// Several sessions over one connection, for browsers, which allow six on HTTP/1.1. An event's id is its follower's
/// position in all of them, in their order, so that one `Last-Event-ID` resumes them all.
pub async fn streams(
    State(node): State<Arc<Node>>,
    Asked(asked): Asked<Following>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let caller = parts.extensions.get::<Arc<Caller>>().ok_or_else(no_connection)?;
    let (meter, address) = (caller.meter.clone(), Some(caller.peer.ip()));
    let sessions = follow::sessions(parts.uri.query().unwrap_or_default())?;
    let user = user(&asked)?;
    let positions = asks(&parts.headers, &asked, sessions.len());
    let first_cohort = sessions.first().map(|id| node.cohort(id)).ok_or(BadSessions::Missing)?;
    let region = node.geo.region(&parts.headers, address);
    let from = origin(&node, &parts.headers, region);
    // All of them, before anything is allocated for the first.
    let admitted = sessions.iter().map(|id| auth::follower(&node, &parts, id, asked.ticket.as_deref()));
    let admitted = admitted.collect::<Result<Vec<_>, Problem>>()?;
    let mut members = Vec::new();
    for ((id, ask), admitted) in sessions.iter().zip(positions).zip(admitted) {
        let (user, expires_in) = match admitted {
            Some(admitted) => (admitted.subject.map(String::into_boxed_str), Some(admitted.expires_in)),
            None => (user.clone(), None),
        };
        let opened = open(
            &node.streams,
            id,
            node.cohort(id),
            ask,
            Who { user, address, region, from: from.clone() },
            expires_in,
        )
        .await;
        let opened = opened.map_err(|refusal| refused(refusal, id))?;
        members.push(Member { opened, position: follow::known(ask) });
    }
    // The connection's cost is counted for the cohort of the first: one socket cannot be told apart.
    meter.classify(Traffic::Stream(first_cohort));
    if members.iter().all(|member| member.opened.is_none()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut opened = 0;
    for opening in members.iter_mut().filter_map(|member| member.opened.as_mut()) {
        opening.count();
        opened += 1;
    }
    meter.opens(opened, region);
    let mut response = body(&node, members, meter).into_response();
    event_stream_headers(response.headers_mut());
    Ok(response)
}

fn no_connection() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The server made a mistake.")
}

fn refused(refusal: Refusal, id: &SessionId) -> Problem {
    match refusal {
        Refusal::Over(Over::Node) => {
            Problem::away("As many streams are open as this node allows. Poll meanwhile.")
        }
        Refusal::Over(over) => Problem::too_many(match over {
            Over::UserAndSession => {
                "This user has as many streams of this session as allowed. Poll meanwhile."
            }
            Over::User => "This user has as many streams on this node as allowed. Poll meanwhile.",
            Over::Node | Over::Address => "This address has as many streams as allowed. Poll meanwhile.",
        }),
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

/// How a session ended that the broker has forgotten. A session that is not known may begin at any time.
async fn outcome(node: &Node, id: &SessionId) -> Result<Current, Problem> {
    let last = node.streams.endings.outcome(id).await;
    let last = last.ok_or_else(|| Problem::unknown_session().that_may_change())?;
    Ok(Current { id: last.id, event: Some(Arc::new(last)) })
}

pub async fn poll(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named,
    Asked(asked): Asked<Following>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    auth::follower(&node, &parts, &id, asked.ticket.as_deref())?;
    let headers = parts.headers;
    let cohort = node.cohort(&id);
    let interval = node.settings.poll_interval_ms;
    let found = node.streams.broker.poll(&id, interval).await?;
    let now = clock::now_ms();
    let current = match found {
        Some(found) => {
            node.polled.poll(&id, cohort, now, &found);
            found.current
        }
        None => outcome(&node, &id).await?,
    };
    caller.meter.classify(Traffic::Poll(cohort));
    let etag = format!("\"{}\"", current.id);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known == Some(etag.as_str()) {
        node.recorder.add(Counter::PollsUnchanged, 1);
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(event) = &current.event {
        // A poller that knew an older status gets news of this age; one without an ETag says nothing about that. And one
        // of the stream cohort looks now and then: only the control group's polls say how old news by polling is.
        if known.is_some() && cohort == Cohort::Poll {
            node.recorder.record(Measure::PollStaleness, u64::try_from(now - event.at).unwrap_or(0));
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
    // A browser may keep it and ask whether it still holds; a cache that others share must not.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if !current.event.as_ref().is_some_and(|event| event.state.has_ended()) {
        out.insert(header::RETRY_AFTER, HeaderValue::from(interval.div_ceil(1_000)));
    }
    Ok(response)
}
