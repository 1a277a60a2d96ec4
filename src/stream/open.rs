//! Opens a stream: from session and position to the follower's first text.

use super::{
    Hub, Message,
    admission::{AdmissionControl, Over, Permit, Who},
    hub::{LeaveGuard, Subscription},
    jitter, queue,
};
use crate::{
    broker::{Broker, BrokerError},
    clock,
    measure::Recorder,
    store::Endings,
};
use bytes::Bytes;
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use streamgauge_core::{
    metric::{
        measure::{counters::Counter, sample::Measure},
        region::Region,
    },
    session::{
        cohort::Cohort,
        frame::{self, GapReason},
        history::{self, Ask, SessionHistory},
        ids::{Epoch, EventId, SessionId},
        timeline::MarkKind,
    },
    settings::limits::Limit,
};
use tokio::sync::watch;

/// What opening any stream of this node needs.
#[derive(Clone)]
pub struct StreamContext {
    pub broker: Arc<dyn Broker>,
    pub hub: Hub,
    pub recorder: Recorder,
    pub admission: AdmissionControl,
    /// How sessions ended that the broker has forgotten.
    pub endings: Endings,
    /// The window in which streams are ended (ms), once the server drains.
    pub drain: watch::Receiver<Option<u32>>,
}

/// Why there is no stream.
#[derive(Debug)]
pub enum Refusal {
    Over(Over),
    Draining,
    Away(BrokerError),
}

/// How long a client waits before it reconnects: 1.5 to 4.5 s, so that many disconnected clients do not return at once.
const RETRY_MS: std::ops::Range<u32> = 1_500..4_500;

/// Most bytes of a replay: each follower has a copy of its own, and a slow one keeps it in memory.
const REPLAY: usize = 512 * 1024;

/// A stream whose head is not sent yet. Its events count as due from here on, and as dropped if its connection ends before
/// they are sent.
pub struct Opened {
    /// Retry, gap, snapshot or replay.
    pub text: Bytes,
    /// Events in it that were not sent yet.
    pub told: u32,
    /// Its last event ends the session.
    pub ends: bool,
    /// What the follower knows: once it has the text, and where its stream is a body, from then on. Of [`Epoch::NONE`]
    /// while the session has not begun.
    pub position: EventId,
    pub expires_in: Option<Duration>,
    pub queue: Queue,
    /// Where its follower is.
    pub region: Region,
    /// In which browser and region.
    from: String,
    /// Its opening was counted, so its end must be.
    is_counted: bool,
    /// Why it ended, once it has.
    pub closed: Option<Counter>,
    watched: Watched,
    permit: Option<Box<Permit>>,
    recorder: Recorder,
    began: Instant,
    /// The new owner counts its end.
    handed: bool,
}

/// Text for a follower. Its events are due: if the request is refused or aborted, or the stream ends, they count as
/// dropped.
pub struct Queue {
    receiver: queue::Receiver,
    recorder: Recorder,
}

impl Queue {
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        self.receiver.poll(cx)
    }

    /// The new owner counts what it holds.
    fn hand(&mut self) -> queue::Receiver {
        let (_, nothing) = queue::queue();
        std::mem::replace(&mut self.receiver, nothing)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.recorder.add(Counter::DroppedGone, self.receiver.close());
    }
}

/// A follower's place at the hub and its watch at the broker, both released however the stream ends.
struct Watched {
    broker: Arc<dyn Broker>,
    leave: Option<LeaveGuard>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(leave) = &self.leave {
            self.broker.unwatch(leave.session());
        }
    }
}

