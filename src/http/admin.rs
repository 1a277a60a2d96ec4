//! The dashboards' stream: one message a second, framed once for everybody who looks. The limits of this node.

use super::{auth, body::Checked, extract::Asked, follow::event_stream_headers, problem::Problem};
use crate::{clock, node::Node};
use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use std::{convert::Infallible, sync::Arc, time::Duration};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, AuditEntry, Change},
    },
    page::annotation::{Annotation, AnnotationKind, LONGEST},
    session::frame,
    settings::limits::{BadLimit, Limits, Values},
};
use tokio::sync::watch;

/// Silence after which a dashboard is sent a ping; with a message a second it never comes to that, unless the
/// ticker stands still, and then the page must know that the connection does not.
const HEARTBEAT: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
pub struct Topics {
    /// `1`: also the list of running sessions, as event `sessions`.
    sessions: Option<String>,
}

/// How often it is asked whether a dashboard may still look on.
const CHECKED: Duration = Duration::from_secs(5);

pub async fn metrics_stream(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Asked(topics): Asked<Topics>,
) -> Response {
    let first = serde_json::to_string(&node.live()).unwrap_or_default();
    let opening = frame::retry(2_000) + &format!("data: {first}\n\n");
    let metrics = changes(node.metrics.subscribe());
    let live = if topics.sessions.as_deref() == Some("1") {
        stream::select(metrics, changes(node.sessions.subscribe())).boxed()
    } else {
        metrics.boxed()
    };
    let mut drain = node.streams.drain.clone();
    let stopped = async move {
        let _ = drain.wait_for(Option::is_some).await;
    };
    let goes_on = auth::goes_on(&node, &headers);
    let shut_out = async move {
        while goes_on() {
            tokio::time::sleep(CHECKED).await;
        }
    };
    let frames = stream::once(async move { Bytes::from(opening) })
        .chain(with_pings(live))
        .take_until(Box::pin(stopped))
        .take_until(Box::pin(shut_out));
    let mut response = Body::from_stream(frames.map(Ok::<_, Infallible>)).into_response();
    event_stream_headers(response.headers_mut());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    response
}

pub async fn limits(State(node): State<Arc<Node>>) -> Json<Limits> {
    Json(node.streams.hub.limits().all())
}

/// Some of the limits; what is not named stays. They hold on this node, from now on and until it restarts.
pub async fn change_limits(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Checked(wishes): Checked<Values>,
) -> Result<Json<Limits>, Problem> {
    let most = node.most_connections;
    let (old, new) = node
        .streams
        .hub
        .limits()
        .change(|limits| {
            let mut changed = limits.change(&wishes)?;
            changed.max_connections = changed.max_connections.min(most);
            Ok(changed)
        })
        .map_err(|error: BadLimit| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}")))?;
    let (before, after) = old.differences(&new);
    if !after.is_empty() {
        record(&node, actor, before, after);
    }
    Ok(Json(new))
}

/// In the log, on the charts and in the audit log. Limits are not in PostgreSQL and change also while it is unreachable, so
/// both rows wait in the write-behind buffer.
fn record(node: &Node, actor: Actor, old: Values, new: Values) {
    let (at, name) = (clock::now_ms(), &node.settings.node);
    let (old, new) = (Value::from(old), Value::from(new));
    tracing::info!(%actor, address = ?actor.address, %old, %new, "limits were changed");
    let named = new.as_object().into_iter().flatten();
    let named: Vec<String> = named.map(|(name, value)| format!("{name} = {value}")).collect();
    // Within the bound of an annotation, also where all limits change at once.
    let text: String = format!("{} on {name}", named.join(", ")).chars().take(LONGEST).collect();
    node.store.write_behind().annotate(Annotation {
        id: 0,
        at: at / 1_000,
        kind: AnnotationKind::Change,
        node: name.clone(),
        text,
        author: actor.name().to_owned(),
    });
    let (action, object) = (Action::ChangeLimits, format!("limits/{name}"));
    let change = Change { action, object, old: Some(old), new: Some(new) };
    node.store.write_behind().audit(AuditEntry { at, actor, change });
}

/// Each new value; a slow reader gets the newest and skips what it missed, so nothing piles up.
fn changes(receiver: watch::Receiver<Bytes>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        let value = receiver.borrow_and_update().clone();
        Some((value, receiver))
    })
}

fn with_pings(frames: impl Stream<Item = Bytes> + Send + Unpin) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(frames, |mut frames| async move {
        match tokio::time::timeout(HEARTBEAT, frames.next()).await {
            Ok(Some(frame)) => Some((frame, frames)),
            Ok(None) => None,
            Err(_) => Some((Bytes::from(frame::ping(clock::now_ms(), HEARTBEAT.as_millis() as u32)), frames)),
        }
    })
}
