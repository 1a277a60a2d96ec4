//! Sessions as they stand in Redis: numbering, history, the current status.

use super::{
    address::Address,
    commands::Commands,
    health::{Part, RedisHealth},
    wire,
};
use crate::{
    broker::{BrokerError, Current, Publication},
    clock,
};
use ::redis::{AsyncCommands, RedisError, Script, Value, from_redis_value};
use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::session::{
    cohort::followed_by_poll,
    history::{HistoryLimits, SessionHistory},
    ids::{Epoch, EventId, SessionId},
    status::{Draft, StatusEvent},
};
use tokio::time::MissedTickBehavior;

/// For how long copies of a plainly published message are told from a new one.
pub const CLAIM: Duration = Duration::from_secs(30);
/// Within which time a node that begins to hear takes its first copy for one that others heard too, ms.
const SAME_MS: u64 = 1_000;

/// For how long a command is remembered that may be sent again: longer than that takes.
const AGAIN_MS: i64 = 5_000;
/// How often Redis is asked whether it is back.
const RECOVERY: Duration = Duration::from_millis(250);

/// Cloning shares the connection.
#[derive(Clone)]
pub struct Store {
    pub commands: Commands,
    pub health: RedisHealth,
    scripts: Arc<Scripts>,
    limits: HistoryLimits,
    abandon_after_ms: i64,
    in_cluster: bool,
    /// Names what this life of this node publishes, as nobody else does.
    life: u64,
    sent: Arc<AtomicU64>,
}

struct Scripts {
    create: Script,
    falls_back: Script,
    held: Script,
    poll: Script,
    publish: Script,
    renumber: Script,
}

/// A plainly published message, as one node heard it.
pub struct Claim {
    /// Of the message.
    pub digest: String,
    /// The node, for as long as it hears without a break.
    pub bringer: String,
    /// Of this message among those that it heard.
    pub number: u64,
    /// Since when it hears, Unix milliseconds by Redis' clock.
    pub since: i64,
}

/// What the script answered.
pub struct Stored {
    pub event: Arc<StatusEvent>,
    /// Nodes that watch the session.
    pub nodes: u64,
    pub created: bool,
    pub repeated: bool,
}

/// What the script did.
enum Fate {
    Published(Stored),
    /// Nothing: there is no such session, and it was to make none.
    Unknown,
    /// Nothing: another node had brought the same message.
    Heard,
}

const CREATE: &str = include_str!("create.lua");
/// A session that is gone gets no field: it would be a key that nothing removes. Where Redis refuses to write, at its
/// memory limit, nobody counts it.
const FALLS_BACK: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    local first = redis.pcall('HSETNX', KEYS[1], 'f', 1)
    return type(first) == 'number' and first or 0";
const HELD: &str = include_str!("held.lua");
const POLL: &str = include_str!("poll.lua");
const PUBLISH: &str = include_str!("publish.lua");
const RENUMBER: &str = include_str!("renumber.lua");

impl Store {
    pub fn new(address: &Address, limits: HistoryLimits, abandon_after_ms: i64) -> Result<Store, RedisError> {
        Ok(Store {
            commands: Commands::new(address.clone())?,
            health: RedisHealth::new(),
            scripts: Arc::new(Scripts {
                create: Script::new(CREATE),
                falls_back: Script::new(FALLS_BACK),
                held: Script::new(HELD),
                poll: Script::new(POLL),
                publish: Script::new(PUBLISH),
                renumber: Script::new(RENUMBER),
            }),
            limits,
            abandon_after_ms,
            in_cluster: matches!(address, Address::Cluster(_)),
            life: RandomState::new().hash_one(0u8),
            sent: Arc::default(),
        })
    }

