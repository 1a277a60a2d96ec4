//! The frames of one stream, as a response body.

use super::{
    Message,
    hub::{Leave, Seat},
    meter::ConnectionMeter,
};
use crate::{broker::Broker, clock, gauge::Recorder};
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use streamgauge_core::{
    frame,
    ids::EventId,
    measure::{counters::Counter, sample::Measure},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Sleep},
};

/// Messages that go into one write. What a quick burst queued leaves together, and one slow follower's
/// buffer still stays small.
const TOGETHER: usize = 32;

/// What a stream lives by.
#[derive(Clone)]
pub struct Pace {
    pub heartbeat: Duration,
    pub idle_close: Duration,
}

pub struct StreamBody {
    /// What goes out before live events: retry, gap, snapshot or replay.
    opening: VecDeque<Opening>,
    queue: mpsc::Receiver<Arc<Message>>,
    /// What the follower has been sent up to.
    position: EventId,
    pace: Pace,
    /// Fires at the next ping.
    timer: Pin<Box<Sleep>>,
    idle_at: Instant,
    drain: Pin<Box<dyn Future<Output = u32> + Send>>,
    meter: Arc<ConnectionMeter>,
    recorder: Recorder,
    opened: Instant,
    closed: Option<Counter>,
    _watch: WatchGuard,
}

/// A frame of the opening; a delivery if it carries an event.
pub enum Opening {
    Plain(Bytes),
    Event(Message),
}

/// Pays the broker's watch back, however the stream ends.
pub struct WatchGuard {
    pub broker: Arc<dyn Broker>,
    pub leave: Leave,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.broker.unwatch(self.leave.session());
    }
}

/// What [`StreamBody::new`] is made of.
pub struct Parts {
    pub opening: VecDeque<Opening>,
    pub position: EventId,
    pub queue: mpsc::Receiver<Arc<Message>>,
    pub watch: WatchGuard,
    pub pace: Pace,
    pub drain: watch::Receiver<Option<u32>>,
    pub meter: Arc<ConnectionMeter>,
    pub recorder: Recorder,
}

/// Splits a seat into what the body polls and what it holds on to.
pub fn take(seat: Seat, broker: Arc<dyn Broker>) -> (mpsc::Receiver<Arc<Message>>, WatchGuard) {
    (seat.queue, WatchGuard { broker, leave: seat.leave })
}

impl StreamBody {
    pub fn new(parts: Parts) -> StreamBody {
        let Parts { opening, position, queue, watch, pace, drain, meter, recorder } = parts;
        let now = Instant::now();
        let due = opening.iter().filter(|part| matches!(part, Opening::Event(_))).count();
        recorder.add(Counter::DeliveriesDue, due as u64);
        StreamBody {
            opening,
            queue,
            position,
            timer: Box::pin(tokio::time::sleep_until(now + pace.heartbeat)),
            idle_at: now + pace.idle_close,
            pace,
            drain: Box::pin(told_to_drain(drain)),
            meter,
            recorder,
            opened: now,
            closed: None,
            _watch: watch,
        }
    }

    /// Appends a live message unless the follower has it. `true`: it was the session's last.
    fn take_live(&mut self, message: &Message, out: &mut BytesMut) -> bool {
        if message.id.epoch == self.position.epoch && message.id.seq <= self.position.seq {
            self.recorder.add(Counter::Repeated, 1);
            return false;
        }
        self.position = message.id;
        self.send(message, out);
        message.ends
    }

    fn send(&mut self, message: &Message, out: &mut BytesMut) {
        out.extend_from_slice(&message.frame);
        self.meter.leaving(message.accepted_us);
    }

    /// The opening, then whatever is queued, up to one write's worth.
    fn gather(&mut self, cx: &mut Context<'_>, out: &mut BytesMut) {
        while let Some(part) = self.opening.pop_front() {
            match part {
                Opening::Plain(bytes) => out.extend_from_slice(&bytes),
                Opening::Event(message) => {
                    self.send(&message, out);
                    if message.ends {
                        return self.close(Counter::ClosedAtEnd);
                    }
                }
            }
        }
        for _ in 0..TOGETHER {
            match self.queue.poll_recv(cx) {
                Poll::Ready(Some(message)) => {
                    if self.take_live(&message, out) {
                        return self.close(Counter::ClosedAtEnd);
                    }
                }
                // The hub took the seat away because the queue was full.
                Poll::Ready(None) => return self.close(Counter::ClosedSlow),
                Poll::Pending => return,
            }
        }
    }

    fn close(&mut self, reason: Counter) {
        self.closed.get_or_insert(reason);
    }

    /// Something is sent now: the next ping is a whole heartbeat away.
    fn rest(&mut self) {
        let next = (Instant::now() + self.pace.heartbeat).min(self.idle_at);
        self.timer.as_mut().reset(next);
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.closed.is_some() {
            return Poll::Ready(None);
        }
        let mut out = BytesMut::new();
        this.gather(cx, &mut out);
        let events = !out.is_empty();
        if this.closed.is_none() {
            if let Poll::Ready(window) = this.drain.as_mut().poll(cx) {
                out.extend_from_slice(frame::reconnect(jitter(window / 2..window)).as_bytes());
                this.close(Counter::ClosedByDrain);
            } else if events {
                this.idle_at = Instant::now() + this.pace.idle_close;
                this.rest();
            } else if this.timer.as_mut().poll(cx).is_ready() {
                if Instant::now() >= this.idle_at {
                    let after = u64::try_from(this.pace.idle_close.as_millis()).unwrap_or(u64::MAX);
                    out.extend_from_slice(frame::idle(after).as_bytes());
                    this.close(Counter::ClosedIdle);
                } else {
                    out.extend_from_slice(frame::ping(clock::now_ms()).as_bytes());
                    this.rest();
                }
            }
        }
        match (out.is_empty(), this.closed.is_some()) {
            (true, true) => Poll::Ready(None),
            (true, false) => Poll::Pending,
            (false, _) => Poll::Ready(Some(Ok(Frame::data(out.freeze())))),
        }
    }
}

/// Answers, once the server drains, within how many ms the followers should come back.
async fn told_to_drain(mut drain: watch::Receiver<Option<u32>>) -> u32 {
    match drain.wait_for(Option::is_some).await.map(|window| *window) {
        Ok(window) => window.unwrap_or(0),
        // The sender lives as long as the server.
        Err(_) => std::future::pending().await,
    }
}

/// A number of the range by chance: clients that were cut together must not come back together.
pub fn jitter(range: std::ops::Range<u32>) -> u32 {
    use std::hash::{BuildHasher, RandomState};
    let width = u64::from(range.end.saturating_sub(range.start).max(1));
    // Each RandomState has keys of its own; that is all the chance that is needed.
    range.start + u32::try_from(RandomState::new().hash_one(0u8) % width).unwrap_or(0)
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let mut unsent = self.opening.iter().filter(|part| matches!(part, Opening::Event(_))).count();
        // The hub took the seat away, and the follower was too slow even to be told that it ends.
        if self.queue.is_closed() {
            self.close(Counter::ClosedSlow);
        }
        self.queue.close();
        while self.queue.try_recv().is_ok() {
            unsent += 1;
        }
        self.recorder.add(Counter::DroppedGone, unsent as u64);
        self.recorder.add(self.closed.unwrap_or(Counter::ClosedByClient), 1);
        let lifetime = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.record(Measure::Duration, lifetime);
    }
}
