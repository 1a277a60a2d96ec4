//! The broker of several nodes: numbering and history in Redis, one pipelined connection to publish and read,
//! one more to listen; on a cluster, one of each a shard.

mod address; // what redis_url says
mod check; // whether the other end is a primary that answers
mod cluster; // which primary has which slots
mod commands; // the connection for commands, to one Redis or a cluster
mod health; // how Redis stands, as this node sees it
mod hearing; // what of a message or a history goes on to the followers
mod leases; // a user's streams to a session, counted over all nodes
mod link; // the subscriber connection to one Redis
mod listener; // which sessions this node hears
mod memory; // sessions served a while ago, for when Redis forgets them
mod raw_publish; // what back ends PUBLISH by themselves
mod routes; // which Redis has which session
mod sentinel; // which Redis is the primary, where Sentinels say it
mod store; // sessions as they stand in Redis
mod table; // each session's position on this node
mod wire; // keys, channels, and an event as text

use super::{Answer, Broker, BrokerError, Current, Health, Lease, Poll, Publication, Published};
use crate::{store::Endings, stream::Hub};
pub use ::redis::RedisError;
use address::Address;
use hearing::Hearing;
use leases::Leases;
use listener::Listener;
use parking_lot::Mutex;
use raw_publish::Plain;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use store::{Store, Stored};
use streamgauge_core::session::{
    history::{HistoryLimits, SessionHistory},
    ids::{EventId, SessionId},
    status::Draft,
};
use table::Table;
use tokio::sync::mpsc;

/// Events taken in from back ends that publish by themselves, and not counted yet. A full queue slows taking them in.
const TAKEN: usize = 1_024;

pub struct RedisBroker {
    store: Store,
    listener: Listener,
    hearing: Arc<Hearing>,
    leases: Leases,
    hub: Hub,
    taken: Mutex<Option<mpsc::Receiver<Published>>>,
}

impl RedisBroker {
    /// Connects in the background: a Redis that is away now is simply away. `plain`: take in what back ends publish to
    /// Redis by themselves. `endings`: which sessions ended, for when Redis has forgotten them.
    pub fn start(
        url: &str,
        hub: Hub,
        limits: HistoryLimits,
        abandon_after_ms: i64,
        plain: bool,
        endings: Endings,
    ) -> Result<RedisBroker, RedisError> {
        let address = Address::parse(url)?;
        let store = Store::new(&address, limits, abandon_after_ms)?;
        let (told, taken) = mpsc::channel(TAKEN);
        let plain = Plain::start(&store, &hub, &endings, plain, &told);
        let hearing = Arc::new(Hearing {
            table: Table::new(abandon_after_ms),
            store: store.clone(),
            hub: hub.clone(),
            recorder: hub.recorder().clone(),
        });
        let listener = Listener::start(address, hearing.clone(), plain);
        let leases = Leases::start(store.clone());
        Ok(RedisBroker { store, listener, hearing, leases, hub, taken: Mutex::new(Some(taken)) })
    }

    /// Events that did not come by the HTTP routes, so that they are counted too. Can be taken once.
    pub fn taken(&self) -> Option<mpsc::Receiver<Published>> {
        self.taken.lock().take()
    }

    /// Memory of Redis, bytes, of all primaries; a failure is noted as [`Health::Away`].
    pub async fn memory(&self) -> Result<Option<u64>, BrokerError> {
        self.store.memory().await
    }

    /// A round trip to Redis; its failure is noted as [`Health::Away`].
    pub async fn ping(&self) -> Result<Duration, BrokerError> {
        let mut connection = self.store.commands.connection();
        let start = std::time::Instant::now();
        let pong = ::redis::cmd("PING").query_async::<()>(&mut connection).await;
        self.store.noted(pong)?;
        Ok(start.elapsed())
    }

    /// Since when Redis is at its memory limit, Unix milliseconds.
    pub fn full_since(&self) -> Option<i64> {
        self.store.health.full_since()
    }

