//! Who follows what on this node: a message comes in once and goes to each local follower's queue.
//!
//! This is the boundary behind which streaming may change: the broker knows only [`Hub::deliver`], the
//! routes only [`Hub::join`].

use crate::gauge::Recorder;
use bytes::Bytes;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use streamgauge_core::{
    frame,
    frame::GapReason,
    ids::{EventId, SessionId},
    measure::counters::Counter,
    status::StatusEvent,
};
use tokio::sync::mpsc;

/// One status event, framed once for all its followers.
#[derive(Debug)]
pub struct Message {
    pub id: EventId,
    pub frame: Bytes,
    pub ends: bool,
    /// When a node accepted it from its publisher, Unix microseconds. `None` for what is told a second
    /// time (snapshots, replays): its age says nothing about delivery.
    pub accepted_us: Option<i64>,
}

impl Message {
    pub fn live(event: &StatusEvent, accepted_us: i64) -> Message {
        Message { accepted_us: Some(accepted_us), ..Message::again(event) }
    }

    /// A snapshot or a replay.
    pub fn again(event: &StatusEvent) -> Message {
        let frame = Bytes::from(frame::status(event));
        Message { id: event.id, frame, ends: event.state.has_ended(), accepted_us: None }
    }

    /// A snapshot after events that cannot be told any more.
    pub fn after_gap(event: &StatusEvent, reason: GapReason) -> Message {
        let frame = frame::gap(reason, Some(event.id)) + &frame::status(event);
        Message { frame: Bytes::from(frame), ..Message::again(event) }
    }
}

/// Messages that may wait for one follower. Past that it is too slow: its stream is closed, and it
/// resumes from history when it comes back. Progress events are small: 64 of them are about 20 kB.
const QUEUE: usize = 64;
/// Locks to spread sessions over; more than cores, so that two busy sessions rarely meet.
const SHARDS: usize = 64;

#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    shards: Vec<Mutex<HashMap<SessionId, Vec<Follower>>>>,
    hasher: RandomState,
    next: AtomicU64,
    open: AtomicU64,
    recorder: Recorder,
}

struct Follower {
    key: u64,
    queue: mpsc::Sender<Arc<Message>>,
}

impl Hub {
    pub fn new(recorder: Recorder) -> Hub {
        Hub(Arc::new(Inner {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
            open: AtomicU64::new(0),
            recorder,
        }))
    }

    /// Live messages of the session are queued from now on. Leaving is dropping the [`Seat`].
    /// `None`: `most` streams are open already.
    pub fn join(&self, session: &SessionId, most: u64) -> Option<Seat> {
        let room = |open| (open < most).then_some(open + 1);
        self.0.open.fetch_update(Relaxed, Relaxed, room).ok()?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let key = self.0.next.fetch_add(1, Relaxed);
        self.shard(session).entry(session.clone()).or_default().push(Follower { key, queue: sender });
        Some(Seat { queue, leave: Leave { hub: self.clone(), session: session.clone(), key } })
    }

    /// Hands a message to every local follower, and answers how many there were. Never waits: a follower whose
    /// queue is full loses its seat, and its stream ends after what was queued.
    ///
    /// Calls for one session must come in the order of its events.
    pub fn deliver(&self, session: &SessionId, message: Message) -> u64 {
        let mut shard = self.shard(session);
        let Some(followers) = shard.get_mut(session) else { return 0 };
        let due = followers.len() as u64;
        let message = Arc::new(message);
        let before = followers.len();
        let mut gone = 0;
        followers.retain(|follower| match follower.queue.try_send(message.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                gone += 1;
                false
            }
        });
        let slow = (before - followers.len()) as u64 - gone;
        if followers.is_empty() {
            shard.remove(session);
        }
        drop(shard);
        self.0.recorder.add(Counter::DeliveriesDue, due);
        self.0.recorder.add(Counter::DroppedSlow, slow);
        self.0.recorder.add(Counter::DroppedGone, gone);
        due
    }

    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Streams open on this node.
    pub fn open(&self) -> u64 {
        self.0.open.load(Relaxed)
    }

    /// Streams open to one session on this node.
    pub fn followers(&self, session: &SessionId) -> u64 {
        self.shard(session).get(session).map_or(0, |followers| followers.len() as u64)
    }

    fn shard(&self, session: &SessionId) -> MutexGuard<'_, HashMap<SessionId, Vec<Follower>>> {
        let index = self.0.hasher.hash_one(session) as usize % SHARDS;
        // The maps are whole between any two statements, so a panic elsewhere does not spoil them.
        self.0.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One follower's place: its queue, and the permit that is given back however the stream ends.
pub struct Seat {
    pub queue: mpsc::Receiver<Arc<Message>>,
    pub leave: Leave,
}

/// Leaves on drop.
pub struct Leave {
    hub: Hub,
    session: SessionId,
    key: u64,
}

impl Leave {
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(&self.session);
        if let Some(followers) = shard.get_mut(&self.session) {
            followers.retain(|follower| follower.key != self.key);
            if followers.is_empty() {
                shard.remove(&self.session);
            }
        }
        drop(shard);
        self.hub.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::ids::Epoch;

    fn message(seq: u64) -> Message {
        let id = EventId { epoch: Epoch(1), seq };
        Message { id, frame: Bytes::new(), ends: false, accepted_us: None }
    }

    #[test]
    fn a_full_queue_costs_the_seat_and_nobody_elses() {
        let hub = Hub::new(Recorder::new(1));
        let session: SessionId = "job".parse().expect("an id");
        let mut slow = hub.join(&session, 2).expect("room");
        let mut quick = hub.join(&session, 2).expect("room");
        assert!(hub.join(&session, 2).is_none(), "full");
        for seq in 1..=QUEUE as u64 + 1 {
            assert_eq!(hub.deliver(&session, message(seq)), 2);
            assert_eq!(quick.queue.try_recv().map(|m| m.id.seq), Ok(seq));
        }
        assert_eq!(hub.followers(&session), 1);
        // What was queued is still there, in order and without a hole; then the stream is over.
        for seq in 1..=QUEUE as u64 {
            assert_eq!(slow.queue.try_recv().map(|m| m.id.seq), Ok(seq));
        }
        assert!(slow.queue.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
        drop((slow, quick));
        assert_eq!((hub.open(), hub.followers(&session)), (0, 0));
    }
}
