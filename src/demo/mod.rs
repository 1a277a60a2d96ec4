//! For a first look: real traffic, and a made-up past.
//!
//! The traffic is real: publishers, stream clients and pollers, all over HTTP against this very server,
//! so that what the dashboard shows was really measured.

mod follower; // one browser: a stream that is cut and resumes, or polls
mod incidents; // what the shipped rules make of that past
mod past; // 90 days that nobody measured
mod script; // what a transcription goes through
mod worker; // one back end that reports its work

use crate::store::{Private, PrivateError, Store};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use streamgauge_core::settings::table::Settings;

/// Demo clients say where they are, as a proxy in front would.
pub const REGION_HEADER: &str = "x-demo-region";

/// Sessions that run at the same time.
const SESSIONS: usize = 36;

/// The demo's own folder in the data folder, so that nothing of it mixes with what was measured for real.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("demo")
}

/// Deletes what `serve --demo` has stored. Answers what there is to say about it.
pub fn remove(settings: &Settings) -> Result<String, PrivateError> {
    let folder = folder(&settings.data_dir);
    let named = folder.display();
    Ok(if Private::remove(&folder)? {
        format!("Deleted {named}.")
    } else {
        format!("There is nothing to delete: {named} holds no data of a demo.")
    })
}

/// Up to when the figures are made up (Unix seconds), if this server has such a past: it ends where the first start began.
pub async fn seeded_until(settings: &Settings, store: &Store, started_at: i64) -> Option<i64> {
    let own_database = settings.database_url.is_none();
    (settings.demo && own_database).then_some(())?;
    let written = store.past().written().await.ok().flatten();
    Some(written.map_or(started_at / 60_000 * 60, |written| written.until))
}

/// Writes the past that ends then (Unix seconds), or what is missing of it.
pub async fn past(store: &Store, until: i64) {
    if let Err(error) = past::write(store, until).await {
        tracing::warn!(%error, "the demo's past is not whole; the next start goes on with it");
    }
}

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
