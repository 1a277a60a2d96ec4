//! The frames of one stream as an ordinary response body: for HTTP/1.0 and HTTP/2, whose sockets cannot be parked, and
//! for several sessions over one connection, which may belong to different reactors.

use super::{jitter, limits::LiveLimits, message::Message, meter::ConnectionMeter, open::Opened};
use crate::{clock, measure::Recorder};
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use streamgauge_core::{
    metric::measure::counters::Counter,
    session::{
        follow, frame,
        ids::{Epoch, EventId},
    },
    settings::limits::Limit,
};
use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};

/// Most bytes of one write, however long the batching interval, so that the buffer of a slow follower stays small.
const HELD: usize = 32 * 1024;
/// After a farewell, the follower reconnects within this, ms.
const BACK_MS: std::ops::Range<u32> = 100..1_000;

pub struct StreamBody {
    /// In the order in which the client named them.
    members: Vec<Member>,
    /// The member whose queue is read next.
    turn: usize,
    begun: bool,
    /// Live events that wait for the batching interval to pass, and when they were accepted.
    held: BytesMut,
    waiting: Vec<Option<i64>>,
    last_out: Option<Instant>,
    last_sent: Instant,
    last_event: Instant,
    expires: Option<Instant>,
    closed: bool,
    /// Fires when something is due without an event: a ping, a batch, the end.
    timer: Pin<Box<Sleep>>,
    drain: Pin<Box<dyn Future<Output = ()> + Send>>,
    limits: LiveLimits,
    meter: Arc<ConnectionMeter>,
    recorder: Recorder,
}

/// One session of the stream.
pub struct Member {
    /// `None`: over.
    pub opened: Option<Opened>,
    /// The follower's position in it; `None`: it has received nothing yet.
    pub position: Option<EventId>,
}

impl StreamBody {
    pub fn new(
        members: Vec<Member>,
        limits: LiveLimits,
        drain: watch::Receiver<Option<u32>>,
        meter: Arc<ConnectionMeter>,
        recorder: Recorder,
    ) -> StreamBody {
        let now = Instant::now();
        let expires_in = members.iter().filter_map(|member| member.opened.as_ref()?.expires_in).min();
        StreamBody {
            members,
            turn: 0,
            begun: false,
            held: BytesMut::new(),
            waiting: Vec::new(),
            last_out: None,
            last_sent: now,
            last_event: now,
            expires: expires_in.map(|left| now + left),
            closed: false,
            timer: Box::pin(tokio::time::sleep_until(now + limits.heartbeat())),
            drain: Box::pin(sent_away(drain)),
            limits,
            meter,
            recorder,
        }
    }

    /// Retry, gap, snapshot or replay of each session.
    fn begin(&mut self, out: &mut BytesMut) {
        self.begun = true;
        for index in 0..self.members.len() {
            let Some(opened) = &mut self.members[index].opened else { continue };
            let text = std::mem::take(&mut opened.text);
            let (told, ends) = (std::mem::take(&mut opened.told), opened.ends);
            let position = opened.position;
            self.write(index, &text, out);
            // Also where nothing has been published yet: a follower that waits for a session to begin has no position in it,
            // and starts from the snapshot when it reconnects.
            if position.epoch != Epoch::NONE {
                self.members[index].position = Some(position);
            }
            for _ in 0..told {
                self.meter.leaving(None);
            }
            if ends {
                self.end(index);
            }
        }
    }

    /// Takes queued events, up to the size of one write.
    fn gather(&mut self, cx: &mut Context<'_>) {
        for _ in 0..self.members.len() {
            // The member after the one that filled the write is first next time, so that a busy session cannot starve it.
            let index = self.turn;
            self.turn = (index + 1) % self.members.len();
            // Until it is empty: only an empty queue wakes the stream when an event arrives.
            while let Some(opened) = &mut self.members[index].opened {
                if self.held.len() >= HELD {
                    return;
                }
                match opened.queue.poll(cx) {
                    Poll::Ready(Some(message)) => self.take_live(index, &message),
                    // The hub took the subscription away because the queue was full.
                    Poll::Ready(None) => return self.close(Counter::ClosedSlow),
                    Poll::Pending => break,
                }
            }
        }
    }

    /// Keeps a live message unless the follower has it.
    fn take_live(&mut self, index: usize, message: &Message) {
        let knows = |position: EventId| message.id.epoch == position.epoch && message.id.seq <= position.seq;
        if self.members[index].position.is_some_and(knows) {
            return self.recorder.add(Counter::Repeated, 1);
        }
        let mut held = std::mem::take(&mut self.held);
        self.write(index, &message.frame, &mut held);
        self.members[index].position = Some(message.id);
        if let Some(opened) = &mut self.members[index].opened {
            opened.position = message.id;
        }
        self.held = held;
        self.waiting.push(message.accepted_us);
        if message.ends {
            self.end(index);
        }
    }

