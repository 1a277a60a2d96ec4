//! A request for a stream: from a session and a position to the body of the answer.

use super::{
    ConnectionMeter, Hub, Message,
    body::{self, Opening, Pace, Parts, StreamBody},
};
use crate::{
    broker::{Broker, BrokerError},
    clock,
    gauge::Recorder,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};
use streamgauge_core::{
    frame,
    history::{self, Ask},
    ids::SessionId,
    measure::counters::Counter,
};
use tokio::sync::watch;

/// What every stream of this node is opened with.
#[derive(Clone)]
pub struct Door {
    pub broker: Arc<dyn Broker>,
    pub hub: Hub,
    pub recorder: Recorder,
    pub pace: Pace,
    pub max_connections: u64,
    /// The window in which followers should come back (ms), once the server drains.
    pub drain: watch::Receiver<Option<u32>>,
}

/// Why there is no stream.
#[derive(Debug)]
pub enum Refusal {
    Unknown,
    /// As many streams as allowed are open.
    Full,
    Draining,
    Away(BrokerError),
}

/// How long a client waits before it reconnects: 1.5 to 4.5 s, so that a crowd that was cut does not return as one.
const RETRY_MS: std::ops::Range<u32> = 1_500..4_500;

/// `Ok(None)`: nothing will ever come, answer 204.
pub async fn open(
    door: &Door,
    session: &SessionId,
    ask: Ask,
    meter: Arc<ConnectionMeter>,
) -> Result<Option<StreamBody>, Refusal> {
    if door.drain.borrow().is_some() {
        return Err(Refusal::Draining);
    }
    let Some(seat) = door.hub.join(session, door.max_connections) else {
        door.recorder.add(Counter::ConnectRefused, 1);
        return Err(Refusal::Full);
    };
    // Registered first, read second: what is published in between is in the queue.
    let held = match door.broker.watch(session).await {
        Ok(Some(held)) => held,
        Ok(None) => return Err(Refusal::Unknown),
        Err(error) => {
            door.recorder.add(Counter::ConnectAttempts, 1);
            door.recorder.add(Counter::ConnectFailed, 1);
            return Err(Refusal::Away(error));
        }
    };
    let (queue, watch) = body::take(seat, door.broker.clone());
    let history::Opening::Stream { gap, first, position } = history::open(&held, ask) else {
        return Ok(None);
    };

    door.recorder.add(Counter::ConnectAttempts, 1);
    let mut opening = VecDeque::from([Opening::Plain(Bytes::from(frame::retry(body::jitter(RETRY_MS))))]);
    if let Some(reason) = gap {
        door.recorder.add(Counter::Gaps, 1);
        opening
            .push_back(Opening::Plain(Bytes::from(frame::gap(reason, first.last().map(|event| event.id)))));
    }
    if first.is_empty() {
        // Nothing to tell yet: a ping at once shows the client, and any proxy between, that the stream is alive.
        opening.push_back(Opening::Plain(Bytes::from(frame::ping(clock::now_ms()))));
    }
    opening.extend(first.iter().map(|event| Opening::Event(Message::again(event))));
    let parts = Parts {
        opening,
        position,
        queue,
        watch,
        pace: door.pace.clone(),
        drain: door.drain.clone(),
        meter,
        recorder: door.recorder.clone(),
    };
    Ok(Some(StreamBody::new(parts)))
}
