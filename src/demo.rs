//! Real traffic for a first look: publishers, stream clients and pollers, all over HTTP against this very server,
//! so that what the dashboard shows was really measured.

mod follower; // one browser: a stream that is cut and resumes, or polls
mod script; // what a transcription goes through
mod worker; // one back end that reports its work

use std::{net::SocketAddr, time::Duration};

/// Demo clients say where they are, as a proxy in front would.
pub const REGION_HEADER: &str = "x-demo-region";

/// Sessions that run at the same time.
const SESSIONS: usize = 36;

/// Runs until the process ends.
pub async fn run(address: SocketAddr, poll_interval_ms: u32) {
    let base = format!("http://{address}");
    let Ok(client) = reqwest::Client::builder().pool_max_idle_per_host(64).build() else {
        tracing::error!("demo traffic does not start: no HTTP client");
        return;
    };
    let mut chance = script::Chance::new();
    let workers = (0..SESSIONS).map(|number| {
        let (client, base, mut chance) = (client.clone(), base.clone(), chance.split());
        async move {
            // Spread over the first minute, so that not all begin and end together.
            tokio::time::sleep(Duration::from_millis(200 + number as u64 * 700)).await;
            loop {
                worker::session(&client, &base, poll_interval_ms, &mut chance).await;
                tokio::time::sleep(Duration::from_millis(chance.between(500, 8_000))).await;
            }
        }
    });
    futures::future::join_all(workers).await;
}