    /// Frames of one session as they are; with several sessions with the position in all of them as id, since a client
    /// that comes back names only the last one it saw. Positions advance event by event: a client may be cut after any.
    fn write(&mut self, index: usize, frames: &[u8], out: &mut BytesMut) {
        if self.members.len() == 1 {
            return out.extend_from_slice(frames);
        }
        for line in frames.split_inclusive(|&byte| byte == b'\n') {
            let Some(id) = line.strip_prefix(b"id: ") else {
                out.extend_from_slice(line);
                continue;
            };
            let id = std::str::from_utf8(id).ok().and_then(|id| id.trim_end().parse().ok());
            self.members[index].position = id.or(self.members[index].position);
            let positions: Vec<Option<EventId>> = self.members.iter().map(|member| member.position).collect();
            out.extend_from_slice(format!("id: {}\n", follow::positions(&positions)).as_bytes());
        }
    }

    /// One session is over; with the last of them, so is the stream.
    fn end(&mut self, index: usize) {
        if let Some(opened) = &mut self.members[index].opened {
            opened.closed.get_or_insert(Counter::ClosedAtEnd);
        }
        self.members[index].opened = None;
        self.closed = self.members.iter().all(|member| member.opened.is_none());
    }

    /// Writes the held events once the batching interval has passed.
    fn release(&mut self, now: Instant, out: &mut BytesMut) {
        let due = self.last_out.is_none_or(|last| now >= last + self.limits.batch());
        let must = self.closed || self.held.len() >= HELD;
        if !self.held.is_empty() && (due || must) {
            self.last_out = Some(now);
            out.extend_from_slice(&self.held.split());
            self.waiting.drain(..).for_each(|accepted| self.meter.leaving(accepted));
        }
    }

    fn close(&mut self, reason: Counter) {
        self.closed = true;
        if reason == Counter::ClosedSlow {
            self.meter.was_slow();
        }
        for opened in self.members.iter_mut().filter_map(|member| member.opened.as_mut()) {
            opened.closed.get_or_insert(reason);
        }
    }

    /// Sends pings, and ends a stream whose client stays silent.
    fn mind_the_clock(&mut self, now: Instant, out: &mut BytesMut) {
        let idle = self.limits.idle_close();
        if now >= self.last_event + idle {
            let after = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
            out.extend_from_slice(frame::idle(after).as_bytes());
            self.close(Counter::ClosedIdle);
        } else if now >= self.last_sent + self.limits.heartbeat() {
            out.extend_from_slice(
                frame::ping(clock::now_ms(), self.limits.get(Limit::HeartbeatMs)).as_bytes(),
            );
        }
    }

    /// The next moment at which something is due without an event.
    fn next(&self) -> Instant {
        let mut next =
            (self.last_sent + self.limits.heartbeat()).min(self.last_event + self.limits.idle_close());
        if let Some(expires) = self.expires {
            next = next.min(expires);
        }
        if let (false, Some(last)) = (self.held.is_empty(), self.last_out) {
            next = next.min(last + self.limits.batch());
        }
        // A changed limit takes effect within a second.
        next.min(Instant::now() + Duration::from_secs(1))
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
        if this.closed {
            return Poll::Ready(None);
        }
        this.meter.asked_for_more(clock::now_ms());
        let mut out = BytesMut::new();
        loop {
            if !this.begun {
                this.begin(&mut out);
            }
            if !this.closed {
                this.gather(cx);
            }
            let now = Instant::now();
            this.release(now, &mut out);
            if !out.is_empty() {
                this.last_event = now;
            }
            if !this.closed {
                if this.drain.as_mut().poll(cx).is_ready() {
                    out.extend_from_slice(frame::reconnect(jitter(BACK_MS)).as_bytes());
                    this.close(Counter::ClosedByDrain);
                } else if this.expires.is_some_and(|at| now >= at) {
                    // Also where events arrive faster than the client reads them.
                    out.extend_from_slice(frame::reconnect(jitter(BACK_MS)).as_bytes());
                    this.close(Counter::ClosedExpired);
                } else if out.is_empty() {
                    this.mind_the_clock(now, &mut out);
                }
            }
            if !out.is_empty() {
                this.last_sent = now;
                return Poll::Ready(Some(Ok(Frame::data(out.freeze()))));
            }
            if this.closed {
                return Poll::Ready(None);
            }
            let next = this.next();
            this.timer.as_mut().reset(next);
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Ready when the server drains and this stream's moment within the window has come.
async fn sent_away(mut drain: watch::Receiver<Option<u32>>) {
    match drain.wait_for(Option::is_some).await.map(|window| *window) {
        Ok(window) => {
            let window = window.unwrap_or(0);
            let wait = jitter(0..(window - window / 10).max(1));
            tokio::time::sleep(Duration::from_millis(wait.into())).await;
        }
        // The sender lives as long as the server.
        Err(_) => std::future::pending().await,
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        // HTTP/2 polls a body only while its client has room in its window.
        if self.meter.stalls(clock::now_ms()) {
            self.close(Counter::ClosedSlow);
        }
        // The held events were due and never sent. All members share one connection, and so one region.
        let held = self.waiting.len() as u64;
        let mut slow =
            self.members.iter().filter_map(|member| member.opened.as_ref()).filter(|one| one.is_slow());
        match slow.next() {
            Some(opened) => self.recorder.at(opened.region).dropped_slow(held),
            None => self.recorder.add(Counter::DroppedGone, held),
        }
    }
}
