//! `cargo bench --bench delivery`: 500 streams over 50 sessions, 1,000 messages/s, for 30 s, against a server process
//! of its own. Latency runs from the moment a message was due to be sent (a late sender cannot hide a slow server)
//! to its arrival in the client. Every loss and repetition is found by the event's sequence number.
//!
//! `STREAMS`, `SESSIONS`, `RATE` and `SECONDS` change the load.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on should say where")]

mod server;

use futures::StreamExt;
use hdrhistogram::Histogram;
use reqwest::Client;
use server::{Folder, Server, setting};
use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What one follower saw.
#[derive(Default)]
struct Seen {
    received: u64,
    lost: u64,
    doubled: u64,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (streams, sessions) = (setting("STREAMS", 500), setting("SESSIONS", 50));
    let (rate, seconds) = (setting("RATE", 1_000), setting("SECONDS", 30));
    let folder = Folder::new();
    let mut server = Server::start(&folder, &[]).await;
    let base = server.base.clone();
    let client = Client::builder().pool_max_idle_per_host(usize::MAX).build().expect("a client");

    for session in 0..sessions {
        publish(&client, &base, session, 0, 0).await;
    }
    let latency = Arc::new(Mutex::new(Histogram::<u64>::new(3).expect("three digits")));
    let open = Arc::new(AtomicU64::new(0));
    let origin = Instant::now();
    let followers: Vec<_> = (0..streams)
        .map(|number| {
            let url = format!("{base}/api/v1/sessions/bench-{}/status/stream", number % sessions);
            tokio::spawn(follow(Client::new(), url, origin, latency.clone(), open.clone()))
        })
        .collect();
    timeout(Duration::from_secs(30), async {
        while open.load(Relaxed) < streams {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("all streams open");

    let cpu_before = server.cpu_seconds();
    let start = Instant::now();
    // A session's events leave in order, so each session has one sender with its share of the rate.
    let senders = (0..sessions).map(|session| {
        let (client, base) = (client.clone(), base.clone());
        async move {
            let count = rate * seconds / sessions;
            for number in 0..count {
                let offset = (number * sessions + session) as f64 / rate as f64;
                let due = start + Duration::from_secs_f64(offset);
                sleep_until(due).await;
                publish(&client, &base, session, number % 100, (due - origin).as_micros() as u64).await;
            }
            finish(&client, &base, session).await;
        }
    });
    futures::future::join_all(senders).await;
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = server.cpu_seconds() - cpu_before;
    let mut total = Seen::default();
    for follower in followers {
        let seen =
            timeout(Duration::from_secs(30), follower).await.expect("the stream ends").expect("no panic");
        total = Seen {
            received: total.received + seen.received,
            lost: total.lost + seen.lost,
            doubled: total.doubled + seen.doubled,
        };
    }
    server.stop();

    let latency = latency.lock().expect("not poisoned");
    let ms = |percentile| latency.value_at_percentile(percentile) as f64 / 1_000.0;
    let p95 = ms(95.0);
    println!(
        "{streams} streams, {sessions} sessions, {rate} messages/s for {seconds} s (took {elapsed:.1} s)"
    );
    println!("deliveries {}, lost {}, doubled {}", total.received, total.lost, total.doubled);
    println!("latency ms: p50 {:.2}, p95 {p95:.2}, p99 {:.2}, max {:.2}", ms(50.0), ms(99.0), ms(100.0));
    println!(
        "server CPU {:.1} % of one core, {:.1} µs a delivery",
        cpu / elapsed * 100.0,
        cpu * 1e6 / total.received as f64
    );
    let expected = rate * seconds / sessions * streams;
    let good = p95 < 100.0 && total.lost == 0 && total.doubled == 0 && total.received >= expected;
    println!("{}: p95 under 100 ms, none of {expected} lost", if good { "pass" } else { "FAIL" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn publish(client: &Client, base: &str, session: u64, progress: u64, due_us: u64) {
    let url = format!("{base}/api/v1/sessions/bench-{session}/status");
    let body = serde_json::json!({ "stage": "bench", "progress": progress, "data": { "due": due_us } });
    let answer = client.post(url).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
}

async fn finish(client: &Client, base: &str, session: u64) {
    let url = format!("{base}/api/v1/sessions/bench-{session}/complete");
    let answer = client
        .post(url)
        .json(&serde_json::json!({ "outcome": "completed" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
}

/// Reads to the stream's end.
async fn follow(
    client: Client,
    url: String,
    origin: Instant,
    latency: Arc<Mutex<Histogram<u64>>>,
    open: Arc<AtomicU64>,
) -> Seen {
    let answer = client.get(url).send().await.expect("a stream");
    let mut bytes = answer.bytes_stream();
    let (mut seen, mut last, mut line) = (Seen::default(), None::<u64>, Vec::new());
    while let Some(Ok(chunk)) = bytes.next().await {
        let now = origin.elapsed().as_micros() as u64;
        for byte in chunk {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if let Some(id) = text.strip_prefix("id: ") {
                let seq: u64 = id.split_once('-').expect("an id").1.parse().expect("a number");
                match last {
                    // The snapshot: from here on each event counts.
                    None => {
                        open.fetch_add(1, Relaxed);
                    }
                    Some(last) if seq <= last => seen.doubled += 1,
                    Some(last) => {
                        seen.lost += seq - last - 1;
                        seen.received += 1;
                    }
                }
                last = Some(seq);
            } else if let Some(due) = text.split("\"due\":").nth(1).filter(|_| seen.received > 0) {
                let due: u64 = due.split('}').next().expect("a number").parse().expect("a number");
                latency.lock().expect("not poisoned").record(now.saturating_sub(due)).expect("in range");
            }
            line.clear();
        }
    }
    seen.received -= 1; // The `end` does not count as a message.
    seen
}