    /// Notes in the health what every answer says about Redis.
    pub fn noted<T>(&self, result: Result<T, RedisError>) -> Result<T, BrokerError> {
        // In a cluster one answer tells of one shard: the others' sessions go on.
        let note = |trouble| {
            if !self.in_cluster {
                self.health.note(Part::Commands, trouble);
            }
        };
        match result {
            Ok(value) => {
                note(None);
                Ok(value)
            }
            Err(error) if is_out_of_memory(&error) => {
                // It answers, and what only reads goes on: it is not away.
                note(None);
                self.health.refused_to_write();
                Err(BrokerError::OutOfMemory)
            }
            Err(error) => {
                self.commands.mend(&error);
                note(Some(error.to_string()));
                Err(BrokerError::Away(error.to_string()))
            }
        }
    }

    /// Asks again while commands fail, so that the node is ready as soon as Redis is, also if nobody publishes.
    pub async fn recover(self) {
        let mut pause = tokio::time::interval(RECOVERY);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            if self.health.is_troubled(Part::Commands) {
                let mut connection = self.commands.connection();
                // The answer is noted, and nothing else is wanted of it.
                let _ = self.noted(::redis::cmd("PING").query_async::<()>(&mut connection).await);
            }
        }
    }

    /// A session without an event. `false`: it was there.
    pub async fn create(&self, session: &SessionId) -> Result<bool, BrokerError> {
        let epoch = Epoch(u64::try_from(clock::now_us()).unwrap_or(0)).to_string();
        let arguments = [epoch, (self.abandon_after_ms + self.limits.age_ms).to_string()];
        let keys = [wire::state_key(session), wire::history_key(session)];
        let answer = self.commands.run((&self.scripts.create, CREATE), &keys, &arguments).await;
        let new = self.noted::<u8>(answer)?;
        self.health.wrote();
        Ok(new == 1)
    }

    pub async fn current(&self, session: &SessionId) -> Result<Option<Current>, BrokerError> {
        let mut connection = self.commands.connection_of(&wire::state_key(session));
        let (epoch, seq, latest): (Option<String>, Option<u64>, Option<String>) =
            self.noted(connection.hmget(wire::state_key(session), &["e", "n", "c"]).await)?;
        Ok(read_current(session, epoch, seq, latest))
    }

    /// The same for a poller; with it for how long its poll stands (ms), and how many nodes have streams of the session.
    pub async fn poll(
        &self,
        session: &SessionId,
        interval_ms: u32,
    ) -> Result<Option<(Current, u64, u64)>, BrokerError> {
        type Row = (Option<String>, Option<u64>, Option<String>, Option<i64>, i64, u64);
        let keys = [wire::state_key(session), wire::channel(session)];
        let watching = if self.in_cluster { "SHARDNUMSUB" } else { "NUMSUB" };
        let arguments = [interval_ms.to_string(), watching.to_owned()];
        let answer = self.commands.run((&self.scripts.poll, POLL), &keys, &arguments).await;
        let (epoch, seq, latest, until, now, nodes): Row = self.noted(answer)?;
        // Without a time the poll was not kept.
        let followed_ms = if now == 0 { 0 } else { followed_by_poll(until, now, interval_ms) };
        Ok(read_current(session, epoch, seq, latest).map(|current| (current, followed_ms, nodes)))
    }

    /// `true`: the first time that it is said.
    pub async fn falls_back(&self, session: &SessionId) -> Result<bool, BrokerError> {
        let keys = [wire::state_key(session)];
        let answer = self.commands.run((&self.scripts.falls_back, FALLS_BACK), &keys, &[]).await;
        Ok(self.noted::<u8>(answer)? == 1)
    }

    /// State and history, of the same moment.
    pub async fn held(&self, session: &SessionId) -> Result<Option<SessionHistory>, BrokerError> {
        type Row = (Option<String>, Option<u64>, Option<String>, Vec<String>);
        let keys = [wire::state_key(session), wire::history_key(session)];
        let answer = self.commands.run((&self.scripts.held, HELD), &keys, &[]).await;
        let (epoch, seq, latest, messages): Row = self.noted(answer)?;
        let Some(epoch) = epoch.as_deref().and_then(parse_epoch) else { return Ok(None) };
        let oldest = clock::now_ms() - self.limits.age_ms;
        let mut events: VecDeque<_> = messages
            .iter()
            .filter_map(|message| wire::parse(session, message))
            .map(|(event, _)| event)
            .collect();
        // An unreadable entry would be a hole: keep only the unbroken run at the end.
        let top = seq.unwrap_or(0);
        let run =
            events.iter().rev().zip(0u64..).take_while(|(e, back)| e.id.seq + back == top && e.at >= oldest);
        let run = run.count();
        events.drain(..events.len() - run);
        let current = latest.and_then(|message| wire::parse(session, &message)).map(|(event, _)| event);
        Ok(Some(SessionHistory { epoch, top, current, events }))
    }

    pub async fn publish(
        &self,
        session: &SessionId,
        say: Publication,
        key: Option<&str>,
    ) -> Result<Stored, BrokerError> {
        let (draft, must_exist) = match say {
            Publication::Status(draft) => (draft, true),
            Publication::First(draft) => (draft, false),
            Publication::End { outcome, message } => {
                let last = self.current(session).await?.ok_or(BrokerError::Unknown)?;
                let draft = Draft::ending(outcome, message, last.event.as_deref())?;
                return match self.run_publish(session, &draft, true, key, None).await? {
                    Fate::Published(told) => Ok(told),
                    Fate::Unknown => Err(BrokerError::Unknown),
                    Fate::Heard => Err(BrokerError::Ended),
                };
            }
        };
        match self.run_publish(session, &draft, must_exist, key, None).await? {
            Fate::Published(told) => Ok(told),
            Fate::Unknown => Err(BrokerError::NotBegun(Box::new(draft))),
            Fate::Heard => Err(BrokerError::Ended),
        }
    }

    /// The same for what a back end published by itself, which may be the first event of its session. `None`: another node
    /// was first to bring it.
    pub async fn take_in(
        &self,
        session: &SessionId,
        draft: Draft,
        is_first: bool,
        claim: &Claim,
    ) -> Result<Option<Stored>, BrokerError> {
        match self.run_publish(session, &draft, !is_first, None, Some(claim)).await? {
            Fate::Published(told) => Ok(Some(told)),
            Fate::Unknown => Err(BrokerError::NotBegun(Box::new(draft))),
            Fate::Heard => Ok(None),
        }
    }

    async fn run_publish(
        &self,
        session: &SessionId,
        draft: &Draft,
        must_exist: bool,
        key: Option<&str>,
        claim: Option<&Claim>,
    ) -> Result<Fate, BrokerError> {
        let accepted_us = clock::now_us();
        // On a cluster a command whose answer was lost with its connection is sent again, where it may have been obeyed.
        let own = (self.in_cluster && key.is_none() && claim.is_none()).then(|| {
            wire::sent_key(session, &format!("{:x}-{:x}", self.life, self.sent.fetch_add(1, Relaxed)))
        });
        let ends = draft.state.has_ended();
        let live_ms = if ends { self.limits.age_ms } else { self.abandon_after_ms + self.limits.age_ms };
        let keys = [
            wire::state_key(session),
            wire::history_key(session),
            own.clone().unwrap_or_else(|| wire::idempotency_key(session, key.unwrap_or(""))),
            wire::channel(session),
            wire::claim_key(session, claim.map_or("", |claim| &claim.digest)),
        ];
        let once_ms = if key.is_some() { Some(self.limits.age_ms) } else { own.as_ref().map(|_| AGAIN_MS) };
        let flag = |is: bool| u8::from(is).to_string();
        let arguments = [
            Epoch(u64::try_from(accepted_us).unwrap_or(0)).to_string(),
            wire::payload(draft, accepted_us / 1_000),
            flag(ends),
            flag(must_exist),
            self.limits.events.to_string(),
            live_ms.to_string(),
            accepted_us.to_string(),
            once_ms.map(|ms| ms.to_string()).unwrap_or_default(),
            self.verb().to_owned(),
            claim.map(|claim| claim.bringer.clone()).unwrap_or_default(),
            claim.map(|claim| claim.number.to_string()).unwrap_or_default(),
            CLAIM.as_millis().to_string(),
            claim.map(|claim| claim.since.to_string()).unwrap_or_default(),
            SAME_MS.to_string(),
        ];
        let answer = self.commands.run((&self.scripts.publish, PUBLISH), &keys, &arguments).await;
        let (fate, message, nodes, created): (String, String, u64, u8) = self.noted(answer)?;
        match fate.as_str() {
            "ended" => return Err(BrokerError::Ended),
            "unknown" => return Ok(Fate::Unknown),
            "heard" => return Ok(Fate::Heard),
            "published" => self.health.wrote(),
            _ => {}
        }
        let unreadable = || BrokerError::Away("Redis holds a message that this version cannot read".into());
        let (event, _) = wire::parse(session, &message).ok_or_else(unreadable)?;
        let repeated = own.is_none() && fate == "repeated";
        Ok(Fate::Published(Stored { event, nodes, created: created == 1, repeated }))
    }

    /// The session's latest events were lost with a failover: begins a new epoch, unless another node has done so.
    /// `lost`: the one in Redis; `told`: the one that followers know.
    pub async fn renumber(&self, session: &SessionId, lost: Epoch, told: Epoch) -> Result<(), BrokerError> {
        let now = u64::try_from(clock::now_us()).unwrap_or(0);
        let next = Epoch(now.max(lost.0 + 1).max(told.0 + 1));
        let keys = [wire::state_key(session), wire::history_key(session), wire::channel(session)];
        let arguments = [lost.to_string(), next.to_string(), self.verb().to_owned()];
        let answer = self.commands.run((&self.scripts.renumber, RENUMBER), &keys, &arguments).await;
        if self.noted::<u8>(answer)? == 1 {
            tracing::warn!(%session, "Redis lost the session's latest events: it goes on in a new epoch");
        }
        Ok(())
    }

    /// Bytes that Redis uses; on a cluster, all primaries together. `None`: it does not tell.
    pub async fn memory(&self) -> Result<Option<u64>, BrokerError> {
        let mut connection = self.commands.connection();
        let answer: Value =
            self.noted(::redis::cmd("INFO").arg("memory").query_async(&mut connection).await)?;
        // A cluster's answer is a map from each node to what it says.
        let told = match answer {
            Value::Map(nodes) => nodes.into_iter().map(|(_, told)| told).collect(),
            told => vec![told],
        };
        let used = told.into_iter().filter_map(|told| {
            let told: String = from_redis_value(told).ok()?;
            let line = told.lines().find_map(|line| line.strip_prefix("used_memory:"))?;
            line.trim().parse::<u64>().ok()
        });
        Ok(used.reduce(|sum, bytes| sum + bytes))
    }

    /// On a cluster a message goes to the nodes of its session's shard alone.
    fn verb(&self) -> &'static str {
        if self.in_cluster { "SPUBLISH" } else { "PUBLISH" }
    }
}

fn read_current(
    session: &SessionId,
    epoch: Option<String>,
    seq: Option<u64>,
    latest: Option<String>,
) -> Option<Current> {
    epoch.as_deref().and_then(parse_epoch).map(|epoch| Current {
        id: EventId { epoch, seq: seq.unwrap_or(0) },
        event: latest.and_then(|message| wire::parse(session, &message)).map(|(event, _)| event),
    })
}

/// Inside a script Redis 6 puts the code behind one of its own.
fn is_out_of_memory(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.to_string().contains("OOM command not allowed")
}

fn parse_epoch(text: &str) -> Option<Epoch> {
    u64::from_str_radix(text, 16).ok().map(Epoch)
}
