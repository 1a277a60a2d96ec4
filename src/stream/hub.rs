//! Who follows what on this node: a message comes in once and goes to each local follower.
//!
//! This is the boundary behind which streaming lives: the broker knows only [`Hub::deliver`], the routes only
//! [`Hub::join`]. A follower joins with a queue of its own. If hyper serves its stream, that stays so; a socket that
//! can be parked goes to the reactor of its session ([`Hub::park`]), and from then on costs no queue and no task.

use super::{
    limits::LiveLimits,
    message::Message,
    queue::{self, Sent, queue},
    reactor::{Arrival, Command, Reactor},
};
use crate::measure::{Recorder, Streamed};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use streamgauge_core::{
    metric::{measure::counters::Counter, region::Region},
    session::{cohort::Cohort, ids::SessionId},
    settings::limits::Limit,
};

/// Number of locks that sessions are spread over. More than cores, so that two busy sessions rarely share one.
const SHARDS: usize = 64;
const SECOND: u16 = 1_000;

#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    shards: Vec<Mutex<HashMap<SessionId, Local>>>,
    hasher: RandomState,
    /// Numbers followers and sessions.
    next: AtomicU64,
    open: AtomicU64,
    /// How many of them are this node's own probe.
    probes: AtomicU64,
    /// Places that running self-tests take from streams.
    tests: AtomicU64,
    /// Milliseconds of each second for which sessions are followed here, by cohort.
    followed: [AtomicU64; 2],
    reactors: Vec<Reactor>,
    recorder: Recorder,
    limits: LiveLimits,
}

/// A session's followers on this node.
struct Local {
    /// The session's key in the reactor.
    key: u64,
    cohort: Cohort,
    /// Those with a queue.
    queued: Vec<Follower>,
    /// How many the reactor holds.
    parked: u64,
    /// Of each second that the session is followed, what is this node's to count, ms. It shares with nodes that have
    /// streams of it too.
    share: u16,
}

struct Follower {
    key: u64,
    /// Its dropped deliveries are counted for this region.
    region: Region,
    queue: queue::Sender,
}

impl Local {
    fn followers(&self) -> u64 {
        self.queued.len() as u64 + self.parked
    }
}

type Shard<'a> = MutexGuard<'a, HashMap<SessionId, Local>>;

impl Hub {
    /// `reactors`: threads that write to parked streams.
    pub fn start(recorder: Recorder, limits: LiveLimits, reactors: usize) -> io::Result<Hub> {
        let mut threads = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..reactors.max(1) {
            let (reactor, thread) = Reactor::new(limits.clone(), recorder.clone())?;
            handles.push(reactor);
            threads.push(thread);
        }
        let hub = Hub(Arc::new(Inner {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
            open: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            tests: AtomicU64::new(0),
            followed: Default::default(),
            reactors: handles,
            recorder,
            limits,
        }));
        for (index, thread) in threads.into_iter().enumerate() {
            let hub = hub.clone();
            std::thread::Builder::new().name(format!("reactor-{index}")).spawn(move || {
                let _ = kernel::time_slice::reset();
                // Without its thread a reactor's streams would stay open and silent. Ended, they reconnect elsewhere.
                let _ = catch_unwind(AssertUnwindSafe(|| thread.run(hub)));
                tracing::error!(
                    "a reactor broke off: the process ends, so that its streams are not left silent"
                );
                std::process::exit(70);
            })?;
        }
        Ok(hub)
    }

    /// Live messages of the session are queued from now on. Leaving is dropping the [`Subscription`].
    /// `None`: as many streams are open as this node allows.
    pub fn join(&self, session: &SessionId, cohort: Cohort, region: Region) -> Option<Subscription> {
        // The node's own probe is not limited: a full node is not down, and the limit leaves file descriptors free.
        let probes = self.0.probes.load(Relaxed) + u64::from(session.is_probe());
        let most = u64::from(self.0.limits.get(Limit::MaxConnections)) + probes;
        let most = most.saturating_sub(self.0.tests.load(Relaxed));
        let room = |open| (open < most).then_some(open + 1);
        self.0.open.fetch_update(Relaxed, Relaxed, room).ok()?;
        self.0.probes.fetch_add(u64::from(session.is_probe()), Relaxed);
        let (sender, queue) = queue();
        let key = self.0.next.fetch_add(1, Relaxed);
        let mut shard = self.0.lock(self.0.shard_of(session));
        let local = shard.entry(session.clone()).or_insert_with(|| {
            let share = if session.is_probe() { 0 } else { SECOND };
            self.0.followed[cohort as usize].fetch_add(share.into(), Relaxed);
            let key = self.0.next.fetch_add(1, Relaxed);
            Local { key, cohort, queued: Vec::new(), parked: 0, share }
        });
        local.queued.push(Follower { key, region, queue: sender });
        Some(Subscription {
            queue,
            leave: LeaveGuard { hub: Some(self.clone()), session: session.clone(), key },
        })
    }

