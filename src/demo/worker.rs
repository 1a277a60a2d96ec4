//! One back end that reports its work.

use super::{
    follower::Page,
    script::{Chance, KINDS, REGIONS, STAGES, message},
};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// What the server answers to a new session.
#[derive(Deserialize)]
struct Created {
    id: String,
    cohort: String,
    stream_url: String,
    poll_url: String,
}

/// One session from its creation to its end, followed by one to three browsers. Anything that goes wrong (the server
/// is busy, or stopping) ends it: the next one begins soon.
pub async fn session(client: &Client, base: &str, poll_interval_ms: u32, chance: &mut Chance) {
    let about = json!({ "kind": chance.pick(&KINDS), "region": chance.pick(&REGIONS), "user": format!("u{}", chance.between(1, 400)) });
    let Ok(answer) = client.post(format!("{base}/api/v1/sessions")).json(&about).send().await else { return };
    let Ok(created) = answer.json::<Created>().await else { return };
    for _ in 0..chance.between(1, 4) {
        let page = Page {
            client: client.clone(),
            base: base.to_owned(),
            session: created.id.clone(),
            poll_url: created.poll_url.clone(),
            region: chance.pick(&REGIONS),
            chance: chance.split(),
        };
        if created.cohort == "poll" {
            tokio::spawn(page.polls(poll_interval_ms));
        } else {
            tokio::spawn(page.streams(created.stream_url.clone(), poll_interval_ms));
        }
    }
    // Most take a few minutes; the odd quick one shows what short sessions cost.
    let pace = if chance.percent(15) { 300 } else { chance.between(1_500, 5_000) };
    if report(client, base, &created.poll_url, pace, chance).await.is_err() {
        tracing::debug!("a demo session broke off");
    }
}

async fn report(
    client: &Client,
    base: &str,
    path: &str,
    pace: u64,
    chance: &mut Chance,
) -> reqwest::Result<()> {
    let status = format!("{base}{path}");
    let fails_at = chance.percent(4).then(|| chance.between(20, 90));
    let mut from = 0;
    for stage in &STAGES {
        let events = chance.between(stage.events.div_ceil(2), stage.events * 3 / 2 + 1);
        for event in 1..=events {
            let progress = from + (stage.until - from) * event / events;
            if fails_at.is_some_and(|at| progress >= at) {
                return end(client, base, path, "failed", "the audio could not be decoded").await;
            }
            let body = json!({ "stage": stage.name, "progress": progress, "message": message(stage.name, progress, chance) });
            client.post(&status).json(&body).send().await?.error_for_status()?;
            tokio::time::sleep(Duration::from_millis(chance.between(pace / 2, pace * 3 / 2))).await;
        }
        from = stage.until;
    }
    end(client, base, path, "completed", "the transcript is ready").await
}

async fn end(client: &Client, base: &str, path: &str, outcome: &str, message: &str) -> reqwest::Result<()> {
    let url = format!("{base}{}/complete", path.trim_end_matches("/status"));
    let body = json!({ "outcome": outcome, "message": message });
    client.post(url).json(&body).send().await?.error_for_status().map(drop)
}
