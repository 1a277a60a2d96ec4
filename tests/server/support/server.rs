use super::{Client, Database, PrivateFolder, Process, Redis, RedisCluster, RedisSentinels, eventually};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How a server is to be started.
pub struct Launch(Command);

impl Launch {
    /// `serve`, with nothing from this process's own environment.
    pub fn new() -> Launch {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("STREAMGAUGE_")) {
            command.env_remove(key);
        }
        // A test has no herd to spread.
        command.env("STREAMGAUGE_DRAIN_WINDOW_MS", "500");
        // A test that counts wants nothing counted that it did not cause; the probe's own test turns it on.
        command.env("STREAMGAUGE_PROBE_MS", "0");
        command.arg("serve").env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null());
        Launch(command)
    }

    /// On a port that is free, with this database.
    pub fn on(database: &Database) -> Launch {
        Launch::new().flag("listen", "127.0.0.1:0").flag("database-url", database.url())
    }

    /// On a port that is free, with a PostgreSQL of its own.
    pub fn private(folder: &PrivateFolder) -> Launch {
        let data_dir = folder.data_dir();
        Launch::new().flag("listen", "127.0.0.1:0").flag("data-dir", data_dir.display())
    }

    pub fn redis(self, redis: &Redis) -> Launch {
        self.flag("redis-url", redis.url())
    }

    pub fn sentinels(self, sentinels: &RedisSentinels) -> Launch {
        self.flag("redis-url", sentinels.url())
    }

    pub fn cluster(self, cluster: &RedisCluster) -> Launch {
        self.flag("redis-url", cluster.url())
    }

    pub fn flag(mut self, name: &str, value: impl ToString) -> Launch {
        self.0.arg(format!("--{name}")).arg(value.to_string());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.0.env(name, value);
        self
    }

    /// With such a limit of open files, as a shell sets it: `-S -n 256`.
    pub fn files(self, limit: &str) -> Launch {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit {limit} && exec \"$0\" \"$@\""));
        command.arg(self.0.get_program()).args(self.0.get_args());
        for (key, value) in self.0.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Launch(command)
    }

    pub fn in_folder(mut self, folder: &Path) -> Launch {
        self.0.current_dir(folder);
        self
    }

    fn spawn(mut self) -> Child {
        self.0.stderr(Stdio::piped()).spawn().expect("the server runs")
    }

    /// Waits until it listens.
    pub fn start(self) -> Server {
        self.begin().listening()
    }

    /// Does not wait: its port is not known.
    pub fn begin(self) -> Server {
        let mut child = self.spawn();
        let output = BufReader::new(child.stderr.take().expect("its log"));
        let server = Server { process: Process::new(child), port: 0, log: Arc::default() };
        let log = server.log.clone();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                log.lock().expect("the log").push_str(&(line + "\n"));
            }
        });
        server
    }

    /// For a start that must fail: the exit status and what was said.
    pub fn refused(self) -> (Option<i32>, String) {
        let mut child = self.spawn();
        let mut output = child.stderr.take().expect("its log");
        let mut process = Process::new(child);
        let status = process.exit_within(Duration::from_secs(20)).expect("the server refuses to start");
        let mut said = String::new();
        output.read_to_string(&mut said).expect("text");
        (status.code(), said)
    }
}

/// `streamgauge key`: what it says, and its exit status.
pub fn key(database: &Database, arguments: &[&str]) -> (String, Option<i32>) {
    key_at(&database.url(), arguments)
}

pub fn key_at(url: &str, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    command.arg("key").args(arguments).arg("--database-url").arg(url);
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (said.into_owned(), output.status.code())
}

/// Runs `streamgauge loadtest …` against the server. Answers what it said, and how it ended.
pub async fn load_test(server: &Server, arguments: &[&str]) -> (String, Option<i32>) {
    load_test_by("", server, arguments).await
}

/// With a key, as its environment gives it.
pub async fn load_test_by(key: &str, server: &Server, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    command
        .env("STREAMGAUGE_API_KEY", key)
        .arg("loadtest")
        .args(arguments)
        .args(["--url", &format!("http://127.0.0.1:{}", server.port)]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran");
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (said.into_owned(), output.status.code())
}

/// The binary under test, as a process of its own.
pub struct Server {
    process: Process,
    pub port: u16,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn listening(mut self) -> Server {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = self.log();
            let address = said.split_once("listens on http://").map(|(_, after)| after);
            let address = address.and_then(|after| after.split_once(';'));
            let port = address.and_then(|(address, _)| address.rsplit_once(':')?.1.parse().ok());
            if let Some(port) = port {
                self.port = port;
                return self;
            }
            let ended = self.process.exit_within(Duration::from_millis(5));
            assert!(ended.is_none(), "the server ended: {said}");
            assert!(Instant::now() < deadline, "the server does not listen: {said}");
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// The first line that contains the words: what a server says reaches a test after its answer, or before.
    pub async fn logged(&self, words: &str) -> String {
        eventually(words, 10, async || {
            self.log().lines().find(|line| line.contains(words)).map(str::to_owned)
        })
        .await
    }

    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn kill(mut self) {
        self.process.kill();
    }

    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    pub fn exit_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.process.exit_within(patience)
    }

    /// SIGTERM, and the good end that must follow it.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.exit_within(Duration::from_secs(15));
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", self.log());
    }

    /// Resident memory, bytes.
    pub fn memory(&self) -> u64 {
        let pid = self.pid().cast_signed();
        let stat = procfs::process::Process::new(pid).and_then(|process| process.stat()).expect("a process");
        stat.rss * procfs::page_size()
    }

    /// Resident memory that the server asked for, bytes: without the program's own pages, which come as its code first runs.
    pub fn allocated(&self) -> u64 {
        let pid = self.pid().cast_signed();
        let status =
            procfs::process::Process::new(pid).and_then(|process| process.status()).expect("a process");
        status.rssanon.expect("a kernel that tells") * 1_024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("The server on port {} said:\n{}", self.port, self.log());
        }
    }
}
