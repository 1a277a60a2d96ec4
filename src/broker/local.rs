//! The broker of a single node: everything in this process, under the same contract as Redis.

use super::{Answer, Broker, BrokerError, Current, Health, Lease, Poll, Publication, Published};
use crate::{
    clock,
    stream::{Hub, Message},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use streamgauge_core::session::{
    cohort::followed_by_poll,
    history::{HistoryLimits, SessionHistory},
    ids::{Epoch, EventId, SessionId},
    status::{Draft, StatusEvent},
};

const SHARDS: usize = 64;
/// Sessions held at once. With a history of a few events each is about 2 kB; the bound keeps a publisher
/// that invents ids from taking all memory.
const MAX_SESSIONS: usize = 200_000;
/// What all histories may hold together, bytes. Beyond it, a session with a new event keeps only its latest event, and
/// followers that resume in it get a `gap`; beyond twice as much, new sessions are refused.
const MAX_HELD: usize = 256 << 20;
/// Idempotency keys remembered a session: a publisher repeats its last request, not one of an hour ago.
const MAX_KEYS: usize = 32;

pub struct LocalBroker {
    shards: Vec<Mutex<HashMap<SessionId, Entry>>>,
    hasher: RandomState,
    hub: Hub,
    limits: HistoryLimits,
    abandon_after_ms: i64,
    /// The last one given. Each session that is new to this process gets the next: it may have been here before, and then
    /// its numbers of then must not be given again.
    epoch: AtomicU64,
    leases: Arc<Mutex<Leases>>,
    /// What all histories hold, bytes.
    weight: AtomicUsize,
    /// [`MAX_HELD`], but in tests.
    most: usize,
}

/// Streams by session and user.
type Leases = HashMap<(SessionId, Box<str>), u32>;

struct Entry {
    held: SessionHistory,
    /// Of its history, bytes.
    weight: usize,
    keys: VecDeque<(Box<str>, u64)>,
    /// Of its latest event, by the steady clock, so that setting the wall clock does not age a session.
    touched_at: i64,
    /// Until when polls count as following it, by the steady clock.
    polled_until: Option<i64>,
    fell_back: bool,
}

type Shard = HashMap<SessionId, Entry>;

impl LocalBroker {
    pub fn new(hub: Hub, limits: HistoryLimits, abandon_after_ms: i64) -> LocalBroker {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        LocalBroker {
            shards,
            hasher: RandomState::new(),
            hub,
            limits,
            abandon_after_ms,
            epoch: AtomicU64::new(Epoch::NONE.0),
            leases: Arc::default(),
            weight: AtomicUsize::new(0),
            most: MAX_HELD,
        }
    }

    /// For a session that is new here; higher than any given before. `now_us`: Unix microseconds.
    fn next_epoch(&self, now_us: i64) -> Epoch {
        let next = |last| Some(Epoch(last).next(now_us).0);
        let last = self.epoch.fetch_update(Relaxed, Relaxed, next).unwrap_or_else(|last| last);
        // The same function of the same value, so the same result.
        Epoch(last).next(now_us)
    }

    /// Appends to a session's history, and drops what exceeds its bound.
    fn keep(&self, entry: &mut Entry, event: Arc<StatusEvent>) {
        let room = self.weight.load(Relaxed) < self.most;
        let limits = if room { self.limits } else { HistoryLimits { events: 1, ..self.limits } };
        let come = event.weight();
        let gone = entry.held.push(event, limits);
        entry.weight = entry.weight + come - gone;
        self.weight.fetch_add(come, Relaxed);
        self.weight.fetch_sub(gone, Relaxed);
    }

    /// Restores sessions after a restart: the latest event becomes the first of a new epoch, so a follower
    /// that resumes gets a `gap`. What was published since is newer and stays. `now`: Unix milliseconds.
    pub fn restore(&self, sessions: Vec<(SessionId, Option<StatusEvent>)>, now: i64) {
        let steady = clock::steady_ms();
        for (session, event) in sessions {
            let mut shard = self.shard(&session);
            shard.entry(session).or_insert_with(|| {
                // Also where the clock was set back since: higher than the epoch that its followers know.
                let before = event.as_ref().map_or(0, |event| event.id.epoch.0).saturating_add(1);
                let epoch = self.next_epoch((now * 1_000).max(i64::try_from(before).unwrap_or(i64::MAX)));
                let mut entry = Entry::new(epoch, steady);
                if let Some(event) = event {
                    let id = EventId { epoch, seq: 1 };
                    entry.touched_at = steady - (now - event.at).max(0);
                    self.keep(&mut entry, Arc::new(StatusEvent { id, ..event }));
                }
                entry
            });
        }
    }

    /// Forgets sessions that ended longer ago than history is kept, and those that went silent, unless somebody follows
    /// them: an open stream waits for more. `now`: by the steady clock.
    pub fn sweep(&self, now: i64) {
        if self.weight.load(Relaxed) >= self.most {
            tracing::warn!(
                "histories hold 256 MB: sessions keep their latest event alone until some have ended"
            );
        }
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.retain(|session, entry| {
                let keep = if entry.held.has_ended() { self.limits.age_ms } else { self.abandon_after_ms };
                // A follower joins the hub first and then reads the history under this lock, so a follower that has
                // read it is counted here.
                let stays = now - entry.touched_at < keep || self.hub.followers(session) > 0;
                if !stays {
                    self.weight.fetch_sub(entry.weight, Relaxed);
                }
                stays
            });
        }
    }

    /// Sessions held.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, session: &SessionId) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(session) as usize % SHARDS;
        // Entries are consistent between any two statements, so a panic elsewhere does not corrupt them.
        self.shards[index].lock()
    }

    /// Makes the entry if there is room. The bound is kept by shard, so no other lock is needed.
    fn entry<'a>(
        &self,
        shard: &'a mut Shard,
        id: &SessionId,
        now_us: i64,
    ) -> Result<(&'a mut Entry, bool), BrokerError> {
        let is_new = !shard.contains_key(id);
        if is_new {
            if shard.len() >= MAX_SESSIONS / SHARDS || self.weight.load(Relaxed) >= 2 * self.most {
                return Err(BrokerError::Full);
            }
            shard.insert(id.clone(), Entry::new(self.next_epoch(now_us), clock::steady_ms()));
        }
        let entry = shard.get_mut(id).ok_or(BrokerError::Unknown)?;
        Ok((entry, is_new))
    }

    fn publish_now(
        &self,
        session: &SessionId,
        say: Publication,
        key: Option<&str>,
    ) -> Result<Published, BrokerError> {
        let accepted_us = clock::now_us();
        let now = accepted_us / 1_000;
        let mut shard = self.shard(session);
        let (say, is_first) = match say {
            Publication::First(draft) => (Publication::Status(draft), true),
            say => (say, false),
        };
        let (entry, created) = match shard.get_mut(session) {
            Some(entry) => (entry, false),
            None if is_first => self.entry(&mut shard, session, accepted_us)?,
            None => return Err(say.has_no_session()),
        };
        if let Some(published) = entry.repeated(key) {
            return Ok(published);
        }
        if entry.held.has_ended() {
            return Err(BrokerError::Ended);
        }
        let draft = match say {
            Publication::Status(draft) | Publication::First(draft) => draft,
            Publication::End { outcome, message } => {
                Draft::ending(outcome, message, entry.held.current.as_deref())?
            }
        };
        let id = EventId { epoch: entry.held.epoch, seq: entry.held.top + 1 };
        let event = Arc::new(StatusEvent::new(id, session.clone(), draft, now));
        self.keep(entry, event.clone());
        entry.touched_at = clock::steady_ms();
        if let Some(key) = key {
            entry.keys.truncate(MAX_KEYS - 1);
            entry.keys.push_front((key.into(), id.seq));
        }
        // Under the lock, so that the hub sees a session's events in their order.
        let subscribers = self.hub.deliver(session, Message::live(&event, accepted_us));
        Ok(Published { event, subscribers, repeated: false, created })
    }
}

