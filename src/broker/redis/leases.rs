//! Streams of one user to one session, counted over all nodes. A place is leased for half a minute and renewed while
//! its stream is open, so a dead node holds none for ever.

use super::{store::Store, wire};
use crate::broker::{BrokerError, Lease};
use ::redis::{AsyncCommands, Script};
use futures::{StreamExt, future, stream};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::session::ids::SessionId;
use tokio::sync::mpsc;

/// How long a place stays taken after its node was last heard of.
const LIVES: Duration = Duration::from_secs(30);
const RENEWED: Duration = Duration::from_secs(10);
/// Returns that may wait. One that does not fit is not renewed, and runs out by itself.
const QUEUE: usize = 4_096;
/// Places given back or renewed at the same time. The connection sends them together, and a cluster each to its node.
const BATCH: usize = 500;

const LEASE: &str = include_str!("lease.lua");

#[derive(Clone)]
pub struct Leases {
    store: Store,
    script: Arc<Script>,
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
            script: Arc::new(Script::new(LEASE)),
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
        // Before the request: the follower may leave while the answer is on its way, and then it is given back too.
        let given_back = {
            let (held, returned) = (self.held.clone(), self.returned.clone());
            let (key, member) = (key.clone(), member.clone());
            Lease::new(move || {
                held.lock().remove(&member);
                let _ = returned.try_send((key, member));
            })
        };
        if !lease(&self.store, &self.script, &key, &member, most).await? {
            return Ok(None);
        }
        self.held.lock().insert(member, key);
        Ok(Some(given_back))
    }
}

async fn lease(
    store: &Store,
    script: &Script,
    key: &str,
    member: &str,
    most: u32,
) -> Result<bool, BrokerError> {
    let arguments = [member.to_owned(), most.to_string(), LIVES.as_millis().to_string()];
    let taken = store.commands.run((script, LEASE), &[key.to_owned()], &arguments).await;
    store.noted::<u8>(taken).map(|taken| taken == 1)
}

/// Renews what is held and gives back what is not, until nobody holds the table.
async fn keep(
    store: Store,
    script: Arc<Script>,
    held: std::sync::Weak<Mutex<HashMap<String, String>>>,
    mut queue: mpsc::Receiver<(String, String)>,
) {
    let mut renew = tokio::time::interval(RENEWED);
    let mut returned = Vec::new();
    loop {
        tokio::select! {
            count = queue.recv_many(&mut returned, BATCH) => {
                if count == 0 {
                    return;
                }
                // Not given back, they run out.
                future::join_all(returned.drain(..).map(|(key, member)| {
                    let mut connection = store.commands.connection_of(&key);
                    let store = &store;
                    async move { store.noted(connection.zrem::<_, _, ()>(key, member).await) }
                })).await;
            }
            _ = renew.tick() => {
                let Some(held) = held.upgrade() else { return };
                let all: Vec<(String, String)> = {
                    let held = held.lock();
                    held.iter().map(|(member, key)| (key.clone(), member.clone())).collect()
                };
                // Admitted followers stay admitted, also after Redis came back empty.
                let renewals = stream::iter(all).map(|(key, member)| {
                    let (store, script) = (&store, &script);
                    async move { lease(store, script, &key, &member, u32::MAX).await }
                });
                renewals.buffer_unordered(BATCH).for_each(|_| future::ready(())).await;
            }
        }
    }
}
