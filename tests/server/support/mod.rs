//! Servers, services and clients that the tests stand on. Whatever is started here ends with the test that holds it.

mod bare; // streams as bare sockets, by the thousand
mod client; // requests as a publisher and a poller make them
mod collector; // takes what OpenTelemetry is told
mod contract; // answers held against the API's document
mod folder; // where services keep their files
mod follower; // one stream, read event by event
mod lazy; // follows and does not read
mod loading; // a Redis that is not ready yet
mod memory; // back where it was, or not
mod mmdb; // an operator's GeoIP file
mod nginx; // an nginx of one's own
mod postgres; // a PostgreSQL for tests, and what is stored in it
mod process; // children that end with their test
mod proxy; // counts what passes
mod redis; // a Redis of one's own
mod redis_cluster; // a Redis Cluster of one's own
mod redis_sentinels; // a primary, a replica and Sentinels of one's own
mod scrape; // `/metrics`, read strictly
mod server; // the binary under test
mod shared; // one expensive thing for several tests
mod wait; // polling with a deadline
mod ways; // by a reactor, or by hyper
pub mod words_of_http2; // frames of HTTP/2, for clients that no library would be

pub use bare::{Bare, streams};
pub use client::{Client, body};
pub use collector::{Collector, attribute};
pub use contract::{Contract, Operation};
pub use folder::Folder;
pub use follower::{Event, Follower};
pub use lazy::{lazy, lazy_from};
pub use loading::Loading;
pub use memory::Memory;
pub use mmdb::write_mmdb;
pub use nginx::Nginx;
pub use postgres::{Database, PrivateFolder, run_at};
pub use process::Process;
pub use proxy::Proxy;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use redis_sentinels::RedisSentinels;
pub use scrape::{OPENMETRICS, Scrape};
pub use server::{Launch, Server, key, key_at, load_test, load_test_by};
pub use shared::Shared;
pub use wait::eventually;
pub(crate) use ways::by_each_way;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A session id that no other test uses.
pub fn fresh(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}", NEXT.fetch_add(1, Relaxed))
}
