use super::{Folder, Process};
use redis::{Value, aio::MultiplexedConnection};
use rustix::process::Signal;
use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A Redis Cluster of one's own: three primaries, and a replica for each if asked for.
pub struct RedisCluster {
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    process: Option<Process>,
    folder: Folder,
}

impl RedisCluster {
    pub fn start() -> RedisCluster {
        RedisCluster::new(3)
    }

    pub fn with_replicas() -> RedisCluster {
        RedisCluster::new(6)
    }

    /// Where a primary is away, the others go on with their slots.
    pub fn that_serves_what_is_left() -> RedisCluster {
        let cluster = RedisCluster::new(3);
        for node in &cluster.nodes {
            node.cli(&["config", "set", "cluster-require-full-coverage", "no"]);
        }
        cluster
    }

    fn new(count: usize) -> RedisCluster {
        let mut cluster = RedisCluster { nodes: (0..count).map(|_| Node::start()).collect() };
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let replicas = if count > 3 { "1" } else { "0" };
        create.args(["--cluster-replicas", replicas, "--cluster-yes"]).stdin(Stdio::null());
        let made =
            create.output().expect("these tests need redis-cli: install the Debian package `redis-tools`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        cluster.wait_until_ok();
        cluster
    }

    fn wait_until_ok(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.nodes.iter().filter(|node| node.process.is_some()).all(|node| {
            node.cli(&["cluster", "info"]).contains("cluster_state:ok")
                && !node.cli(&["info", "replication"]).contains("master_link_status:down")
        }) {
            assert!(Instant::now() < deadline, "the cluster does not come together");
            sleep(Duration::from_millis(50));
        }
    }

    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    /// The node that is the primary of the key's slot now.
    pub fn primary_of(&self, key: &str) -> usize {
        let alive = self.nodes.iter().find(|node| node.process.is_some()).expect("a node that runs");
        let slot: u32 = alive.cli(&["cluster", "keyslot", key]).trim().parse().expect("a slot");
        let owns = |line: &&str| {
            let fields: Vec<&str> = line.split(' ').collect();
            fields[2].contains("master")
                && !fields[2].contains("fail")
                && fields[8..].iter().any(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let bounds = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
                    bounds.is_some_and(|(first, last)| (first..=last).contains(&slot))
                })
        };
        let nodes = alive.cli(&["cluster", "nodes"]);
        let line = nodes.lines().find(owns).expect("an owner");
        let port = line.split(' ').nth(1).and_then(|at| at.split(['@', ':']).nth(1)).expect("a port");
        self.nodes.iter().position(|node| node.port.to_string() == port).expect("one of ours")
    }

    pub fn kill(&mut self, node: usize) {
        self.nodes[node].process.take().expect("it runs").kill();
    }

    /// It hangs: no answer, and no socket closes.
    pub fn freeze(&self, node: usize) {
        self.nodes[node].process.as_ref().expect("it runs").signal(Signal::STOP);
    }

    pub fn thaw(&self, node: usize) {
        self.nodes[node].process.as_ref().expect("it runs").signal(Signal::CONT);
    }

    pub fn again(&mut self, node: usize) {
        self.nodes[node].run();
    }

    /// Moves the slot of the key, with all that is in it, from its primary to another.
    pub fn move_slot_of(&self, key: &str) {
        let from = self.primary_of(key);
        let to = (0..3).find(|&node| node != from).expect("another");
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        let slot = from.cli(&["cluster", "keyslot", key]);
        let slot = slot.trim();
        let (source, target) = (from.cli(&["cluster", "myid"]), to.cli(&["cluster", "myid"]));
        to.cli(&["cluster", "setslot", slot, "importing", source.trim()]);
        from.cli(&["cluster", "setslot", slot, "migrating", target.trim()]);
        let port = to.port.to_string();
        loop {
            let keys = from.cli(&["cluster", "getkeysinslot", slot, "100"]);
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            for key in keys {
                from.cli(&["migrate", "127.0.0.1", &port, key, "0", "5000"]);
            }
        }
        for node in [to, from] {
            node.cli(&["cluster", "setslot", slot, "node", target.trim()]);
        }
    }

    /// Closes all connections by which commands come, and says how many that were.
    pub async fn cut_clients(&self) -> u64 {
        let mut cut = 0;
        for node in &self.nodes {
            let mut kill = redis::cmd("CLIENT");
            kill.arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
            cut += kill.query_async::<u64>(&mut node.connect().await).await.expect("Redis");
        }
        cut
    }

    /// What all nodes together answer to a command that lists.
    pub async fn list(&self, command: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            let mut ask = redis::cmd(command[0]);
            ask.arg(&command[1..]);
            let some: Vec<String> = ask.query_async(&mut node.connect().await).await.expect("Redis");
            all.extend(some);
        }
        all
    }

    /// As a back end does it that knows nothing of slots.
    pub async fn publish(&self, channel: &str, message: &str) {
        let mut publish = redis::cmd("PUBLISH");
        let mut connection = self.nodes[0].connect().await;
        let _: Value = publish.arg(channel).arg(message).query_async(&mut connection).await.expect("Redis");
    }
}

impl Node {
    fn start() -> Node {
        // The bus has its own port, 10,000 higher.
        let port = loop {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
            if free.port() < 55_000 && TcpListener::bind(("127.0.0.1", free.port() + 10_000)).is_ok() {
                break free.port();
            }
        };
        let mut node = Node { port, process: None, folder: Folder::new("redis-cluster") };
        node.run();
        node
    }

    fn run(&mut self) {
        let folder = self.folder.path();
        let log = File::create(folder.join("redis.log")).expect("a log");
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(self.port.to_string()).args(["--bind", "127.0.0.1", "--save", ""]);
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--appendonly", "yes"]);
        command.args(["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"]);
        command.arg("--dir").arg(folder).arg("--pidfile").arg(folder.join("redis.pid"));
        let child = command.stdout(log).spawn().expect("these tests need redis-server");
        self.process = Some(Process::new(child));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "Redis does not start");
            sleep(Duration::from_millis(5));
        }
    }

    fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-p").arg(self.port.to_string()).args(command).output();
        String::from_utf8(output.expect("redis-cli").stdout).expect("text")
    }

    async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("an address");
        client.get_multiplexed_async_connection().await.expect("Redis")
    }
}
