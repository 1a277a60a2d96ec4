//! The connection for commands: pipelined, shared by cloning, to one Redis or to a Redis Cluster.

use super::address::Address;
use ::redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Script, ServerErrorKind, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A Redis that does not answer for this long is away; a publisher is not kept waiting for it.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// How often a connection that does no good is replaced.
const RENEWED: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub enum Connection {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

/// Connecting, trying again and waiting for an answer, all together.
async fn patiently<T>(asked: RedisFuture<'_, T>) -> Result<T, RedisError> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late().into()))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(patiently(match self {
            Connection::One(connection) => connection.req_packed_command(cmd),
            Connection::Cluster(connection) => connection.req_packed_command(cmd),
        }))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(patiently(match self {
            Connection::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }))
    }

    fn get_db(&self) -> i64 {
        match self {
            Connection::One(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Cloning shares the connection.
#[derive(Clone)]
pub struct Commands(Arc<Inner>);

struct Inner {
    address: Address,
    current: Mutex<(Connection, Instant)>,
}

impl Commands {
    /// Connects in the background: a Redis that is away now is simply away.
    pub fn new(address: Address) -> Result<Commands, RedisError> {
        let current = Mutex::new((connect(&address)?, Instant::now()));
        Ok(Commands(Arc::new(Inner { address, current })))
    }

    pub fn connection(&self) -> Connection {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Runs a script. Not by [`Script::invoke_async`], which loads what is missing on **every** node of a cluster and so
    /// fails for all while one is away; what is missing here is missing on one node, after a failover or a restart.
    pub async fn run<T: ::redis::FromRedisValue>(
        &self,
        (script, text): (&Script, &str),
        keys: &[String],
        arguments: &[String],
    ) -> Result<T, RedisError> {
        let mut connection = self.connection();
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

    /// After an error that a new connection may mend: the address may lead elsewhere now, and a socket whose other end
    /// hangs never closes by itself. What is under way on the old connection is still waited for.
    pub fn mend(&self, error: &RedisError) {
        let role_lost = matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        );
        // Redis 6 puts the code of an error inside a script behind its own.
        let role_lost = role_lost || error.to_string().contains("READONLY");
        let in_cluster = matches!(self.0.address, Address::Cluster(_));
        use ServerErrorKind::{Ask, ClusterDown, ExecAbort, Moved, TryAgain};
        // What the client should have followed by itself, and did not.
        let led_on =
            matches!(error.kind(), ErrorKind::Server(Ask | ClusterDown | ExecAbort | Moved | TryAgain));
        let by_itself = error.is_connection_dropped() || error.is_connection_refusal();
        let broken =
            error.is_timeout() || role_lost || (in_cluster && (led_on || by_itself || error.is_io_error()));
        if !broken {
            return;
        }
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1.elapsed() < RENEWED {
            return;
        }
        match connect(&self.0.address) {
            Ok(connection) => *current = (connection, Instant::now()),
            Err(error) => tracing::warn!(%error, "no new connection to Redis could be prepared"),
        }
    }
}

fn connect(address: &Address) -> Result<Connection, RedisError> {
    match address {
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