    /// A place for a self-test. `None`: as many streams are open as this node allows.
    pub fn test(&self) -> Option<TestPlace> {
        let most = u64::from(self.0.limits.get(Limit::MaxConnections)).saturating_sub(self.followed());
        let room = |tests| (tests < most).then_some(tests + 1);
        self.0.tests.fetch_update(Relaxed, Relaxed, room).ok()?;
        Some(TestPlace(self.clone()))
    }

    /// Hands a message to every local follower, and answers how many there were. Never waits: a follower whose
    /// queue is full loses its subscription, and its stream ends after what was queued.
    ///
    /// Calls for one session must come in the order of its events, and be followed by [`Hub::drive`] or
    /// [`Hub::wake`].
    pub fn deliver(&self, session: &SessionId, message: Message) -> u64 {
        let index = self.0.shard_of(session);
        let mut shard = self.0.lock(index);
        let Some(local) = shard.get_mut(session) else { return 0 };
        let due = local.followers();
        let message = Arc::new(message);
        let recorder = (!session.is_probe()).then_some(&self.0.recorder);
        let (mut gone, mut slow, mut conflated) = (0, 0, 0);
        local.queued.retain(|follower| match follower.queue.send(&message) {
            Sent::Waits { conflated: more } => {
                conflated += more;
                true
            }
            Sent::Slow { conflated: more } => {
                conflated += more;
                slow += 1;
                if let Some(recorder) = recorder {
                    recorder.at(follower.region).dropped_slow(1);
                }
                false
            }
            Sent::Gone => {
                gone += 1;
                false
            }
        });
        if local.parked > 0 {
            // Under the lock, so that the reactor sees a session's events in their order, and after the arrival of
            // every follower that was counted.
            let due = if session.is_probe() { 0 } else { local.parked };
            self.0.reactor(index).push(Command::Event { key: local.key, due, message });
        }
        if slow + gone > 0 {
            self.0.tidy(&mut shard, session);
        }
        drop(shard);
        if let Some(recorder) = recorder {
            recorder.add(Counter::DeliveriesDue, due);
            recorder.add(Counter::DroppedGone, gone);
            recorder.add(Counter::Conflated, conflated);
        }
        due
    }

    /// Makes the reactor write what was delivered to the session's parked streams. For few streams, the caller writes.
    /// Outside of any lock that [`Broker::unwatch`](crate::broker::Broker::unwatch) takes.
    pub fn drive(&self, session: &SessionId) {
        self.0.reactor(self.0.shard_of(session)).drive();
    }

    /// The same for a caller that must not spend time on writing: the reactor's thread writes.
    pub fn wake(&self, session: &SessionId) {
        self.0.reactor(self.0.shard_of(session)).wake();
    }

    /// Hands a follower's socket to the reactor of its session. What its queue holds goes along, and nothing comes
    /// between that and the first event which the reactor gets.
    pub fn park(&self, subscription: Subscription, mut arrival: Arrival) {
        let Subscription { mut queue, leave } = subscription;
        let index = self.0.shard_of(&leave.session);
        let mut shard = self.0.lock(index);
        let place = |local: &Local| local.queued.iter().position(|follower| follower.key == leave.key);
        let seated = shard.get_mut(&leave.session).and_then(|local| place(local).map(|place| (local, place)));
        let Some((local, place)) = seated else {
            // The queue became full while the head was sent: its events are dropped with it.
            drop(shard);
            let mut lost = u64::from(arrival.told);
            while queue.next().is_some() {
                lost += 1;
            }
            let recorder = self.0.recorder.of(leave.session());
            let at = recorder.at(arrival.region);
            at.dropped_slow(lost);
            at.add_apart(Counter::StreamsClosed, 1);
            recorder.add(Counter::ClosedSlow, 1);
            arrival.broker.unwatch(leave.session());
            return;
        };
        local.queued.swap_remove(place);
        while let Some(message) = queue.next() {
            arrival.live.push(message);
        }
        local.parked += 1;
        arrival.key = local.key;
        arrival.cohort = local.cohort;
        let reactor = self.0.reactor(index);
        reactor.push(Command::Park(Box::new(arrival)));
        drop(shard);
        // From here on the reactor releases the subscription.
        leave.keep();
        reactor.drive();
    }

