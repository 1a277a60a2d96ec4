//! The broker of several nodes: numbering and history in Redis, one pipelined connection to publish and read,
//! one more to listen.

mod leases; // a user's streams to a session, counted over all nodes
mod listener; // the subscriber connection: which sessions this node hears, and what it missed
mod wire; // keys, channels, and an event as text

use super::{Answer, Broker, BrokerError, Current, Health, Lease, Published, Say};
use crate::{clock, stream::Hub};
pub use ::redis::RedisError;
use ::redis::{AsyncCommands, Client, Script, aio::ConnectionManager, aio::ConnectionManagerConfig};
use leases::Leases;
use listener::Listener;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use streamgauge_core::{
    history::{Held, HistoryLimits},
    ids::{Epoch, EventId, SessionId},
    status::Draft,
};

/// A Redis that does not answer for this long is away; a publisher is not kept waiting for it.
const PATIENCE: Duration = Duration::from_millis(1_500);

pub struct RedisBroker {
    store: Store,
    listener: Listener,
    leases: Leases,
    hub: Hub,
}

/// The commands connection and what it needs. Cloning shares the connection.
#[derive(Clone)]
struct Store {
    connection: ConnectionManager,
    publish: Script,
    limits: HistoryLimits,
    abandon_after_ms: i64,
    health: Arc<Mutex<Health>>,
}

impl RedisBroker {
    /// Connects in the background: a Redis that is away now is simply away.
    pub fn start(
        url: &str,
        hub: Hub,
        limits: HistoryLimits,
        abandon_after_ms: i64,
    ) -> Result<RedisBroker, RedisError> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_secs(1));
        let store = Store {
            connection: ConnectionManager::new_lazy_with_config(client.clone(), config)?,
            publish: Script::new(include_str!("publish.lua")),
            limits,
            abandon_after_ms,
            health: Arc::new(Mutex::new(Health::Good)),
        };
        let listener = Listener::start(client, store.clone(), hub.clone());
        let leases = Leases::start(store.clone());
        Ok(RedisBroker { store, listener, leases, hub })
    }

    /// Asks Redis for its memory (bytes) and times a round trip; its failure is noted as [`Health::Away`].
    pub async fn probe(&self) -> Result<Probe, BrokerError> {
        let mut connection = self.store.connection.clone();
        let start = std::time::Instant::now();
        let pong = ::redis::cmd("PING").query_async::<()>(&mut connection).await;
        self.store.noted(pong)?;
        let latency = start.elapsed();
        let info: String =
            self.store.noted(::redis::cmd("INFO").arg("memory").query_async(&mut connection).await)?;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(Probe { latency, memory: line.and_then(|bytes| bytes.trim().parse().ok()) })
    }
}

/// What [`RedisBroker::probe`] found.
pub struct Probe {
    pub latency: Duration,
    /// Bytes.
    pub memory: Option<u64>,
}

impl Store {
    /// Notes in the health what every answer says about Redis.
    fn noted<T>(&self, result: Result<T, RedisError>) -> Result<T, BrokerError> {
        match result {
            Ok(value) => {
                self.set_health(None);
                Ok(value)
            }
            Err(error) => {
                self.set_health(Some(error.to_string()));
                Err(BrokerError::Away(error.to_string()))
            }
        }
    }

