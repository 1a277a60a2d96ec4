//! The connection for commands: pipelined, shared by cloning, to one Redis or to a Redis Cluster.

use super::{
    address::Address,
    routes::{Map, Road},
};
use ::redis::{
    Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture, Script, ServerErrorKind, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

/// A Redis that does not answer for this long counts as unreachable; publishers do not wait longer.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
const UNNAMED: (ErrorKind, &str) = (ErrorKind::Client, "the Sentinels have not named a primary yet");
const UNROUTED: (ErrorKind, &str) = (ErrorKind::Client, "several commands at once go to no one slot");
/// How often a connection that fails is replaced.
const RENEWED: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub enum Connection {
    /// The Sentinels have not named a primary yet.
    Nowhere,
    One(ConnectionManager),
    Cluster(ClusterConnection),
    /// To the primary of one slot.
    Road(Routed),
}

/// A command for one slot, which goes straight to its primary. The library's cluster connection could
/// do it too, but while one primary hangs it reconnects to all of them again and again and delays all commands.
#[derive(Clone)]
pub struct Routed {
    road: Arc<Road>,
    commands: Commands,
}

impl Routed {
    async fn ask(&self, cmd: &Cmd) -> Result<Value, RedisError> {
        let Inner { line: cluster, map, .. } = &*self.commands.0;
        let line = self.road.line.as_ref().unwrap_or(cluster);
        let answer = line.get().req_packed_command(cmd).await.and_then(Value::extract_error);
        let Err(error) = &answer else { return answer };
        if error.is_timeout() {
            line.renew();
            map.refresh.notify_one();
            return answer;
        }
        if !(is_elsewhere(error) || is_broken_off(error)) {
            return answer;
        }
        // The cluster's connection finds out where to.
        map.refresh.notify_one();
        let answer = cluster.get().req_packed_command(cmd).await;
        if answer.as_ref().is_err_and(RedisError::is_timeout) {
            cluster.renew();
        }
        answer
    }
}

/// The slot has moved, is being moved, or is not assigned.
fn is_elsewhere(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, ClusterDown, ExecAbort, Moved, TryAgain};
    matches!(error.kind(), ErrorKind::Server(Ask | ClusterDown | ExecAbort | Moved | TryAgain))
}

fn is_broken_off(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_connection_refusal() || error.is_io_error()
}

/// The time for connecting, retrying and waiting for an answer together.
async fn patiently<T>(asked: RedisFuture<'_, T>) -> Result<T, RedisError> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late().into()))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Connection::Nowhere => Box::pin(ready(Err(UNNAMED.into()))),
            Connection::One(connection) => Box::pin(patiently(connection.req_packed_command(cmd))),
            Connection::Cluster(connection) => Box::pin(patiently(connection.req_packed_command(cmd))),
            Connection::Road(routed) => Box::pin(routed.ask(cmd)),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(patiently(match self {
            Connection::Nowhere => Box::pin(ready(Err(UNNAMED.into()))),
            Connection::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
            // Not sent: commands that belong together are a script.
            Connection::Road(_) => Box::pin(ready(Err(UNROUTED.into()))),
        }))
    }

    fn get_db(&self) -> i64 {
        match self {
            Connection::One(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
            Connection::Nowhere | Connection::Road(_) => 0,
        }
    }
}

/// Cloning shares the connection.
#[derive(Clone)]
pub struct Commands(Arc<Inner>);

struct Inner {
    line: Line,
    map: Arc<Map>,
    in_cluster: bool,
}

/// A connection that is replaced when it fails.
pub struct Line(Mutex<Current>);

struct Current {
    address: Address,
    connection: Connection,
    since: Instant,
}

impl Line {
    pub fn new(address: Address) -> Result<Line, RedisError> {
        let connection = connect(&address)?;
        Ok(Line(Mutex::new(Current { address, connection, since: Instant::now() })))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock()
    }

    fn get(&self) -> Connection {
        self.current().connection.clone()
    }

    /// Commands in flight on the old connection still get their answers.
    fn renew(&self) {
        let mut current = self.current();
        if current.since.elapsed() >= RENEWED {
            current.connect();
        }
    }

