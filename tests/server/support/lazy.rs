use reqwest::Response;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Asked for a stream, and does not read it.
pub enum Lazy {
    Socket(TcpStream),
    /// The window of its stream fills up; the connection answers for itself.
    Multiplexed(Response),
}

/// `version`: `1.0`, `1.1` or `2`.
pub async fn lazy(port: u16, session: &str, version: &str) -> Lazy {
    lazy_from("XX", port, session, version).await
}

/// The same from a country, as a proxy names it in `cf-ipcountry`; `XX` is none.
pub async fn lazy_from(country: &str, port: u16, session: &str, version: &str) -> Lazy {
    let path = format!("/api/v1/sessions/{session}/status/stream");
    if version == "2" {
        let multiplexed =
            reqwest::Client::builder().http2_prior_knowledge().http2_initial_stream_window_size(65_535);
        let client = multiplexed.build().expect("a client");
        let request = client.get(format!("http://127.0.0.1:{port}{path}")).header("cf-ipcountry", country);
        return Lazy::Multiplexed(request.send().await.expect("an answer"));
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let mut socket = socket.connect(([127, 0, 0, 1], port).into()).await.expect("a connection");
    let head = format!(
        "GET {path} HTTP/{version}\r\nhost: localhost\r\naccept: text/event-stream\r\n\
         cf-ipcountry: {country}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    Lazy::Socket(socket)
}

impl Lazy {
    /// Reads at last: all that stayed, to the end of the stream or to where it is cut.
    pub async fn read_all(&mut self) -> String {
        let mut read = Vec::new();
        match self {
            Lazy::Socket(socket) => drop(socket.read_to_end(&mut read).await),
            Lazy::Multiplexed(response) => {
                while let Ok(Some(chunk)) = response.chunk().await {
                    read.extend_from_slice(&chunk);
                }
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }
}
