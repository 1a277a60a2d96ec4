//! One browser: a stream that is now and then cut and resumes, or polls; and what its page reports of that.

use super::script::{BROWSERS, Chance};
use futures::StreamExt;
use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A page that follows one session.
pub struct Page {
    pub client: Client,
    pub base: String,
    pub session: String,
    pub poll_url: String,
    pub region: &'static str,
    pub chance: Chance,
}

impl Page {
    /// As its browser sends everything, from where it is.
    fn dressed(&self, request: RequestBuilder, agent: &str) -> RequestBuilder {
        request
            .header(super::REGION_HEADER, self.region)
            .header(header::USER_AGENT, agent)
            .header(header::REFERER, "https://meetings.example/recordings/8f3a91/transcript")
    }

    /// Follows by SSE as an EventSource would: reconnects with the last id until it is told that it is over. A few give
    /// the stream up for polling, and say why.
    pub async fn streams(mut self, stream_url: String, interval_ms: u32) {
        let agent = self.chance.pick(&BROWSERS);
        let url = format!("{}{stream_url}", self.base);
        let gives_up = self.chance.percent(if self.region == "ap-south" { 12 } else { 2 });
        let page = format!("d-{}", self.chance.between(1, 1_000_000_000));
        let (began, mut first_update, mut latencies) = (Instant::now(), None, Vec::new());
        let mut last_id = String::new();
        loop {
            let request = self.client.get(&url).header(header::ACCEPT, "text/event-stream");
            let mut request = self.dressed(request, agent);
            if !last_id.is_empty() {
                request = request.header("last-event-id", &last_id);
            }
            let Ok(answer) = request.send().await else { return };
            if answer.status() != StatusCode::OK {
                return;
            }
            // A tunnel, a closed lid: one stream in five is cut after a while.
            let cut = gives_up || self.chance.percent(20);
            let stays =
                Duration::from_millis(if cut { self.chance.between(5_000, 60_000) } else { 3_600_000 });
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
                            let waited = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
                            first_update.get_or_insert(waited);
                        }
                        if let Some(at) = told_at(&line).filter(|_| latencies.len() < 60) {
                            latencies.push(u32::try_from(crate::clock::now_ms() - at).unwrap_or(0));
                        }
                        over |= line == b"event: end";
                        line.clear();
                    }
                }
            };
            let _ = timeout(stays, reading).await;
            if over || gives_up {
                // The snapshot's age is how long nothing had happened, and no latency.
                let latencies = latencies.get(1..).unwrap_or_default();
                let reason = if self.region == "ap-south" {
                    "watchdog"
                } else {
                    self.chance.pick(&["buffered", "connect_failed", "too_many_tabs"])
                };
                let fallbacks = if over { json!([]) } else { json!([{ "reason": reason, "at_ms": 30_000 }]) };
                let beacon = json!({ "v": 1, "session": self.session, "page": page, "seq": 0,
                                     "mode": if over { "stream" } else { "poll" }, "first_update_ms": first_update,
                                     "latencies_ms": latencies, "fallbacks": fallbacks });
                let request = self.client.post(format!("{}/api/v1/beacons", self.base)).json(&beacon);
                let _ = self.dressed(request, agent).send().await;
            }
            if over {
                return;
            }
            if gives_up {
                return self.polls(interval_ms).await;
            }
            tokio::time::sleep(Duration::from_millis(self.chance.between(1_500, 4_500))).await;
        }
    }

    /// Follows by asking every few seconds, with the ETag of the last answer.
    pub async fn polls(mut self, interval_ms: u32) {
        let url = format!("{}{}", self.base, self.poll_url);
        let mut etag = String::new();
        // Browsers that opened the page at different times do not poll in step.
        tokio::time::sleep(Duration::from_millis(self.chance.between(0, u64::from(interval_ms)))).await;
        loop {
            let mut request = self.client.get(&url);
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
                    let Ok(status) = answer.json::<Value>().await else { return };
                    if status["state"] != "running" {
                        return;
                    }
                }
                _ => return,
            }
            tokio::time::sleep(Duration::from_millis(u64::from(interval_ms))).await;
        }
    }
}

/// When the event in this line was published, Unix milliseconds.
fn told_at(line: &[u8]) -> Option<i64> {
    let event: Value = serde_json::from_slice(line.strip_prefix(b"data: ")?).ok()?;
    event["stage"].as_str()?;
    event["at"].as_i64()
}
