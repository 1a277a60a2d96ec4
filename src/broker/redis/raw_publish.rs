//! What back ends publish to `session:{id}:status` by themselves, as they did before there was Streamgauge.
//!
//! Every node hears every such message, since a session that nobody follows yet must have a history too, and brings it
//! to the script, which heeds the first to bring it (`publish.lua`). So it needs no chosen node, whose end would lose
//! events. A message that comes while no node listens is lost: that is what PUBLISH promises.

use super::{
    store::{CLAIM, Claim, Store, Stored},
    wire,
};
use crate::{
    broker::{BrokerError, Published},
    measure::Recorder,
    store::Endings,
    stream::Hub,
};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use streamgauge_core::{
    metric::measure::counters::Counter,
    session::{
        ids::SessionId,
        plain::{BadPlain, Plain as Message},
    },
};
use tokio::sync::mpsc;

/// Messages taken in at the same time. A session has one worker, so its events stay in order.
const WORKERS: usize = 32;
/// Messages that may wait in a worker.
const QUEUE: usize = 1_024;
/// How often, and after which pause, a message is brought again that Redis did not take.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// A message that waited longer is left to the other nodes: nobody would know it for theirs any more.
const LATE: Duration = Duration::from_secs(CLAIM.as_secs() / 2);
/// How often it is said that messages are of no use.
const SAID: Duration = Duration::from_secs(10);

pub struct Plain {
    /// The operator wants them.
    heeded: bool,
    /// A link hears them. On a cluster any link would: a plain PUBLISH goes to all nodes.
    claimed: AtomicBool,
    /// This life of this node, as no other calls itself.
    node: u64,
    breaks: AtomicU64,
    hasher: RandomState,
    workers: Vec<mpsc::Sender<Brought>>,
    complaints: Arc<Complaints>,
}

/// Who hears plain messages, without a break.
pub struct Bringer {
    name: Arc<str>,
    number: u64,
    /// Unix milliseconds by Redis' clock.
    pub since: i64,
}

struct Brought {
    session: SessionId,
    payload: String,
    bringer: Arc<str>,
    number: u64,
    since: i64,
    heard: Instant,
}

impl Plain {
    /// `told`: what this node took in, to be counted.
    pub fn start(
        store: &Store,
        hub: &Hub,
        endings: &Endings,
        heeded: bool,
        told: &mpsc::Sender<Published>,
    ) -> Plain {
        let recorder = hub.recorder().clone();
        let complaints = Arc::new(Complaints { recorder, unsaid: AtomicU64::new(0), said: Mutex::default() });
        let worker = || {
            let (sender, queue) = mpsc::channel(QUEUE);
            let (store, hub, endings) = (store.clone(), hub.clone(), endings.clone());
            let (told, complaints) = (told.clone(), complaints.clone());
            tokio::spawn(Worker { store, hub, endings, told, complaints }.run(queue));
            sender
        };
        Plain {
            heeded,
            claimed: AtomicBool::new(false),
            node: RandomState::new().hash_one(0u8),
            breaks: AtomicU64::new(0),
            hasher: RandomState::new(),
            workers: (0..if heeded { WORKERS } else { 0 }).map(|_| worker()).collect(),
            complaints,
        }
    }

    /// For a link that would hear them. `None`: nobody shall, or another does.
    pub fn claim(&self) -> Option<Bringer> {
        let free = self.heeded && !self.claimed.swap(true, Relaxed);
        let name = || format!("{:x}-{:x}", self.node, self.breaks.fetch_add(1, Relaxed)).into();
        free.then(|| Bringer { name: name(), number: 0, since: i64::MAX })
    }

    pub fn release(&self) {
        self.claimed.store(false, Relaxed);
    }

