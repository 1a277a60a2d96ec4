use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

/// Asks for the stream and then does not read it. `version`: `1.0` or `1.1`.
pub async fn lazy(port: u16, session: &str, version: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let mut socket = socket.connect(([127, 0, 0, 1], port).into()).await.expect("a connection");
    let head = format!(
        "GET /api/v1/sessions/{session}/status/stream HTTP/{version}\r\nhost: a\r\naccept: text/event-stream\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket
}
