//! One browser: a stream that is now and then cut and resumes, or polls.

use super::script::Chance;
use futures::StreamExt;
use reqwest::{Client, StatusCode, header};
use std::time::Duration;
use tokio::time::timeout;

/// Follows by SSE as an EventSource would: reconnects with the last id until it is told that it is over.
pub async fn streams(client: Client, url: String, region: &'static str, mut chance: Chance) {
    let mut last_id = String::new();
    loop {
        let mut request = client.get(&url).header(header::ACCEPT, "text/event-stream");
        request = request.header(super::REGION_HEADER, region);
        if !last_id.is_empty() {
            request = request.header("last-event-id", &last_id);
        }
        let Ok(answer) = request.send().await else { return };
        if answer.status() != StatusCode::OK {
            return;
        }
        // A tunnel, a closed lid: one stream in five is cut after a while.
        let stays =
            Duration::from_millis(if chance.percent(20) { chance.between(5_000, 60_000) } else { 3_600_000 });
        let mut over = false;
        let reading = async {
            let mut bytes = answer.bytes_stream();
            let mut line = Vec::new();
            while let Some(Ok(chunk)) = bytes.next().await {
                for byte in chunk {
                    if byte != b'\n' {
                        line.push(byte);
                        continue;
                    }
                    if let Some(id) = line.strip_prefix(b"id: ") {
                        last_id = String::from_utf8_lossy(id).into_owned();
                    }
                    over |= line == b"event: end";
                    line.clear();
                }
            }
        };
        let _ = timeout(stays, reading).await;
        if over {
            return;
        }
        tokio::time::sleep(Duration::from_millis(chance.between(1_500, 4_500))).await;
    }
}

/// Follows by asking every few seconds, with the ETag of the last answer.
pub async fn polls(client: Client, url: String, interval_ms: u32, mut chance: Chance) {
    let mut etag = String::new();
    // Browsers that opened the page at different times do not poll in step.
    tokio::time::sleep(Duration::from_millis(chance.between(0, u64::from(interval_ms)))).await;
    loop {
        let mut request = client.get(&url);
        if !etag.is_empty() {
            request = request.header(header::IF_NONE_MATCH, &etag);
        }
        let Ok(answer) = request.send().await else { return };
        if let Some(value) = answer.headers().get(header::ETAG).and_then(|value| value.to_str().ok()) {
            value.clone_into(&mut etag);
        }
        match answer.status() {
            StatusCode::NOT_MODIFIED => {}
            StatusCode::OK => {
                let Ok(status) = answer.json::<serde_json::Value>().await else { return };
                if status["state"] != "running" {
                    return;
                }
            }
            _ => return,
        }
        tokio::time::sleep(Duration::from_millis(u64::from(interval_ms))).await;
    }
}