    /// `count` parked followers of the session have left.
    pub fn unpark(&self, session: &SessionId, count: u64) {
        let mut shard = self.0.lock(self.0.shard_of(session));
        if let Some(local) = shard.get_mut(session) {
            local.parked = local.parked.saturating_sub(count);
        }
        self.0.tidy(&mut shard, session);
        drop(shard);
        self.0.closed(session, count);
    }

    /// Ends every parked stream, spread over `window_ms`.
    pub fn drain(&self, window_ms: u32) {
        for reactor in &self.0.reactors {
            reactor.push(Command::Drain { window_ms });
            reactor.drive();
        }
    }

    /// Waits while the session's reactor has too long a backlog. Publishers wait here before their event is accepted, so
    /// that the backlog is bounded.
    pub async fn room(&self, session: &SessionId) {
        self.0.reactor(self.0.shard_of(session)).room().await;
    }

    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    pub fn limits(&self) -> &LiveLimits {
        &self.0.limits
    }

    /// Streams open on this node.
    pub fn open(&self) -> u64 {
        self.0.open.load(Relaxed)
    }

    /// Streams open on this node without its own probe's.
    pub fn followed(&self) -> u64 {
        self.open().saturating_sub(self.0.probes.load(Relaxed))
    }

    /// Sets how many nodes have streams of the session now, including this one.
    pub fn share(&self, session: &SessionId, nodes: u16) {
        let mut shard = self.0.lock(self.0.shard_of(session));
        if let Some(local) = shard.get_mut(session).filter(|local| local.share > 0) {
            let followed = &self.0.followed[local.cohort as usize];
            followed.fetch_sub(local.share.into(), Relaxed);
            local.share = (SECOND / nodes.max(1)).max(1);
            followed.fetch_add(local.share.into(), Relaxed);
        }
    }

    /// Streams open to one session on this node.
    pub fn followers(&self, session: &SessionId) -> u64 {
        self.0.lock(self.0.shard_of(session)).get(session).map_or(0, Local::followers)
    }
}

impl Streamed for Hub {
    fn followed_ms(&self, cohort: Cohort) -> u64 {
        self.0.followed[cohort as usize].load(Relaxed)
    }

    fn has(&self, session: &SessionId) -> bool {
        self.followers(session) > 0
    }
}

impl Inner {
    fn shard_of(&self, session: &SessionId) -> usize {
        self.hasher.hash_one(session) as usize % SHARDS
    }

    fn lock(&self, index: usize) -> Shard<'_> {
        // The maps are consistent between any two statements, so a panic elsewhere does not corrupt them.
        self.shards[index].lock()
    }

    fn closed(&self, session: &SessionId, count: u64) {
        self.open.fetch_sub(count, Relaxed);
        if session.is_probe() {
            self.probes.fetch_sub(count, Relaxed);
        }
    }

    /// A session belongs to one reactor, so that its fan-out needs no lock.
    fn reactor(&self, shard: usize) -> &Reactor {
        &self.reactors[shard % self.reactors.len()]
    }

    /// Forgets a session that nobody follows any more.
    fn tidy(&self, shard: &mut Shard<'_>, session: &SessionId) {
        if let Some(local) = shard.get(session)
            && local.followers() == 0
        {
            self.followed[local.cohort as usize].fetch_sub(local.share.into(), Relaxed);
            shard.remove(session);
        }
    }
}

/// A self-test's place, given back on drop.
pub struct TestPlace(Hub);

impl Drop for TestPlace {
    fn drop(&mut self) {
        self.0.0.tests.fetch_sub(1, Relaxed);
    }
}

/// One follower's place: its queue, and the permit that is given back however the stream ends.
pub struct Subscription {
    pub queue: queue::Receiver,
    pub leave: LeaveGuard,
}

/// Leaves on drop.
pub struct LeaveGuard {
    /// `None`: the reactor leaves in its place.
    hub: Option<Hub>,
    session: SessionId,
    key: u64,
}

impl LeaveGuard {
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    fn keep(mut self) {
        self.hub = None;
    }
}

