//! A follower that does not read costs itself its stream, and nobody else anything.

use crate::support::{Database, Launch, eventually, fresh};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

const EVENTS: u64 = 1_500;
/// With 7 kB each, far more than the kernel buffers for one connection.
const PADDING: usize = 7_000;

/// Asks for the stream and then does not read it.
async fn lazy(port: u16, session: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let mut socket = socket.connect(([127, 0, 0, 1], port).into()).await.expect("a connection");
    let head = format!(
        "GET /api/v1/sessions/{session}/status/stream HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_does_not_read_is_let_go() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("lazy"));
    client.create(&session).await;
    let mut quick = client.follow(&session).await;
    let (stuck, mut late) = (lazy(server.port, &session).await, lazy(server.port, &session).await);
    eventually("three followers", 5, async || {
        (client.metrics().await["activeConnections"] == 3).then_some(())
    })
    .await;
    let reading = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while numbers.len() < EVENTS as usize {
            let event = quick.news().await.expect("an open stream");
            numbers.push(event.data["data"]["n"].as_u64().expect("a number"));
        }
        (quick, numbers)
    });
    let before = server.memory();
    let padding = "x".repeat(PADDING);
    for n in 1..=EVENTS {
        let event = json!({ "stage": "work", "progress": 1, "data": { "n": n, "padding": padding } });
        let answer = client.post(&format!("/api/v1/sessions/{session}/status")).json(&event).send().await;
        assert_eq!(answer.expect("an answer").status(), 202);
    }
    let (quick, numbers) = reading.await.expect("the quick one");
    assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 40_000_000, "{grown} bytes for two followers that do not read");

    // One reads at last what was on its way, and is then closed; it comes back and is told what it missed.
    let mut read = Vec::new();
    late.read_to_end(&mut read).await.expect("the rest");
    let text = String::from_utf8_lossy(&read);
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!(!ids.is_empty() && (ids.len() as u64) < EVENTS, "{}", ids.len());
    let news = client.resume(&session, ids[ids.len() - 1]).await.news().await.expect("news");
    assert_eq!((news.name.as_str(), &news.data["reason"]), ("gap", &json!("evicted")));

    // The other one never reads: its seat is taken away all the same.
    eventually("only the quick one is left", 40, async || {
        (client.metrics().await["activeConnections"] == 1).then_some(())
    })
    .await;
    let metrics = client.metrics().await;
    assert_eq!(
        metrics["messageDeliveryFailures"], 2,
        "each lost the one event that did not fit; its stream then ended"
    );
    drop((stuck, quick));
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 2);
    let count = async |counter| database.counted(counter).await;
    let fates = count("delivered").await + count("dropped_slow").await + count("dropped_gone").await;
    assert_eq!(count("deliveries_due").await, fates + count("repeated").await);
}