    fn lead_to(&self, info: &ConnectionInfo) {
        let mut current = self.current();
        if !matches!(&current.address, Address::One(old) if old.addr() == info.addr()) {
            tracing::info!(redis = %info.addr(), "the Sentinels name the primary");
            current.address = Address::One(info.clone());
            current.connect();
        }
    }
}

impl Current {
    fn connect(&mut self) {
        match connect(&self.address) {
            Ok(connection) => (self.connection, self.since) = (connection, Instant::now()),
            Err(error) => tracing::warn!(%error, "no new connection to Redis could be prepared"),
        }
    }
}

impl Commands {
    /// Connects in the background, so that an unreachable Redis does not delay the start.
    pub fn new(address: Address) -> Result<Commands, RedisError> {
        let in_cluster = matches!(address, Address::Cluster(_));
        Ok(Commands(Arc::new(Inner { line: Line::new(address)?, map: Arc::default(), in_cluster })))
    }

    pub fn map(&self) -> &Map {
        &self.0.map
    }

    /// The Sentinels have named this primary. From now on nothing goes to another, even if this one is unreachable: what an
    /// old primary accepts is lost.
    pub fn lead_to(&self, primary: &ConnectionInfo) {
        self.0.line.lead_to(primary);
    }

    /// For commands that are about no session.
    pub fn connection(&self) -> Connection {
        self.0.line.get()
    }

    /// For commands about what the key's session has.
    pub fn connection_of(&self, key: &str) -> Connection {
        match self.0.map.road_of_key(key) {
            Some(road) if road.line.is_some() => Connection::Road(Routed { road, commands: self.clone() }),
            _ => self.connection(),
        }
    }

    /// Runs a script. Not by [`Script::invoke_async`], which loads what is missing on **every** node of a cluster and so
    /// fails for all while one is away; what is missing here is missing on one node, after a failover or a restart.
    pub async fn run<T: ::redis::FromRedisValue>(
        &self,
        (script, text): (&Script, &str),
        keys: &[String],
        arguments: &[String],
    ) -> Result<T, RedisError> {
        let mut connection = keys.first().map_or_else(|| self.connection(), |key| self.connection_of(key));
        let call = |name: &str, script: &str| {
            let mut call = ::redis::cmd(name);
            call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            call
        };
        match call("EVALSHA", script.get_hash()).query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call("EVAL", text).query_async(&mut connection).await
            }
            result => result,
        }
    }

    /// Reconnects after an error that a new connection may fix: the address may resolve elsewhere now, and a socket whose
    /// other end hangs never closes by itself.
    pub fn mend(&self, error: &RedisError) {
        let role_lost = matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        );
        // Redis 6 puts the code of an error inside a script behind its own.
        let role_lost = role_lost || error.to_string().contains("READONLY");
        let broken = if self.0.in_cluster {
            // A primary that is known to hang has a log line of its own.
            let hangs = error.is_timeout();
            role_lost
                || is_elsewhere(error)
                || (is_broken_off(error) && !hangs)
                || (hangs && !self.knows_roads())
        } else {
            role_lost || error.is_timeout()
        };
        if broken {
            self.0.line.renew();
        }
    }

    fn knows_roads(&self) -> bool {
        !self.0.map.routes().roads().is_empty()
    }
}

fn connect(address: &Address) -> Result<Connection, RedisError> {
    match address {
        Address::Named(_) => Ok(Connection::Nowhere),
        Address::One(info) => {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE))
                .set_number_of_retries(1)
                .set_max_delay(Duration::from_secs(1));
            let client = ::redis::Client::open(info.clone())?;
            ConnectionManager::new_lazy_with_config(client, config).map(Connection::One)
        }
        Address::Cluster(seeds) => {
            let client = ClusterClient::builder(seeds.iter().cloned())
                .connection_timeout(PATIENCE)
                .response_timeout(PATIENCE)
                .overall_response_timeout(Some(PATIENCE))
                .retries(3)
                .min_retry_wait(20)
                .max_retry_wait(200)
                .build()?;
            Ok(Connection::Cluster(client.get_pending_async_connection_with_config(ClusterConfig::new())))
        }
    }
}
