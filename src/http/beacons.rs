//! What browsers report, and the stream by which they find out whether a proxy holds events back.

use super::{auth, body, follow::event_stream_headers, problem::Problem};
use crate::{
    clock,
    node::Node,
    store::Place,
    stream::{Caller, Over, SelfTest},
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use http::{StatusCode, header, request::Parts};
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use streamgauge_core::{
    metric::{
        beacon::{BadBeacon, Beacon, LONGEST},
        fallback,
        measure::counters::Counter,
        region::Region,
    },
    session::{cohort::Cohort, frame, timeline::MarkKind},
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
    let body = body::whole(body, LONGEST).await.inspect_err(|_| node.recorder.add(Counter::BeaconsBad, 1))?;
    let beacon = Beacon::parse(&body).map_err(bad)?;
    let ticket = axum::extract::Query::<Ticket>::try_from_uri(&parts.uri).ok();
    auth::follower(
        &node,
        &parts,
        &beacon.session,
        ticket.as_ref().and_then(|query| query.ticket.as_deref()),
    )?;
    // An invented session would count as one that fell back.
    if node.streams.broker.current(&beacon.session).await?.is_none() {
        node.recorder.add(Counter::BeaconsBad, 1);
        return Err(Problem::unknown_session());
    }
    let cohort = node.cohort(&beacon.session);
    let peer = parts.extensions.get::<Arc<Caller>>().map(|caller| caller.peer.ip());
    let region = node.geo.region(&parts.headers, peer);
    if node.beacons.count(node.recorder.at(region), cohort, &beacon) {
        trace(&node, &parts, region, cohort, &beacon);
        if !beacon.fallbacks_of(cohort).is_empty() && node.streams.broker.falls_back(&beacon.session).await? {
            node.recorder.add(Counter::SessionsFellBack, 1);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps of a beacon, beside its counts, where it came from and what belongs to its session's timeline.
fn trace(node: &Node, parts: &Parts, region: Region, cohort: Cohort, beacon: &Beacon) {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let place = Place {
        browser: fallback::browser(text(header::USER_AGENT)).to_owned(),
        region: node.geo.regions.name(region).unwrap_or_else(|| "unknown".into()),
        route: node.geo.page_route(&parts.headers),
    };
    let now = clock::now_ms();
    let journal = node.recorder.journal();
    let mark = |kind, detail: &str, value| journal.mark(&beacon.session, now, kind, detail, value);
    if let Some(ms) = beacon.first_update_ms {
        mark(MarkKind::FirstUpdate, &place.browser, Some(ms.into()));
    }
    let mut latencies = beacon.latencies_ms.clone();
    latencies.sort_unstable();
    if let Some(&median) = latencies.get(latencies.len() / 2) {
        mark(MarkKind::Latency, &place.browser, Some(median.into()));
    }
    for fallback in beacon.fallbacks_of(cohort) {
        mark(MarkKind::Fallback, fallback.reason.title(), None);
        node.store.write_behind().fallback(now, &beacon.session, fallback.reason, place.clone());
    }
    if beacon.seq == 0 {
        node.store.write_behind().page(now, place);
    }
}

#[derive(Deserialize)]
struct Ticket {
    ticket: Option<String>,
}

/// Ticks of the self-test, and the time between two of them.
const TICKS: u32 = 5;
const APART: Duration = Duration::from_millis(200);

/// Five ticks, 200 ms apart: a client that gets them in one lump sits behind a proxy that holds events back. It is open for
/// a second, and takes a stream's place for that time.
pub async fn selftest(State(node): State<Arc<Node>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let asked = axum::extract::Query::<Ticket>::try_from_uri(&parts.uri).ok();
    auth::any_follower(&node, &parts, asked.as_ref().and_then(|query| query.ticket.as_deref()))?;
    let address = parts.extensions.get::<Arc<Caller>>().map(|caller| caller.peer.ip());
    let place = SelfTest::admit(&node.streams, address).map_err(|over| match over {
        Over::Node => Problem::away("As many streams are open as this node allows."),
        _ => Problem::too_many("This address has as many streams as allowed."),
    })?;
    let ticks = stream::unfold((0, place), |(n, place)| async move {
        if n == TICKS {
            return None;
        }
        if n > 0 {
            tokio::time::sleep(APART).await;
        }
        Some((Bytes::from(frame::tick(n + 1, clock::now_ms())), (n + 1, place)))
    });
    let mut response = Body::from_stream(ticks.map(Ok::<_, Infallible>)).into_response();
    event_stream_headers(response.headers_mut());
    Ok(response)
}
