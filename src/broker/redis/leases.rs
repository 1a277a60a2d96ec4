//! Streams of one user to one session, counted over all nodes. A place is leased for half a minute and renewed while
//! its stream is open, so a dead node holds none for ever.

use super::{Store, wire};
use crate::broker::{BrokerError, Lease};
use ::redis::{Script, aio::ConnectionManager};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::ids::SessionId;
use tokio::sync::mpsc;

/// How long a place stays taken after its node was last heard of.
const LIVES: Duration = Duration::from_secs(30);
const RENEWED: Duration = Duration::from_secs(10);
/// Returns that may wait. One that does not fit is not renewed, and runs out by itself.
const QUEUE: usize = 4_096;
/// Places renewed in one round trip.
const BATCH: usize = 500;

#[derive(Clone)]
pub struct Leases {
    store: Store,
    script: Script,
    held: Held,
    /// This life of this node, as no other calls itself.
    node: u64,
    next: Arc<AtomicU64>,
    returned: mpsc::Sender<(String, String)>,
}

/// Members and their keys.
type Held = Arc<Mutex<HashMap<String, String>>>;

impl Leases {
    pub fn start(store: Store) -> Leases {
        let (returned, queue) = mpsc::channel(QUEUE);
        let leases = Leases {
            script: Script::new(include_str!("lease.lua")),
            held: Held::default(),
            node: RandomState::new().hash_one(0u8),
            next: Arc::default(),
            returned,
            store,
        };
        tokio::spawn(keep(leases.store.clone(), leases.script.clone(), Arc::downgrade(&leases.held), queue));
        leases
    }

    pub async fn take(
        &self,
        session: &SessionId,
        user: &str,
        most: u32,
    ) -> Result<Option<Lease>, BrokerError> {
        let key = wire::leases_key(session, user);
        let member = format!("{:x}-{:x}", self.node, self.next.fetch_add(1, Relaxed));
        let mut connection = self.store.connection.clone();
        let mut call = self.script.prepare_invoke();
        call.key(&key).arg(&member).arg(most).arg(LIVES.as_millis() as u64);
        let taken: u8 = self.store.noted(call.invoke_async(&mut connection).await)?;
        if taken == 0 {
            return Ok(None);
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(member.clone(), key.clone());
        let (held, returned) = (self.held.clone(), self.returned.clone());
        Ok(Some(Lease::new(move || {
            held.lock().unwrap_or_else(PoisonError::into_inner).remove(&member);
            let _ = returned.try_send((key, member));
        })))
    }
}

/// Renews what is held and gives back what is not, until nobody holds the table.
async fn keep(
    store: Store,
    script: Script,
    held: std::sync::Weak<Mutex<HashMap<String, String>>>,
    mut queue: mpsc::Receiver<(String, String)>,
) {
    let mut renew = tokio::time::interval(RENEWED);
    let mut returned = Vec::new();
    loop {
        let mut connection: ConnectionManager = store.connection.clone();
        tokio::select! {
            count = queue.recv_many(&mut returned, BATCH) => {
                if count == 0 {
                    return;
                }
                let mut pipe = ::redis::pipe();
                for (key, member) in returned.drain(..) {
                    pipe.zrem(key, member).ignore();
                }
                // Not given back, they run out.
                let _ = store.noted(pipe.query_async::<()>(&mut connection).await);
            }
            _ = renew.tick() => {
                let Some(held) = held.upgrade() else { return };
                let all: Vec<(String, String)> = {
                    let held = held.lock().unwrap_or_else(PoisonError::into_inner);
                    held.iter().map(|(member, key)| (key.clone(), member.clone())).collect()
                };
                for batch in all.chunks(BATCH) {
                    let mut pipe = ::redis::pipe();
                    pipe.load_script(&script).ignore();
                    for (key, member) in batch {
                        // Whoever is in stays in, also after Redis came back empty.
                        let mut call = script.prepare_invoke();
                        call.key(key).arg(member).arg(u32::MAX).arg(LIVES.as_millis() as u64);
                        pipe.invoke_script(&call).ignore();
                    }
                    if store.noted(pipe.query_async::<()>(&mut connection).await).is_err() {
                        break;
                    }
                }
            }
        }
    }
}
