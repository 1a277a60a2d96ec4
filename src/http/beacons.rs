//! What browsers report, and the stream by which they find out whether a proxy holds events back.

use super::{follow::event_stream_headers, gate, problem::Problem};
use crate::{clock, node::Node};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use http::StatusCode;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use streamgauge_core::{
    beacon::{BadBeacon, Beacon, LONGEST},
    frame,
    measure::counters::Counter,
};

/// Sent as text/plain, since a page that closes has no time for a preflight: the type says nothing here. Cookies come
/// along, and only a ticket is looked at.
pub async fn beacon(State(node): State<Arc<Node>>, request: Request) -> Result<StatusCode, Problem> {
    let (parts, body) = request.into_parts();
    let bad = |error: BadBeacon| {
        node.recorder.add(Counter::BeaconsBad, 1);
        let status = match error {
            BadBeacon::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            BadBeacon::Shape(_) | BadBeacon::OutOfRange(_) => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, format!("{error}."))
    };
    let body = axum::body::to_bytes(body, LONGEST).await.map_err(|_| bad(BadBeacon::TooLong))?;
    let beacon = Beacon::parse(&body).map_err(bad)?;
    let ticket = axum::extract::Query::<Ticket>::try_from_uri(&parts.uri).ok();
    gate::follower(
        &node,
        &parts,
        &beacon.session,
        ticket.as_ref().and_then(|query| query.ticket.as_deref()),
    )?;
    // An invented session would count as one that fell back.
    if node.door.broker.current(&beacon.session).await?.is_none() {
        node.recorder.add(Counter::BeaconsBad, 1);
        return Err(Problem::unknown_session());
    }
    node.beacons.count(&node.recorder, node.cohort(&beacon.session), &beacon);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Ticket {
    ticket: Option<String>,
}

/// Ticks of the self-test, and the time between two of them.
const TICKS: u32 = 5;
const APART: Duration = Duration::from_millis(200);

/// Five ticks, 200 ms apart: a client that gets them in one lump sits behind a proxy that holds events back.
pub async fn selftest() -> Response {
    let ticks = stream::unfold(0, |n| async move {
        if n == TICKS {
            return None;
        }
        if n > 0 {
            tokio::time::sleep(APART).await;
        }
        Some((Bytes::from(frame::tick(n + 1, clock::now_ms())), n + 1))
    });
    let mut response = Body::from_stream(ticks.map(Ok::<_, Infallible>)).into_response();
    event_stream_headers(response.headers_mut());
    response
}
