//! The node's places for connections, and which connections are closed when no place is free.
//!
//! A connection takes a place when it is accepted and gives it back when it ends, also as a parked stream. Connections
//! that hyper serves stand in a list, so that idle and unfinished ones can be closed for those that want something.

use super::limits::LiveLimits;
use crate::clock;
use futures::future::AbortHandle;
use parking_lot::Mutex;
use slab::Slab;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use streamgauge_core::{
    access::places::{Quiet, close_first, most_an_address, reserve, wanted},
    metric::region::Network,
    settings::limits::{Limit, network},
};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How often connections that may be closed are searched while no place is free.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The least time between two searches, if the first found too few connections.
const REST: Duration = Duration::from_millis(20);
/// How often the log names an address that is over its bound.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Tells since when nothing is due on a connection.
pub trait Watched: Send + Sync {
    /// Unix ms of the accept or of the last answer; `None` while an answer is made or a stream is open. A request whose
    /// body has not arrived counts as unfinished.
    fn quiet_since(&self) -> Option<i64>;
}

/// What the server knows of a connection, over any protocol.
pub struct Connection {
    accepted_at: i64,
    /// Only the reserve was free when it was accepted: it may publish, and read health and metrics, but nothing else.
    is_scarce: bool,
    is_loopback: bool,
    /// A publisher's key was accepted on it.
    publishes: AtomicBool,
    cut: AbortHandle,
    /// Set once the connection's protocol is known.
    watched: OnceLock<Arc<dyn Watched>>,
    /// Bounds what waits to be sent on it; made for the first answer that counts.
    room: OnceLock<Arc<Semaphore>>,
}

impl Connection {
    pub fn room(&self, make: impl FnOnce() -> Arc<Semaphore>) -> Arc<Semaphore> {
        self.room.get_or_init(make).clone()
    }

    pub fn is_scarce(&self) -> bool {
        self.is_scarce
    }

    /// A publisher's key was accepted: this connection is closed after all others.
    pub fn publishes(&self) {
        self.publishes.store(true, Relaxed);
    }

    /// Ends it at once, with every request on it.
    pub fn cut(&self) {
        self.cut.abort();
    }

    pub fn watch(&self, watched: Arc<dyn Watched>) {
        // A connection is served once.
        let _ = self.watched.set(watched);
    }

    fn quiet(&self, key: usize) -> Option<Quiet> {
        let since = self.watched.get().map_or(Some(self.accepted_at), |watched| watched.quiet_since())?;
        Some(Quiet { key, since, is_kept: self.is_loopback || self.publishes.load(Relaxed) })
    }
}

/// A connection's place, given back on drop.
pub struct Place {
    _permit: OwnedSemaphorePermit,
    /// Only where its address has a bound: this is kept for each open stream.
    _address: Option<Box<OfAddress>>,
}

/// A place that counts for no address.
impl From<OwnedSemaphorePermit> for Place {
    fn from(permit: OwnedSemaphorePermit) -> Place {
        Place { _permit: permit, _address: None }
    }
}

struct OfAddress {
    address: IpAddr,
    places: Places,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut addresses = self.places.0.addresses.lock();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Its entry in the list, taken out on drop.
pub struct Listed {
    key: usize,
    places: Places,
    pub connection: Arc<Connection>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.places.0.list.lock().try_remove(self.key);
    }
}

/// Its address has as many connections as one address may have.
#[derive(Debug, PartialEq, Eq)]
pub struct AddressFull;

#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    free: Arc<Semaphore>,
    /// Connections that are not parked streams.
    list: Mutex<Slab<Arc<Connection>>>,
    /// Connections by address, trusted proxies apart.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    trusted: Vec<Network>,
    limits: LiveLimits,
    walk: Pause,
    warning: Pause,
}

/// Limits how often something happens.
#[derive(Default)]
struct Pause(Mutex<Option<Instant>>);

impl Pause {
    fn is_over(&self) -> bool {
        self.0.lock().is_none_or(|until| Instant::now() >= until)
    }

    fn begin(&self, length: Duration) {
        *self.0.lock() = Some(Instant::now() + length);
    }
}

impl Places {
    /// `most`: connections at once. `trusted`: networks whose addresses stand for many clients and have no bound.
    pub fn new(most: usize, trusted: Vec<Network>, limits: LiveLimits) -> Places {
        Places(Arc::new(Inner {
            most,
            free: Arc::new(Semaphore::new(most)),
            list: Mutex::default(),
            addresses: Mutex::default(),
            trusted,
            limits,
            walk: Pause::default(),
            warning: Pause::default(),
        }))
    }

