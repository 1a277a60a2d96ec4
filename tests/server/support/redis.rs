use super::{Folder, Process};
use redis::aio::MultiplexedConnection;
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

    /// Starts it on the port and in the folder that it had.
    pub fn again(&mut self) {
        let folder = self.folder.path();
        let log = File::create(folder.join("redis.log")).expect("a log");
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(self.port.to_string()).args(["--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(folder).arg("--pidfile").arg(folder.join("redis.pid"));
        command.args(["--appendonly", if self.keeps { "yes" } else { "no" }]);
        let child = command.stdout(log).spawn();
        let child = child.expect("these tests need redis-server: install the Debian package `redis-server`");
        self.process = Some(Process::new(child));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "Redis does not start");
            sleep(Duration::from_millis(5));
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("an address");
        client.get_multiplexed_async_connection().await.expect("Redis")
    }
}
