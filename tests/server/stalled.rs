//! A follower that stops reading for longer than one may: its place becomes free, and it loses nothing by that.

use crate::support::{
    Client, Database, Launch, Memory, fresh, lazy, streams,
    words_of_http2::{asks, is_ping, pong},
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn publish(client: &Client, session: &str, n: u64) {
    let event = json!({ "stage": "work", "progress": 1, "data": { "n": n, "padding": "x".repeat(1_000) } });
    let answer = client.post(&format!("/api/v1/sessions/{session}/status")).json(&event).send().await;
    assert_eq!(answer.expect("an answer").status(), 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_for_a_minute_comes_back_to_all_of_it() {
    const BURST: u64 = 180;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("minute"));
    client.create(&session).await;
    let mut late = lazy(server.port, &session, "1.1").await;
    streams(&client, 1, 5).await;
    let (memory, since) = (Memory::of(&server), Instant::now());
    // More than the kernel holds for it.
    for n in 1..=BURST {
        publish(&client, &session, n).await;
    }
    let mut published = BURST;
    while since.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        published += 1;
        publish(&client, &session, published).await;
    }
    // The kernel gave up on it long ago.
    streams(&client, 0, 1).await;
    memory.is_back(&server, 3_000_000).await;

    // What was on its way, and the reset behind it.
    let text = late.read_all().await;
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let last = whole.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("some of it");
    let heard: u64 = last.split_once('-').and_then(|(_, seq)| seq.parse().ok()).expect("a number");
    assert!(heard < BURST, "it did stop");
    let mut back = client.resume(&session, last).await;
    for n in heard + 1..=published {
        assert_eq!(back.news().await.expect("an open stream").data["data"]["n"].as_u64(), Some(n));
    }
    drop(back);
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 1);
    database.accounts().await;
}

/// An HTTP/2 client that answers pings, and whose streams have no room.
async fn without_room(port: u16, path: &str) -> tokio::task::JoinHandle<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    socket.write_all(&asks(path)).await.expect("sent");
    tokio::spawn(async move {
        let mut head = [0; 9];
        while socket.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if socket.read_exact(&mut payload).await.is_err() {
                return;
            }
            if is_ping(&head) {
                let _ = socket.write_all(&pong(&payload)).await;
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_over_http2_that_gives_no_room_is_let_go() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("window"));
    publish(&client, &session, 1).await;
    let path = format!("/api/v1/sessions/{session}/status/stream");
    let stuck = without_room(server.port, &path).await;
    // What is no stream holds a connection in the same way.
    let poll = without_room(server.port, &format!("/api/v1/sessions/{session}/status")).await;
    let problem = without_room(server.port, "/api/v1/sessions/nobody/status").await;
    streams(&client, 1, 5).await;
    publish(&client, &session, 2).await;
    streams(&client, 0, 80).await;
    for one in [stuck, poll, problem] {
        let over = tokio::time::timeout(Duration::from_secs(80), one).await;
        over.expect("not for ever").expect("the connection is over");
    }
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 1);
    database.accounts().await;
}