/// `Ok(None)`: the session has ended and the follower knows it; the answer is 204.
pub async fn open(
    context: &StreamContext,
    session: &SessionId,
    cohort: Cohort,
    ask: Ask,
    who: Who,
    expires_in: Option<Duration>,
) -> Result<Option<Opened>, Refusal> {
    if context.drain.borrow().is_some() {
        return Err(Refusal::Draining);
    }
    let recorder = context.recorder.of(session);
    let over = |over| {
        recorder.add(Counter::ConnectRefused, 1);
        Refusal::Over(over)
    };
    let region = who.region;
    let away = |error| {
        for counter in [Counter::ConnectAttempts, Counter::ConnectFailed] {
            recorder.at(region).add(counter, 1);
        }
        Refusal::Away(error)
    };
    let Subscription { queue, leave } =
        context.hub.join(session, cohort, region).ok_or_else(|| over(Over::Node))?;
    let queue = Queue { receiver: queue, recorder: recorder.clone() };
    let admitted = context.admission.admit(&context.broker, context.hub.limits(), session, &who).await;
    let permit = admitted.map_err(away)?.map_err(over)?;
    // First registered, then read: events published in between are in the queue.
    let mut held = context.broker.watch(session).await.map_err(away)?;
    let watched = Watched { broker: context.broker.clone(), leave: Some(leave) };
    // A session that the broker has forgotten may have ended: nothing follows. For any other unknown session the follower
    // waits for the first event.
    if !held.has_begun()
        && let Some(last) = context.endings.outcome(session).await
    {
        held = SessionHistory::of_outcome(Arc::new(last));
    }
    let waits = !held.has_begun();
    let history::Opening::Stream { mut gap, mut first, position } = history::open(&held, ask) else {
        return Ok(None);
    };
    let told: Vec<String> = first.iter().map(|event| frame::status(event)).collect();
    let mut told = &told[..];
    if told.len() > 1 && told.iter().map(String::len).sum::<usize>() > REPLAY {
        // It gets the latest status, and a gap that says that the rest is missing.
        gap.get_or_insert(GapReason::Evicted);
        told = &told[told.len() - 1..];
        first.drain(..first.len() - 1);
    }

    let mut text = frame::retry(jitter(RETRY_MS));
    // First of all: a page compares its clock by it, and sees that the stream works while no event exists yet.
    text += &frame::ping(clock::now_ms(), context.hub.limits().get(Limit::HeartbeatMs));
    if let Some(reason) = gap {
        recorder.add(Counter::Gaps, 1);
        if !waits {
            recorder.journal().mark(session, clock::now_ms(), MarkKind::Gap, reason.as_str(), None);
        }
        text += &frame::gap(session, reason, first.last().map(|event| event.id));
    }
    told.iter().for_each(|event| text += event);
    let told = u32::try_from(first.len()).unwrap_or(u32::MAX);
    recorder.add(Counter::DeliveriesDue, u64::from(told));
    Ok(Some(Opened {
        text: Bytes::from(text),
        told,
        ends: first.last().is_some_and(|event| event.state.has_ended()),
        position,
        expires_in,
        queue,
        region,
        from: who.from,
        closed: None,
        is_counted: false,
        watched,
        permit,
        recorder,
        began: Instant::now(),
        handed: false,
    }))
}

/// The parts of [`Opened`] that a parked stream is made of.
pub struct Handed {
    pub subscription: Subscription,
    pub broker: Arc<dyn Broker>,
    pub permit: Option<Box<Permit>>,
}

impl Opened {
    /// Counts it among attempted streams, once all streams of its request could be opened.
    pub fn count(&mut self) {
        self.is_counted = true;
        self.recorder.at(self.region).add(Counter::ConnectAttempts, 1);
        // An id that may never become a session is forgotten once its stream is closed.
        if let Some(leave) = &self.watched.leave
            && self.position.epoch != Epoch::NONE
        {
            let (session, from) = (leave.session(), std::mem::take(&mut self.from));
            self.recorder.journal().mark(session, clock::now_ms(), MarkKind::StreamOpened, from, None);
        }
    }

    /// It ended because its follower read too slowly: its unsent events count as dropped for a slow reader.
    pub fn is_slow(&self) -> bool {
        self.closed.map_or_else(|| self.queue.receiver.is_over(), |reason| reason == Counter::ClosedSlow)
    }

    /// From here on the owner of the parts counts its end.
    pub fn hand(mut self) -> Option<Handed> {
        self.handed = true;
        let leave = self.watched.leave.take()?;
        let queue = self.queue.hand();
        let broker = self.watched.broker.clone();
        Some(Handed { subscription: Subscription { queue, leave }, broker, permit: self.permit.take() })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.handed {
            return;
        }
        // The hub removed the subscription, and the follower was too slow even for the farewell.
        if self.is_slow() {
            self.closed.get_or_insert(Counter::ClosedSlow);
            self.recorder.at(self.region).dropped_slow(u64::from(self.told) + self.queue.receiver.close());
        } else {
            self.recorder.add(Counter::DroppedGone, self.told.into());
        }
        if !self.is_counted {
            return;
        }
        self.recorder.add(self.closed.unwrap_or(Counter::ClosedByClient), 1);
        self.recorder.at(self.region).add_apart(Counter::StreamsClosed, 1);
        let lifetime = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(leave) = &self.watched.leave
            && self.position.epoch != Epoch::NONE
        {
            closed(&self.recorder, leave.session(), self.closed.unwrap_or(Counter::ClosedByClient), lifetime);
        }
        self.recorder.record(Measure::ConnectionDuration, lifetime);
    }
}

/// Marks the end of a stream on its session's timeline.
pub fn closed(recorder: &Recorder, session: &SessionId, reason: Counter, lived_ms: u64) {
    let why = reason.name().trim_start_matches("closed_").replace('_', " ");
    recorder.journal().mark(session, clock::now_ms(), MarkKind::StreamClosed, why, Some(lived_ms as f64));
}