impl Entry {
    fn new(epoch: Epoch, now: i64) -> Entry {
        Entry {
            held: SessionHistory::new(epoch),
            weight: 0,
            keys: VecDeque::new(),
            touched_at: now,
            polled_until: None,
            fell_back: false,
        }
    }

    fn current(&self) -> Current {
        Current {
            id: EventId { epoch: self.held.epoch, seq: self.held.top },
            event: self.held.current.clone(),
        }
    }

    fn repeated(&self, key: Option<&str>) -> Option<Published> {
        let key = key?;
        let (_, seq) = self.keys.iter().find(|(known, _)| &**known == key)?;
        let kept = self.held.events.iter().find(|event| event.id.seq == *seq);
        let event = kept.or(self.held.current.as_ref())?.as_ref().clone();
        let id = EventId { epoch: self.held.epoch, seq: *seq };
        let event = Arc::new(StatusEvent { id, ..event });
        Some(Published { event, subscribers: 0, repeated: true, created: false })
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, BrokerError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Broker for LocalBroker {
    fn create<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        let mut shard = self.shard(session);
        ready(self.entry(&mut shard, session, clock::now_us()).map(|(_, is_new)| is_new))
    }

    fn publish<'a>(
        &'a self,
        session: &'a SessionId,
        say: Publication,
        key: Option<&'a str>,
    ) -> Answer<'a, Published> {
        let published = self.publish_now(session, say, key);
        self.hub.drive(session);
        ready(published)
    }

    fn watch<'a>(&'a self, session: &'a SessionId) -> Answer<'a, SessionHistory> {
        let held = self.shard(session).get(session).map(|entry| entry.held.clone());
        ready(Ok(held.unwrap_or_else(SessionHistory::not_begun)))
    }

    fn unwatch(&self, _session: &SessionId) {}

    fn current<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Current>> {
        ready(Ok(self.shard(session).get(session).map(Entry::current)))
    }

    fn poll<'a>(&'a self, session: &'a SessionId, interval_ms: u32) -> Answer<'a, Option<Poll>> {
        let now = clock::steady_ms();
        ready(Ok(self.shard(session).get_mut(session).map(|entry| {
            let until = entry.polled_until.replace(now + i64::from(interval_ms));
            let followed_ms = followed_by_poll(until, now, interval_ms);
            Poll { current: entry.current(), followed_ms, is_streamed_elsewhere: false }
        })))
    }

    fn falls_back<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        let mut shard = self.shard(session);
        ready(Ok(shard.get_mut(session).is_some_and(|entry| !std::mem::replace(&mut entry.fell_back, true))))
    }

    fn lease<'a>(&'a self, session: &'a SessionId, user: &'a str, most: u32) -> Answer<'a, Option<Lease>> {
        let key = (session.clone(), Box::from(user));
        let mut leases = self.leases.lock();
        let held = leases.entry(key.clone()).or_default();
        if *held >= most {
            return ready(Ok(None));
        }
        *held += 1;
        let all = self.leases.clone();
        ready(Ok(Some(Lease::new(move || {
            let mut leases = all.lock();
            if let Some(held) = leases.get_mut(&key) {
                *held -= 1;
                if *held == 0 {
                    leases.remove(&key);
                }
            }
        }))))
    }

    fn health(&self) -> Health {
        Health::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::Recorder, stream::LiveLimits};
    use streamgauge_core::{
        metric::region::Region,
        session::{cohort::Cohort, status::State},
        settings::limits::Limits,
    };

    #[test]
    fn histories_have_their_room_and_no_more() {
        let hub = Hub::start(Recorder::new(1), LiveLimits::new(&Limits::default()), 1).expect("a hub");
        let mut broker = LocalBroker::new(hub, HistoryLimits::default(), 60_000);
        broker.most = 64 << 10;
        let publish = |session: &str| {
            let message = Some("x".repeat(1_000));
            let draft = Draft { state: State::Running, stage: "s".into(), progress: 1, message, data: None };
            broker.publish_now(&session.parse().expect("an id"), Publication::First(draft), None).map(|_| ())
        };
        let held = |session: &str| {
            broker.shard(&session.parse().expect("an id"))[&session.parse().expect("an id")].held.events.len()
        };
        for _ in 0..40 {
            publish("one").expect("published");
        }
        assert_eq!(held("one"), 40);
        for _ in 0..40 {
            publish("two").expect("published");
        }
        // It gives back what it held whenever all is full, and begins anew.
        assert!((1..20).contains(&held("two")), "{}", held("two"));
        assert!(broker.weight.load(Relaxed) < broker.most + (2 << 10));
        let mut made = 0;
        while publish(&format!("more-{made}")).is_ok() {
            made += 1;
        }
        assert!(made < 200, "{made} sessions of a kilobyte in 128 kB");
        assert!(broker.weight.load(Relaxed) < (2 * broker.most) + (4 << 10));
        publish("one").expect("those that are there go on");
        broker.sweep(clock::steady_ms() + 120_000);
        assert_eq!((broker.len(), broker.weight.load(Relaxed)), (0, 0));
        publish("new").expect("there is room again");
    }

    /// Followers know the ids of the life before. If they were given again, followers would drop new events as known.
    #[test]
    fn a_session_that_was_forgotten_gives_no_id_again_and_one_that_is_followed_is_not_forgotten() {
        let hub = Hub::start(Recorder::new(1), LiveLimits::new(&Limits::default()), 1).expect("a hub");
        let broker = LocalBroker::new(hub.clone(), HistoryLimits::default(), 60_000);
        let session = |name: &str| name.parse::<SessionId>().expect("an id");
        let draft =
            || Draft { state: State::Running, stage: "s".into(), progress: 1, message: None, data: None };
        let publish = |name: &str, say| {
            broker.publish_now(&session(name), say, None).map(|published| published.event.id)
        };
        assert!(matches!(publish("quiet", Publication::Status(draft())), Err(BrokerError::NotBegun(_))));
        let quiet = publish("quiet", Publication::First(draft())).expect("published");
        let followed = publish("followed", Publication::First(draft())).expect("published");
        assert_ne!(quiet.epoch, followed.epoch);
        let seat = hub.join(&session("followed"), Cohort::Stream, Region::UNKNOWN).expect("a seat");

        broker.sweep(clock::steady_ms() + 59_000);
        assert_eq!(broker.len(), 2);
        broker.sweep(clock::steady_ms() + 61_000);
        assert_eq!(broker.len(), 1);
        let again = publish("quiet", Publication::First(draft())).expect("published");
        assert!(again.epoch.0 > followed.epoch.0.max(quiet.epoch.0), "{again} after {quiet}");
        let next = publish("followed", Publication::Status(draft())).expect("published");
        assert_eq!(next, EventId { epoch: followed.epoch, seq: 2 });
        drop(seat);
        broker.sweep(clock::steady_ms() + 61_000);
        assert_eq!(broker.len(), 0);
    }

    #[test]
    fn a_restart_gives_no_id_again_also_where_the_clock_was_put_back() {
        let hub = Hub::start(Recorder::new(1), LiveLimits::new(&Limits::default()), 1).expect("a hub");
        let broker = LocalBroker::new(hub, HistoryLimits::default(), 60_000);
        let session: SessionId = "taken-up".parse().expect("an id");
        let draft =
            Draft { state: State::Running, stage: "s".into(), progress: 1, message: None, data: None };
        // Of tomorrow.
        let before = EventId { epoch: Epoch(clock::now_us() as u64 + 86_400_000_000), seq: 1 };
        let event = StatusEvent::new(before, session.clone(), draft, clock::now_ms());
        broker.restore(vec![(session.clone(), Some(event))], clock::now_ms());
        let held = &broker.shard(&session)[&session].held;
        assert!(held.epoch.0 > before.epoch.0 && held.top == 1);
    }
}