    /// What a follower begins with.
    async fn read(&self, session: &SessionId) -> Result<SessionHistory, BrokerError> {
        let held = self.store.held(session).await?.or_else(|| self.remembered(session));
        Ok(held.unwrap_or_else(SessionHistory::not_begun))
    }

    fn last_told(&self, session: &SessionId) -> Option<Current> {
        self.remembered(session)
            .map(|held| Current { id: EventId { epoch: held.epoch, seq: held.top }, event: held.current })
    }

    /// What this node last told of a session that Redis knows nothing of. Redis came back empty: the session goes on
    /// with its publisher's next event, in a new epoch, which says the gap. Until then its followers must not hear that
    /// there is no such session, for then an EventSource never comes back.
    fn remembered(&self, session: &SessionId) -> Option<SessionHistory> {
        self.hearing.table.remembered(session).map(|last| SessionHistory {
            epoch: last.id.epoch,
            top: last.id.seq,
            current: last.event,
            events: VecDeque::new(),
        })
    }
}

impl Broker for RedisBroker {
    fn create<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        Box::pin(self.store.create(session))
    }

    fn publish<'a>(
        &'a self,
        session: &'a SessionId,
        say: Publication,
        key: Option<&'a str>,
    ) -> Answer<'a, Published> {
        Box::pin(async move {
            let ending = match &say {
                Publication::End { outcome, message } => Some((*outcome, message.clone())),
                Publication::Status(_) | Publication::First(_) => None,
            };
            let told = match (self.store.publish(session, say, key).await, ending) {
                (Err(BrokerError::Unknown), Some((outcome, message))) => {
                    let last = self.remembered(session).ok_or(BrokerError::Unknown)?.current;
                    let draft = Draft::ending(outcome, message, last.as_deref())?;
                    self.store.publish(session, Publication::First(draft), key).await?
                }
                // This node remembers that it runs: nobody else need be asked.
                (Err(BrokerError::NotBegun(draft)), _) if self.remembered(session).is_some() => {
                    self.store.publish(session, Publication::First(*draft), key).await?
                }
                (told, _) => told?,
            };
            let Stored { event, nodes, created, repeated } = told;
            // This node hears its own message by the same way as all others, and is one of `nodes` if it watches.
            let here = self.hub.followers(session);
            let elsewhere = nodes.saturating_sub(u64::from(here > 0));
            Ok(Published { event, subscribers: here + elsewhere, repeated, created })
        })
    }

    fn watch<'a>(&'a self, session: &'a SessionId) -> Answer<'a, SessionHistory> {
        Box::pin(async move {
            // First listen, then read: what comes in between is heard, and `history::open` tells repetitions.
            let watch = self.listener.watch(session).await?;
            let mut held = self.read(session).await?;
            // Too old a second time: Redis has lost what was told, and the node is about to find that out.
            if !watch.read(&held) {
                held = self.read(session).await?;
                watch.read(&held);
            }
            watch.keep();
            Ok(held)
        })
    }

    fn lease<'a>(&'a self, session: &'a SessionId, user: &'a str, most: u32) -> Answer<'a, Option<Lease>> {
        Box::pin(self.leases.take(session, user, most))
    }

    fn unwatch(&self, session: &SessionId) {
        self.listener.unwatch(session);
    }

    fn current<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Current>> {
        Box::pin(async move {
            let current = self.store.current(session).await?;
            Ok(current.or_else(|| self.last_told(session)))
        })
    }

    fn poll<'a>(&'a self, session: &'a SessionId, interval_ms: u32) -> Answer<'a, Option<Poll>> {
        Box::pin(async move {
            let Some((current, followed_ms, nodes)) = self.store.poll(session, interval_ms).await? else {
                let current = self.last_told(session);
                return Ok(current.map(|current| Poll {
                    current,
                    followed_ms: 0,
                    is_streamed_elsewhere: false,
                }));
            };
            let here = u64::from(self.hub.followers(session) > 0);
            Ok(Some(Poll { current, followed_ms, is_streamed_elsewhere: nodes > here }))
        })
    }

    fn falls_back<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        Box::pin(self.store.falls_back(session))
    }

    fn health(&self) -> Health {
        self.store.health.health()
    }
}
