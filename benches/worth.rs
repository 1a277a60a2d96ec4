//! `cargo bench --bench worth`: what streaming is worth with the epic's workload, measured by the server itself in both
//! cohorts: 30-minute sessions with an event every 10 s, one follower each, half of them told to poll every 3 s. All
//! times are shortened by the same factor (`SCALE`, 12: the run takes 2.5 minutes), so what is compared keeps its ratios.
//!
//! `SESSIONS`, `SCALE`, `MINUTES` and `EVENT_SECONDS` change the load.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on should say where")]

mod server;

use futures::StreamExt;
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use server::{Folder, Server, setting};
use std::{process::ExitCode, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (sessions, scale) = (setting("SESSIONS", 60), setting("SCALE", 12));
    let (minutes, every) = (setting("MINUTES", 30), setting("EVENT_SECONDS", 10));
    let scaled = |seconds: u64| Duration::from_millis(seconds * 1_000 / scale);
    let (poll, heartbeat) = (scaled(3).as_millis().to_string(), scaled(15).as_millis().to_string());
    let folder = Folder::new();
    let flags = ["--control-group-percent", "50", "--poll-interval-ms", &poll, "--heartbeat-ms", &heartbeat];
    let server = Server::start(&folder, &flags).await;
    let publisher = Client::builder().pool_max_idle_per_host(usize::MAX).build().expect("a client");
    println!(
        "{sessions} sessions of {minutes} min, an event every {every} s, polls every 3 s, all {scale} times faster"
    );
    let events = minutes * 60 / every;
    let runs = (0..sessions).map(|_| {
        let (publisher, base) = (publisher.clone(), server.base.clone());
        async move {
            let created: Value = post(&publisher, format!("{base}/api/v1/sessions"), json!({})).await;
            let (poll_url, stream_url) = (text(&created, "poll_url"), text(&created, "stream_url"));
            let follower = if created["cohort"] == "poll" {
                tokio::spawn(polls(format!("{base}{poll_url}"), scaled(3)))
            } else {
                tokio::spawn(streams(format!("{base}{stream_url}")))
            };
            let start = Instant::now();
            for number in 1..=events {
                sleep_until(start + scaled(every) * u32::try_from(number).expect("few")).await;
                let body = json!({ "stage": "transcribing", "progress": number * 100 / events,
                                   "message": format!("minute {} of {minutes}", number * every / 60) });
                post(&publisher, format!("{base}{poll_url}"), body).await;
            }
            let complete = poll_url.replace("/status", "/complete");
            post(&publisher, format!("{base}{complete}"), json!({ "outcome": "completed" })).await;
            follower.await.expect("no panic");
        }
    });
    futures::future::join_all(runs).await;
    // The last bucket closes and is stored.
    sleep(Duration::from_secs(13)).await;
    let answer = publisher.get(format!("{}/api/admin/metrics?range=1h&step=3600", server.base)).send().await;
    let metrics: Value = answer.expect("an answer").json().await.expect("JSON");
    let row = sum(&metrics["rows"]);
    let panels = publisher.get(format!("{}/api/admin/panels", server.base)).send().await.expect("an answer");
    let panels: Value = panels.json().await.expect("JSON");
    let per = |what: &str| row(&format!("{what}_cohort_requests")) / row(&format!("{what}_cohort_seconds"));
    let bytes = |what: &str| row(&format!("{what}_cohort_bytes")) / row(&format!("{what}_cohort_seconds"));
    let requests = (1.0 - per("stream") / per("poll")) * 100.0;
    let bandwidth = (1.0 - bytes("stream") / bytes("poll")) * 100.0;
    let hour = 3_600.0 / scale as f64;
    println!(
        "requests a session hour: polling {:.0}, streaming {:.1}",
        per("poll") * hour,
        per("stream") * hour
    );
    println!(
        "kB a session hour: polling {:.0}, streaming {:.1}",
        bytes("poll") * hour / 1e3,
        bytes("stream") * hour / 1e3
    );
    let even = panels["breakEven"].as_f64().map(|seconds| seconds * scale as f64);
    println!(
        "break-even: sessions shorter than {:.0} s take fewer bytes by polling",
        even.unwrap_or(f64::NAN)
    );
    let good = requests >= 95.0 && bandwidth >= 80.0;
    println!(
        "{}: request reduction {requests:.2} % (at least 95), bandwidth reduction {bandwidth:.2} % (at least 80), both cohorts measured",
        if good { "pass" } else { "FAIL" }
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A counter over all rows: the run may cross an hour.
fn sum(rows: &Value) -> impl Fn(&str) -> f64 {
    let rows = rows.as_array().expect("rows").clone();
    move |name| rows.iter().filter_map(|row| row[name].as_f64()).sum()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().expect(key).to_owned()
}

async fn post(client: &Client, url: String, body: Value) -> Value {
    let answer = client.post(url).json(&body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.expect("JSON")
}

/// One browser's EventSource.
async fn streams(url: String) {
    let answer =
        Client::new().get(url).header(header::ACCEPT, "text/event-stream").send().await.expect("a stream");
    let mut bytes = answer.bytes_stream();
    while let Some(Ok(_)) = bytes.next().await {}
}

/// One browser's timer, with the ETag of the last answer, on a connection that is kept.
async fn polls(url: String, every: Duration) {
    let (client, mut etag) = (Client::new(), String::new());
    let start = Instant::now();
    for number in 1.. {
        let answer = client.get(&url).header(header::IF_NONE_MATCH, &etag).send().await.expect("an answer");
        if let Some(value) = answer.headers().get(header::ETAG) {
            value.to_str().expect("text").clone_into(&mut etag);
        }
        if answer.status() == StatusCode::OK
            && answer.json::<Value>().await.expect("JSON")["state"] != "running"
        {
            return;
        }
        sleep_until(start + every * number).await;
    }
}
