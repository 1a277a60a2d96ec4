use super::Client;
use reqwest::StatusCode;
use std::{net::SocketAddr, os::fd::AsFd, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that are made at the same time: the kernel queues about 4,000.
const TOGETHER: usize = 500;

/// A stream as a bare socket, of which a test can hold thousands.
pub struct Bare {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Bare {
    pub async fn connect(port: u16) -> Bare {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Bare { socket: TcpStream::connect(address).await.expect("a connection"), read: Vec::new() }
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await
    }

    /// Asks for the session's stream. `version`: `1.0` or `1.1`.
    pub async fn ask(&mut self, session: &str, version: &str) {
        let head = format!(
            "GET /api/v1/sessions/{session}/status/stream HTTP/{version}\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n"
        );
        self.say(head).await.expect("sent");
    }

    /// Follows, and has heard the current status.
    pub async fn follow(port: u16, session: &str) -> Bare {
        let mut bare = Bare::connect(port).await;
        bare.ask(session, "1.1").await;
        bare.until("\nevent: status\n").await;
        bare
    }

    /// So many followers.
    pub async fn crowd(port: u16, session: &str, count: usize) -> Vec<Bare> {
        let mut crowd = Vec::with_capacity(count);
        while crowd.len() < count {
            let mut some = JoinSet::new();
            for _ in 0..TOGETHER.min(count - crowd.len()) {
                let session = session.to_owned();
                some.spawn(async move { Bare::follow(port, &session).await });
            }
            crowd.extend(some.join_all().await);
        }
        crowd
    }

    /// All that was read, once the text is in it.
    pub async fn until(&mut self, text: &str) -> String {
        loop {
            let read = String::from_utf8_lossy(&self.read).into_owned();
            if read.contains(text) {
                return read;
            }
            assert!(self.more().await > 0, "closed before {text}: {read}");
        }
    }

    /// Reads past the text, and forgets what came before it.
    pub async fn past(&mut self, text: &str) {
        self.until(text).await;
        self.read.clear();
    }

    /// The answer's status.
    pub async fn status(&mut self) -> StatusCode {
        let head = self.until("\r\n\r\n").await;
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// All that was read once the server has closed, by an end or a reset.
    pub async fn rest(&mut self) -> String {
        while self.more().await > 0 {}
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// What the next read brings, by itself.
    pub async fn piece(&mut self) -> String {
        self.read.clear();
        self.read.reserve(1 << 16);
        self.more().await;
        String::from_utf8_lossy(&self.read).into_owned()
    }

    async fn more(&mut self) -> usize {
        let reading = tokio::time::timeout(PATIENCE, self.socket.read_buf(&mut self.read)).await;
        reading.expect("no silence").unwrap_or(0)
    }

    /// From now on nothing reaches this end, not even for its kernel to acknowledge, as if its cable was pulled.
    pub fn vanish(&self) {
        let nothing = socket2::SockFilter::new(0x06, 0, 0, 0); // BPF_RET | BPF_K: keep no byte of any segment
        socket2::SockRef::from(&self.socket.as_fd()).attach_filter(&[nothing]).expect("a filter");
    }

    /// Closes with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("a reset at the end");
    }
}

/// As many streams as expected are open, within some seconds.
pub async fn streams(client: &Client, count: usize, seconds: u64) {
    super::eventually(&format!("{count} streams"), seconds, async || {
        (client.metrics().await["activeConnections"] == count).then_some(())
    })
    .await;
}