impl Drop for LeaveGuard {
    fn drop(&mut self) {
        let Some(Hub(inner)) = self.hub.take() else { return };
        let mut shard = inner.lock(inner.shard_of(&self.session));
        if let Some(local) = shard.get_mut(&self.session) {
            local.queued.retain(|follower| follower.key != self.key);
        }
        inner.tidy(&mut shard, &self.session);
        drop(shard);
        inner.closed(&self.session, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{places::Place, queue::OPENING},
        *,
    };
    use crate::broker::LocalBroker;
    use bytes::Bytes;
    use std::net::{TcpListener, TcpStream};
    use streamgauge_core::{
        metric::measure::sample::Sample,
        session::{
            follow::Said,
            history::HistoryLimits,
            ids::{Epoch, EventId},
        },
        settings::limits::Limits,
    };
    use tokio::sync::Semaphore;

    fn message(seq: u64) -> Message {
        let id = EventId { epoch: Epoch(1), seq };
        let (frame, chunk) = (Bytes::new(), Bytes::new());
        Message { id, frame, chunk, ends: false, stage: 0, must: false, accepted_us: None }
    }

    #[test]
    fn a_full_queue_costs_the_seat_and_nobody_elses() {
        let limits = LiveLimits::new(&Limits { max_connections: 2, ..Limits::default() });
        let hub = Hub::start(Recorder::new(1), limits, 1).expect("a hub");
        let session: SessionId = "job".parse().expect("an id");
        let mut slow = hub.join(&session, Cohort::Stream, Region::UNKNOWN).expect("room");
        let mut quick = hub.join(&session, Cohort::Stream, Region::UNKNOWN).expect("room");
        assert!(hub.join(&session, Cohort::Stream, Region::UNKNOWN).is_none(), "full");
        let own = SessionId::probe("a").expect("an id");
        let probe = hub.join(&own, Cohort::Stream, Region::UNKNOWN).expect("room for the probe");
        assert!(hub.join(&session, Cohort::Stream, Region::UNKNOWN).is_none(), "still full");
        drop(probe);
        assert!(hub.test().is_none(), "full for self-tests too");
        assert_eq!((hub.followed_ms(Cohort::Stream), hub.followed_ms(Cohort::Poll)), (1_000, 0));
        hub.share(&session, 3);
        hub.share(&own, 3);
        assert_eq!((hub.followed_ms(Cohort::Stream), hub.followed_ms(Cohort::Poll)), (333, 0));
        for seq in 1..=OPENING as u64 + 1 {
            assert_eq!(hub.deliver(&session, message(seq)), 2);
            assert_eq!(quick.queue.next().map(|m| m.id.seq), Some(seq));
        }
        assert_eq!(hub.followers(&session), 1);
        // The queued events are still delivered, in order and without a gap; then the stream ends.
        for seq in 1..=OPENING as u64 {
            assert_eq!(slow.queue.next().map(|m| m.id.seq), Some(seq));
        }
        assert!(slow.queue.is_over());
        drop((slow, quick));
        let tests = [hub.test(), hub.test()];
        assert!(tests.iter().all(Option::is_some) && hub.test().is_none());
        assert!(hub.join(&session, Cohort::Stream, Region::UNKNOWN).is_none(), "self-tests have all places");
        drop(tests);
        assert_eq!((hub.open(), hub.followers(&session), hub.followed_ms(Cohort::Stream)), (0, 0, 0));
    }

    fn lost_at(recorder: &Recorder, region: Region) -> (u64, u64) {
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect_at(region, &mut sample);
        (sample.counters.get(Counter::DeliveriesDue), sample.counters.get(Counter::DroppedSlow))
    }

    #[test]
    fn what_a_stream_loses_before_it_is_parked_counts_for_its_region() {
        let (recorder, region) = (Recorder::new(1), Region::at(1));
        let hub = Hub::start(recorder.clone(), LiveLimits::new(&Limits::default()), 1).expect("a hub");
        let session: SessionId = "job".parse().expect("an id");
        let subscription = hub.join(&session, Cohort::Stream, region).expect("room");
        for seq in 1..=OPENING as u64 + 1 {
            hub.deliver(&session, message(seq));
        }
        assert_eq!(lost_at(&recorder, region), (1, 1), "the event that found the queue full");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let places = Arc::new(Semaphore::new(1));
        let arrival = Arrival {
            socket,
            counted: Default::default(),
            session,
            key: 0,
            cohort: Cohort::Stream,
            region,
            broker: Arc::new(LocalBroker::new(hub.clone(), HistoryLimits::default(), 60_000)),
            opening: Bytes::new(),
            told: 3,
            ends: false,
            position: EventId { epoch: Epoch(1), seq: 0 },
            live: Vec::new(),
            permit: None,
            expires_in: None,
            said: Said::default(),
            place: Place::from(places.try_acquire_owned().expect("a place")),
        };
        hub.park(subscription, arrival);
        let lost = OPENING as u64 + 3;
        assert_eq!(lost_at(&recorder, region), (lost, lost), "what waited, and what it was to be told");
    }
}
