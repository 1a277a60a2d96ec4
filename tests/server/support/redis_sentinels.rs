use super::{Folder, Process, Redis, eventually};
use redis::aio::MultiplexedConnection;
use std::{
    collections::HashMap,
    fs::{self, File},
    net::TcpListener,
    process::Command,
};

/// How the Sentinels call the primary.
const NAME: &str = "main";
/// They log in as this, so that they can be kept out while everybody else is let in.
const USER: &str = "sentinel";

/// A primary, a replica and three Sentinels of one's own.
pub struct RedisSentinels {
    pub redis: [Redis; 2],
    sentinels: Vec<Sentinel>,
    /// Takes connections and answers nothing.
    mute: TcpListener,
}

struct Sentinel {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl RedisSentinels {
    /// The first is the primary. They know of each other, and a failover can begin.
    pub async fn start() -> RedisSentinels {
        let redis = [Redis::that_keeps(), Redis::that_keeps()];
        for one in &redis {
            one.ask(&["ACL", "SETUSER", USER, "on", ">secret", "allkeys", "allchannels", "+@all"]).await;
        }
        redis[1].replicate(&redis[0]).await;
        redis[1].caught_up(&redis[0]).await;
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(redis[0].port())).collect();
        for sentinel in &sentinels {
            eventually("the Sentinel runs", 10, async || sentinel.hurry().await).await;
        }
        for sentinel in &sentinels {
            eventually("the Sentinels know each other", 20, async || {
                let told = sentinel.told().await?;
                let is = |key: &str, number: &str| told.get(key).is_some_and(|told| told == number);
                (is("num-slaves", "1") && is("num-other-sentinels", "2") && is("flags", "master"))
                    .then_some(())
            })
            .await;
        }
        RedisSentinels { redis, sentinels, mute: TcpListener::bind("127.0.0.1:0").expect("a port") }
    }

    /// The first address leads nowhere, and at the second nobody answers.
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    pub fn url_of(&self, name: &str) -> String {
        let all: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        let mute = self.mute.local_addr().expect("its address");
        format!("redis-sentinel://127.0.0.1:1,{mute},{}/{name}", all.join(","))
    }

    /// No Sentinel reaches that Redis any more, as if a network between them were down; everybody else does.
    pub async fn cut_off(&self, redis: usize) {
        self.redis[redis].ask(&["ACL", "SETUSER", USER, "-@all"]).await;
    }

    pub async fn reach_again(&self, redis: usize) {
        self.redis[redis].ask(&["ACL", "SETUSER", USER, "+@all"]).await;
    }

    /// They have made it a replica.
    pub async fn demoted(&self, redis: usize) {
        eventually("the old primary is a replica", 20, async || {
            let told = self.redis[redis].try_ask(&["INFO", "replication"]).await.ok()?;
            told.contains("role:slave").then_some(())
        })
        .await;
    }

    /// They all name it.
    pub async fn promoted(&self, redis: usize) {
        for sentinel in &self.sentinels {
            eventually("the Sentinels name the new primary", 20, async || {
                let port = self.redis[redis].port().to_string();
                (sentinel.told().await?.get("port") == Some(&port)).then_some(())
            })
            .await;
        }
    }
}

impl Sentinel {
    fn start(primary: u16) -> Sentinel {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let folder = Folder::new("redis-sentinel");
        let (path, config) = (folder.path().display(), folder.path().join("sentinel.conf"));
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {path}\npidfile {path}/redis.pid\n\
             sentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
             sentinel auth-user {NAME} {USER}\nsentinel auth-pass {NAME} secret\n\
             sentinel down-after-milliseconds {NAME} 500\nsentinel failover-timeout {NAME} 2000\n"
        );
        fs::write(&config, text).expect("a configuration");
        let log = File::create(folder.path().join("redis.log")).expect("a log");
        let child = Command::new("redis-server").arg(config).arg("--sentinel").stdout(log).spawn();
        let child = child.expect("these tests need redis-server: install the Debian package `redis-server`");
        Sentinel { port, _process: Process::new(child), _folder: folder }
    }

    async fn connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("an address");
        client.get_multiplexed_async_connection().await.ok()
    }

    /// What it does every ten seconds or two, it does all the time. Before Redis 7 that cannot be set, and takes longer.
    async fn hurry(&self) -> Option<()> {
        let mut debug = redis::cmd("SENTINEL");
        debug.arg("DEBUG");
        for period in ["info-period", "ping-period", "ask-period", "publish-period"] {
            debug.arg(period).arg(200);
        }
        let _ = debug.query_async::<()>(&mut self.connect().await?).await;
        Some(())
    }

    /// What it knows of the primary. `None`: it is just starting.
    async fn told(&self) -> Option<HashMap<String, String>> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("MASTER").arg(NAME).query_async(&mut self.connect().await?).await.ok()
    }
}