    pub fn heard(&self, bringer: &mut Bringer, channel: &str, payload: Option<&str>) {
        bringer.number += 1;
        let Some(session) = wire::session_of_plain(channel) else {
            self.complaints.add(Counter::PlainBad, &"the channel names no session");
            return;
        };
        let Some(payload) = payload else {
            self.complaints.add(Counter::PlainBad, &"it is no text");
            return;
        };
        let index = self.hasher.hash_one(&session) as usize % WORKERS;
        let Bringer { name, number, since } = &*bringer;
        let (payload, bringer, heard) = (payload.to_owned(), name.clone(), Instant::now());
        let brought = Brought { session, payload, bringer, number: *number, since: *since, heard };
        if self.workers.get(index).is_some_and(|worker| worker.try_send(brought).is_err()) {
            self.complaints.add(Counter::PlainLost, &"they come faster than Redis takes them in");
        }
    }
}

struct Worker {
    store: Store,
    hub: Hub,
    endings: Endings,
    told: mpsc::Sender<Published>,
    complaints: Arc<Complaints>,
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Brought>) {
        while let Some(brought) = queue.recv().await {
            match self.take_in(&brought).await {
                Ok(Some(Stored { event, nodes, created, repeated })) => {
                    let here = self.hub.followers(&brought.session);
                    let subscribers = here + nodes.saturating_sub(u64::from(here > 0));
                    let _ = self.told.send(Published { event, subscribers, repeated, created }).await;
                }
                // Another node brought it first; or the session has ended, and says no more.
                Ok(None) | Err(Refused::Broker(BrokerError::Ended)) => {}
                Err(Refused::Bad(why)) => self.complaints.add(Counter::PlainBad, &why),
                Err(Refused::Broker(why)) => self.complaints.add(Counter::PlainLost, &why),
            }
        }
    }

    async fn take_in(&self, brought: &Brought) -> Result<Option<Stored>, Refused> {
        let message = Message::parse(&brought.payload)?;
        let digest = Sha256::digest(brought.payload.as_bytes());
        let digest = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let claim = Claim {
            digest,
            bringer: brought.bringer.to_string(),
            number: brought.number,
            since: brought.since,
        };
        let mut why = BrokerError::Away("it waited too long".into());
        for _ in 0..TRIES {
            if brought.heard.elapsed() > LATE {
                break;
            }
            match self.once(&brought.session, message.clone(), &claim).await {
                Err(Refused::Broker(error @ (BrokerError::Away(_) | BrokerError::OutOfMemory))) => {
                    why = error;
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
        Err(Refused::Broker(why))
    }

    async fn once(
        &self,
        session: &SessionId,
        message: Message,
        claim: &Claim,
    ) -> Result<Option<Stored>, Refused> {
        let last = match message.leans_on_the_last() {
            true => self.store.current(session).await?.and_then(|current| current.event),
            false => None,
        };
        let draft = message.draft(last.as_deref())?;
        self.hub.room(session).await;
        match self.store.take_in(session, draft, false, claim).await {
            Err(BrokerError::NotBegun(draft)) => {
                if self.endings.has(session).await {
                    return Err(BrokerError::Ended.into());
                }
                Ok(self.store.take_in(session, *draft, true, claim).await?)
            }
            told => Ok(told?),
        }
    }
}

/// Why a message was not taken in.
enum Refused {
    Bad(BadPlain),
    Broker(BrokerError),
}

impl From<BadPlain> for Refused {
    fn from(why: BadPlain) -> Refused {
        Refused::Bad(why)
    }
}

impl From<BrokerError> for Refused {
    fn from(why: BrokerError) -> Refused {
        Refused::Broker(why)
    }
}

/// Counts every one, and says so now and then: a back end in error sends thousands.
struct Complaints {
    recorder: Recorder,
    unsaid: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Complaints {
    fn add(&self, counter: Counter, why: &dyn std::fmt::Display) {
        self.recorder.add(counter, 1);
        self.unsaid.fetch_add(1, Relaxed);
        let mut said = self.said.lock();
        if said.is_some_and(|said| said.elapsed() < SAID) {
            return;
        }
        *said = Some(Instant::now());
        let messages = self.unsaid.swap(0, Relaxed);
        tracing::warn!(%why, messages, "passed over what was published to session:ID:status in Redis");
    }
}