    fn set_health(&self, trouble: Option<String>) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        *health = match (trouble, &*health) {
            (None, Health::Good) => return,
            (None, Health::Away { .. }) => {
                tracing::info!("Redis answers again");
                Health::Good
            }
            (Some(why), Health::Away { since, .. }) => Health::Away { why, since: *since },
            (Some(why), Health::Good) => {
                tracing::warn!(
                    why,
                    "Redis is away: open streams stay, publishing is refused until it is back"
                );
                Health::Away { why, since: clock::now_ms() }
            }
        };
    }

    async fn current(&self, session: &SessionId) -> Result<Option<Current>, BrokerError> {
        let mut connection = self.connection.clone();
        let (epoch, seq, latest): (Option<String>, Option<u64>, Option<String>) =
            self.noted(connection.hmget(wire::state_key(session), &["e", "n", "c"]).await)?;
        Ok(epoch.as_deref().and_then(parse_epoch).map(|epoch| Current {
            id: EventId { epoch, seq: seq.unwrap_or(0) },
            event: latest.and_then(|message| wire::parse(session, &message)).map(|(event, _)| event),
        }))
    }

    /// State and history in one transaction: they describe the same moment.
    async fn held(&self, session: &SessionId) -> Result<Option<Held>, BrokerError> {
        type Row = ((Option<String>, Option<u64>, Option<String>), Vec<(String, Vec<(String, String)>)>);
        let mut connection = self.connection.clone();
        let mut both = ::redis::pipe();
        both.atomic().hmget(wire::state_key(session), &["e", "n", "c"]);
        both.xrange_all(wire::history_key(session));
        let ((epoch, seq, latest), entries): Row = self.noted(both.query_async(&mut connection).await)?;
        let Some(epoch) = epoch.as_deref().and_then(parse_epoch) else { return Ok(None) };
        let oldest = clock::now_ms() - self.limits.age_ms;
        let messages = entries.iter().flat_map(|(_, fields)| fields.iter().map(|(_, message)| message));
        let mut events: VecDeque<_> =
            messages.filter_map(|message| wire::parse(session, message)).map(|(event, _)| event).collect();
        // An unreadable entry would be a hole: keep only the unbroken run at the end.
        let top = seq.unwrap_or(0);
        let run =
            events.iter().rev().zip(0u64..).take_while(|(e, back)| e.id.seq + back == top && e.at >= oldest);
        let run = run.count();
        events.drain(..events.len() - run);
        let current = latest.and_then(|message| wire::parse(session, &message)).map(|(event, _)| event);
        Ok(Some(Held { epoch, top, current, events }))
    }

    async fn publish(&self, session: &SessionId, say: Say, key: Option<&str>) -> Result<Told, BrokerError> {
        let accepted_us = clock::now_us();
        let (draft, must_exist) = match say {
            Say::Status(draft) => (draft, false),
            Say::End { outcome, message } => {
                let last = self.current(session).await?.ok_or(BrokerError::Unknown)?;
                (Draft::ending(outcome, message, last.event.as_ref())?, true)
            }
        };
        let ends = draft.state.has_ended();
        let live_ms = if ends { self.limits.age_ms } else { self.abandon_after_ms + self.limits.age_ms };
        let mut call = self.publish.prepare_invoke();
        call.key(wire::state_key(session))
            .key(wire::history_key(session))
            .key(wire::idempotency_key(session, key.unwrap_or("")))
            .arg(Epoch(u64::try_from(accepted_us).unwrap_or(0)).to_string())
            .arg(wire::payload(draft, accepted_us / 1_000))
            .arg(u8::from(ends))
            .arg(u8::from(must_exist))
            .arg(self.limits.events)
            .arg(live_ms)
            .arg(accepted_us)
            .arg(key.map(|_| self.limits.age_ms.to_string()).unwrap_or_default())
            .arg(wire::channel(session));
        let mut connection = self.connection.clone();
        let (fate, message, nodes, created): (String, String, u64, u8) =
            self.noted(call.invoke_async(&mut connection).await)?;
        match fate.as_str() {
            "ended" => return Err(BrokerError::Ended),
            "unknown" => return Err(BrokerError::Unknown),
            _ => {}
        }
        let unreadable = || BrokerError::Away("Redis holds a message that this version cannot read".into());
        let (event, _) = wire::parse(session, &message).ok_or_else(unreadable)?;
        Ok(Told { event, nodes, created: created == 1, repeated: fate == "repeated" })
    }
}

/// What the script answered.
struct Told {
    event: streamgauge_core::status::StatusEvent,
    /// Nodes that watch the session.
    nodes: u64,
    created: bool,
    repeated: bool,
}

fn parse_epoch(text: &str) -> Option<Epoch> {
    u64::from_str_radix(text, 16).ok().map(Epoch)
}

impl Broker for RedisBroker {
    fn create<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        Box::pin(async move {
            let epoch = Epoch(u64::try_from(clock::now_us()).unwrap_or(0)).to_string();
            let mut connection = self.store.connection.clone();
            let key = wire::state_key(session);
            let mut both = ::redis::pipe();
            both.atomic().hset_nx(&key, "e", epoch);
            // Also of a session that exists: whoever creates it again is about to use it.
            both.pexpire(&key, self.store.abandon_after_ms + self.store.limits.age_ms).ignore();
            let (is_new,): (bool,) = self.store.noted(both.query_async(&mut connection).await)?;
            Ok(is_new)
        })
    }

    fn publish<'a>(
        &'a self,
        session: &'a SessionId,
        say: Say,
        key: Option<&'a str>,
    ) -> Answer<'a, Published> {
        Box::pin(async move {
            let Told { event, nodes, created, repeated } = self.store.publish(session, say, key).await?;
            // This node hears its own message by the same way as all others, and is one of `nodes` if it watches.
            let here = self.hub.followers(session);
            let elsewhere = nodes.saturating_sub(u64::from(here > 0));
            Ok(Published { event, subscribers: here + elsewhere, repeated, created })
        })
    }

    fn watch<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Held>> {
        Box::pin(async move {
            // First listen, then read: what comes in between is heard, and `history::open` tells repetitions.
            let watch = self.listener.watch(session).await?;
            let held = self.store.held(session).await?;
            let Some(held) = held else { return Ok(None) };
            watch.keep(EventId { epoch: held.epoch, seq: held.top });
            Ok(Some(held))
        })
    }

    fn lease<'a>(&'a self, session: &'a SessionId, user: &'a str, most: u32) -> Answer<'a, Option<Lease>> {
        Box::pin(self.leases.take(session, user, most))
    }

    fn unwatch(&self, session: &SessionId) {
        self.listener.unwatch(session);
    }

    fn current<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Current>> {
        Box::pin(self.store.current(session))
    }

    fn health(&self) -> Health {
        self.store.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
