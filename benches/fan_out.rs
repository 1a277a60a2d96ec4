//! One session with many followers: how long until the last one has an event, against the time that the same number
//! of bare writes takes in the same run.
//!
//! `cargo bench --bench fan_out`; `FOLLOWERS` and `ROUNDS` change the load.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a benchmark, a panic is the message")]

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    env,
    io::{Read, Write},
    net::{self, SocketAddr, TcpListener},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

fn setting(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Times that of bare writes.
const BAR: f64 = 1.5;

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--floor") {
        floor();
        return ExitCode::SUCCESS;
    }
    let (followers, rounds) = (setting("FOLLOWERS", 10_000), setting("ROUNDS", 30));
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    // A private PostgreSQL runs as another user, who has to pass this folder.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("a folder that others may pass");

    let mut server = Server::start(folder.path());
    let stream = "GET /api/v1/sessions/wide/status/stream HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
    server.publish();
    let mut crowd = Crowd::gather(server.address, followers, stream.as_bytes());
    let streams: Vec<Duration> = (0..rounds).map(|_| crowd.time(|| server.publish())).collect();
    let bytes = crowd.last_bytes;
    drop(crowd);

    let mut floor = Floor::start(bytes);
    let mut crowd = Crowd::gather(floor.address, followers, b"x");
    let writes: Vec<Duration> = (0..rounds).map(|_| crowd.time(|| floor.write())).collect();

    let (streams, writes) = (median(streams), median(writes));
    println!("{followers} followers, {bytes} bytes an event, median of {rounds} rounds");
    println!("last delivery      {:>8.1} ms after the publisher began to ask", streams.as_secs_f64() * 1e3);
    println!("last bare write    {:>8.1} ms after it was asked for", writes.as_secs_f64() * 1e3);
    let ratio = streams.as_secs_f64() / writes.as_secs_f64();
    println!("ratio              {ratio:>8.2}   (at most {BAR})");
    if ratio <= BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Sockets that wait for the same thing.
struct Crowd {
    poll: Poll,
    sockets: Vec<TcpStream>,
    last_bytes: usize,
}

impl Crowd {
    /// Connects them, says `hello` and reads what comes at first.
    fn gather(address: SocketAddr, count: usize, hello: &[u8]) -> Crowd {
        let poll = Poll::new().expect("an epoll");
        let mut sockets = Vec::new();
        for index in 0..count {
            let mut socket = net::TcpStream::connect(address).expect("a connection");
            socket.write_all(hello).expect("sent");
            socket.set_nonblocking(true).expect("not blocking");
            let mut socket = TcpStream::from_std(socket);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE).expect("registered");
            sockets.push(socket);
            if index % 200 == 0 {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let mut crowd = Crowd { poll, sockets, last_bytes: 0 };
        crowd.quiet();
        crowd
    }

    /// Reads until nothing came for a second.
    fn quiet(&mut self) {
        let mut events = Events::with_capacity(4_096);
        loop {
            self.poll.poll(&mut events, Some(Duration::from_secs(1))).expect("events");
            if events.is_empty() {
                return;
            }
            for event in &events {
                drain(&mut self.sockets[event.token().0]);
            }
        }
    }

    /// From just before `cause` until every socket has read something.
    fn time(&mut self, cause: impl FnOnce() + Send) -> Duration {
        let mut events = Events::with_capacity(4_096);
        let mut had = vec![false; self.sockets.len()];
        let mut missing = had.len();
        let since = Instant::now();
        thread::scope(|scope| {
            scope.spawn(cause);
            while missing > 0 {
                self.poll.poll(&mut events, Some(Duration::from_secs(10))).expect("events");
                assert!(!events.is_empty(), "{missing} followers got nothing");
                for event in &events {
                    let index = event.token().0;
                    self.last_bytes = drain(&mut self.sockets[index]);
                    if !had[index] {
                        had[index] = true;
                        missing -= 1;
                    }
                }
            }
        });
        since.elapsed()
    }
}

fn drain(socket: &mut TcpStream) -> usize {
    let mut buffer = [0; 4_096];
    let mut read = 0;
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        read += count;
    }
    read
}

/// The release build, or what `STREAMGAUGE_BINARY` names.
struct Server {
    child: Child,
    address: SocketAddr,
    publisher: net::TcpStream,
    count: u64,
}

impl Server {
    fn start(folder: &std::path::Path) -> Server {
        let binary =
            env::var("STREAMGAUGE_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_streamgauge").to_owned());
        let address = free();
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &address.to_string(), "--max-connections", "19000", "--data-dir"]);
        let child = command.arg(folder.join("data")).stderr(Stdio::null()).spawn().expect("the server");
        Server { child, address, publisher: connected(address), count: 0 }
    }

    /// One event; returns once it is accepted.
    fn publish(&mut self) {
        self.count += 1;
        let body = format!(
            r#"{{"stage":"work","progress":{},"data":{{"n":"{:06}"}}}}"#,
            self.count % 100,
            self.count
        );
        let head = format!(
            "POST /api/v1/sessions/wide/status HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.publisher.write_all((head + &body).as_bytes()).expect("sent");
        let mut answer = [0; 1_024];
        let read = self.publisher.read(&mut answer).expect("an answer");
        assert!(answer[..read].starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        thread::sleep(Duration::from_millis(200));
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A process that writes to all its sockets when it is told to.
struct Floor {
    child: Child,
    address: SocketAddr,
    command: net::TcpStream,
}

impl Floor {
    fn start(bytes: usize) -> Floor {
        let address = free();
        let me = env::current_exe().expect("this program");
        let child = Command::new(me)
            .arg("--floor")
            .env("FLOOR_ADDRESS", address.to_string())
            .env("FLOOR_BYTES", bytes.to_string())
            .spawn()
            .expect("the floor");
        // The first connection gives the commands.
        Floor { child, address, command: connected(address) }
    }

    fn write(&mut self) {
        self.command.write_all(b"w").expect("told");
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn floor() {
    let address: SocketAddr = env::var("FLOOR_ADDRESS").unwrap().parse().unwrap();
    let message = vec![b'x'; env::var("FLOOR_BYTES").unwrap().parse().unwrap()];
    let listener = TcpListener::bind(address).expect("a listener");
    let (mut command, _) = listener.accept().expect("the one who commands");
    let (sender, sockets) = std::sync::mpsc::sync_channel(100_000);
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let _ = socket.set_nodelay(true);
            if sender.send(socket).is_err() {
                return;
            }
        }
    });
    let mut all: Vec<net::TcpStream> = Vec::new();
    let mut byte = [0];
    while command.read_exact(&mut byte).is_ok() {
        all.extend(sockets.try_iter());
        for socket in &mut all {
            let _ = socket.write(&message);
        }
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn connected(address: SocketAddr) -> net::TcpStream {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(socket) = net::TcpStream::connect(address) {
            let _ = socket.set_nodelay(true);
            return socket;
        }
        assert!(Instant::now() < deadline, "nothing listens on {address}");
        thread::sleep(Duration::from_millis(50));
    }
}