    /// Waits for a free place. While none is free, idle and unfinished connections are closed.
    pub async fn take(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            self.make_room();
            match timeout(LOOK_AGAIN, self.0.free.clone().acquire_owned()).await {
                Ok(permit) => return permit,
                Err(_) => continue,
            }
        }
    }

    /// Until all connections are over.
    pub async fn all_free(&self) {
        let all = u32::try_from(self.0.most).unwrap_or(u32::MAX);
        let _ = self.0.free.acquire_many(all).await;
    }

    /// Gives a connection its place and its entry in the list.
    pub fn admit(
        &self,
        permit: OwnedSemaphorePermit,
        address: IpAddr,
        cut: AbortHandle,
    ) -> Result<(Place, Listed), AddressFull> {
        let place = Place { _permit: permit, _address: self.count(address)? };
        let is_loopback = address.to_canonical().is_loopback();
        let connection = Arc::new(Connection {
            accepted_at: clock::now_ms(),
            is_scarce: !is_loopback && self.0.free.available_permits() < reserve(self.0.most),
            is_loopback,
            publishes: AtomicBool::new(false),
            cut,
            watched: OnceLock::new(),
            room: OnceLock::new(),
        });
        let key = self.0.list.lock().insert(connection.clone());
        Ok((place, Listed { key, places: self.clone(), connection }))
    }

    fn count(&self, address: IpAddr) -> Result<Option<Box<OfAddress>>, AddressFull> {
        let setting = self.0.limits.get(Limit::ConnectionsPerAddress);
        let Some(most) = most_an_address(setting, self.0.most) else { return Ok(None) };
        if self.0.trusted.iter().any(|network| network.holds(address)) {
            return Ok(None);
        }
        let address = network(address);
        let mut addresses = self.0.addresses.lock();
        let count = addresses.entry(address).or_default();
        if *count >= most {
            drop(addresses);
            if self.0.warning.is_over() {
                self.0.warning.begin(WARN_EVERY);
                tracing::warn!(%address, most, "an address has as many connections as one may have: more are refused");
            }
            return Err(AddressFull);
        }
        *count += 1;
        drop(addresses);
        Ok(Some(Box::new(OfAddress { address, places: self.clone() })))
    }

    /// Closes connections on which nothing is due, if places run short.
    fn make_room(&self) {
        let wanted = wanted(self.0.free.available_permits(), self.0.most);
        if wanted == 0 || !self.0.walk.is_over() {
            return;
        }
        let all: Vec<(usize, Arc<Connection>)> = {
            let list = self.0.list.lock();
            list.iter().map(|(key, connection)| (key, connection.clone())).collect()
        };
        let quiet = all.iter().filter_map(|(key, connection)| connection.quiet(*key)).collect();
        let go = close_first(quiet, clock::now_ms(), wanted);
        if go.len() < wanted {
            self.0.walk.begin(REST);
        }
        let list = self.0.list.lock();
        for connection in go.iter().filter_map(|key| list.get(*key)) {
            connection.cut();
        }
        if !go.is_empty() {
            tracing::debug!(
                closed = go.len(),
                "places run short: idle and unfinished connections are closed"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::settings::limits::Limits;

    struct Busy(bool);

    impl Watched for Busy {
        fn quiet_since(&self) -> Option<i64> {
            (!self.0).then_some(0)
        }
    }

    fn places(most: usize, per_address: u32, trusted: &str) -> Places {
        let limits = Limits { connections_per_address: per_address, ..Limits::default() };
        Places::new(most, Network::parse(trusted).into_iter().collect(), LiveLimits::new(&limits))
    }

    #[tokio::test]
    async fn an_address_has_a_bound_and_a_trusted_proxy_has_none() {
        let places = places(100, 3, "10.0.0.0/8");
        let connect = async |address: &str| {
            let permit = places.take().await.expect("a place");
            places.admit(permit, address.parse().expect("an address"), AbortHandle::new_pair().0)
        };
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(connect("192.0.2.1").await.expect("within the bound"));
        }
        assert_eq!(connect("192.0.2.1").await.err(), Some(AddressFull));
        held.push(connect("192.0.2.2").await.expect("another address"));
        for _ in 0..10 {
            held.push(connect("10.1.2.3").await.expect("a proxy stands for many"));
        }
        held.clear();
        assert!(places.0.addresses.lock().is_empty() && places.0.list.lock().is_empty());
        assert_eq!(places.0.free.available_permits(), 100);
    }

    #[tokio::test]
    async fn idle_connections_go_when_places_run_short_and_busy_ones_stay() {
        let places = places(8, 0, "::1");
        let mut held = Vec::new();
        for index in 0..8 {
            let permit = places.take().await.expect("a place");
            let (cut, registration) = AbortHandle::new_pair();
            let admitted = places.admit(permit, "192.0.2.1".parse().expect("an address"), cut.clone());
            let (place, listed) = admitted.expect("no bound");
            listed.connection.watch(Arc::new(Busy(index % 2 == 0)));
            held.push((place, listed, cut, registration));
            // All are young at first: nothing is closed for the later ones.
            assert!(held.iter().all(|(_, _, cut, _)| index < 4 || !cut.is_aborted() || index > 4));
        }
        places.make_room();
        let aborted: Vec<bool> = held.iter().map(|(_, _, cut, _)| cut.is_aborted()).collect();
        assert_eq!(aborted, [false, true, false, true, false, true, false, true]);
        assert!(held.iter().rev().take(3).all(|(_, listed, _, _)| listed.connection.is_scarce()));
    }
}
