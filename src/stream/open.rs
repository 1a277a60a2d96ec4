//! A request for a stream: from session and position to what its follower is told first.

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

/// What every stream of this node is opened with.
#[derive(Clone)]
pub struct StreamContext {
    pub broker: Arc<dyn Broker>,
    pub hub: Hub,
    pub recorder: Recorder,
    pub admission: AdmissionControl,
    /// How sessions ended that the broker has forgotten.
    pub endings: Endings,
    /// The window in which streams are sent away (ms), once the server drains.
    pub drain: watch::Receiver<Option<u32>>,
}

/// Why there is no stream.
#[derive(Debug)]
pub enum Refusal {
    Over(Over),
    Draining,
    Away(BrokerError),
}

/// How long a client waits before it reconnects: 1.5 to 4.5 s, so that a crowd that was cut does not return as one.
const RETRY_MS: std::ops::Range<u32> = 1_500..4_500;

/// What a follower is told anew at most, bytes: each has a copy of its own, and one that takes nothing keeps it waiting.
const REPLAY: usize = 512 * 1024;

/// A stream whose head is not sent yet. What it was to be told counts as due from here on, and as dropped if its
/// connection goes before it is told.
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
    /// Its beginning was counted, and so is its end.
    is_counted: bool,
    /// Why it ended, once it has.
    pub closed: Option<Counter>,
    watched: Watched,
    permit: Option<Box<Permit>>,
    recorder: Recorder,
    began: Instant,
    /// Somebody else counts its end.
    handed: bool,
}

/// What a follower gets next. Its events were due: if a request is refused or given up, or its stream ends, they count as
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

/// A follower's place at the hub and its watch at the broker, both paid back however the stream ends.
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

/// `Ok(None)`: nothing will ever come, answer 204.
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
    // Registered first, read second: what is published in between is in the queue.
    let mut held = context.broker.watch(session).await.map_err(away)?;
    let watched = Watched { broker: context.broker.clone(), leave: Some(leave) };
    // Nothing comes any more of a session that ended before anybody here remembers. Of any other that is not known, the
    // follower waits for its first event.
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
        // Its latest status says what there is to know, and that the rest is missing is said.
        gap.get_or_insert(GapReason::Evicted);
        told = &told[told.len() - 1..];
        first.drain(..first.len() - 1);
    }

    let mut text = frame::retry(jitter(RETRY_MS));
    // Before anything else: by it a page compares the clocks, and sees that the stream is alive when there is nothing to
    // tell yet.
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

/// [`Opened`] in the parts of which a parked stream is made.
pub struct Handed {
    pub subscription: Subscription,
    pub broker: Arc<dyn Broker>,
    pub permit: Option<Box<Permit>>,
}

impl Opened {
    /// Counts it among the streams that were tried: once all that its connection asked for could be opened.
    pub fn count(&mut self) {
        self.is_counted = true;
        self.recorder.at(self.region).add(Counter::ConnectAttempts, 1);
        // A name that may never be a session's stands nowhere once its stream is closed.
        if let Some(leave) = &self.watched.leave
            && self.position.epoch != Epoch::NONE
        {
            let (session, from) = (leave.session(), std::mem::take(&mut self.from));
            self.recorder.journal().mark(session, clock::now_ms(), MarkKind::StreamOpened, from, None);
        }
    }

    /// It ended because its follower read too slowly: what it did not get counts as the follower's loss.
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
        // The hub took the subscription away, and the follower was too slow even to be told that it ends.
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
