use super::{Folder, Process, eventually};
use redis::{RedisResult, aio::MultiplexedConnection};
use rustix::process::Signal;
use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// A Redis of one's own.
pub struct Redis {
    port: u16,
    keeps: bool,
    process: Option<Process>,
    folder: Folder,
}

impl Redis {
    /// Forgets everything when it ends.
    pub fn start() -> Redis {
        Redis::new(false)
    }

    /// Writes everything down.
    pub fn that_keeps() -> Redis {
        Redis::new(true)
    }

    fn new(keeps: bool) -> Redis {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut redis = Redis { port, keeps, process: None, folder: Folder::new("redis") };
        redis.again();
        redis
    }

    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// It hangs: no answer, and no socket closes.
    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Starts it on the port and in the folder that it had.
    pub fn again(&mut self) {
        let folder = self.folder.path();
        let log = File::create(folder.join("redis.log")).expect("a log");
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(self.port.to_string()).args(["--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(folder).arg("--pidfile").arg(folder.join("redis.pid"));
        // A replica is not waited for others to come.
        command.args(["--repl-diskless-sync-delay", "0"]);
        // By default Redis puts a write off for up to 2 s while the disk is busy. Here nothing may be lost with the process.
        command.args(["--appendonly", if self.keeps { "yes" } else { "no" }, "--appendfsync", "no"]);
        let child = command.stdout(log).spawn();
        let child = child.expect("these tests need redis-server: install the Debian package `redis-server`");
        self.process = Some(Process::new(child));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "Redis does not start");
            sleep(Duration::from_millis(5));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Becomes a replica.
    pub async fn replicate(&self, primary: &Redis) {
        self.ask(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]).await;
    }

    /// All that the primary was told so far is here too.
    pub async fn caught_up(&self, primary: &Redis) {
        eventually("the replica has caught up", 15, async || {
            let offset = async |redis: &Redis| {
                let told: String = redis.ask(&["INFO", "replication"]).await;
                told.lines().find_map(|line| line.strip_prefix("master_repl_offset:").map(str::to_owned))
            };
            let linked: String = self.ask(&["INFO", "replication"]).await;
            (linked.contains("master_link_status:up") && offset(self).await == offset(primary).await)
                .then_some(())
        })
        .await;
    }

    /// A replica becomes a primary, with what it has.
    pub async fn promote(&self) {
        self.ask(&["REPLICAOF", "NO", "ONE"]).await;
    }

    pub async fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).await.expect("Redis")
    }

    /// A Redis that is made a replica closes its connections.
    pub async fn try_ask(&self, command: &[&str]) -> RedisResult<String> {
        let mut ask = redis::cmd(command[0]);
        ask.arg(&command[1..]);
        let client = redis::Client::open(self.url())?;
        ask.query_async(&mut client.get_multiplexed_async_connection().await?).await
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("an address");
        client.get_multiplexed_async_connection().await.expect("Redis")
    }
}
