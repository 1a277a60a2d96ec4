//! A follower that does not read costs itself its stream, and nobody else anything.

use crate::support::{
    Client, Database, Follower, Launch, Memory, by_each_way, eventually, fresh, lazy, lazy_from, streams,
};
use serde_json::{Value, json};

const EVENTS: u64 = 1_500;
/// With 7 kB each, far more than the kernel buffers for one connection.
const PADDING: usize = 7_000;

/// Publishes [`EVENTS`] events, each in the stage that `stage` names.
async fn publish(client: &Client, session: &str, stage: impl Fn(u64) -> String) {
    let padding = "x".repeat(PADDING);
    for n in 1..=EVENTS {
        let event = json!({ "stage": stage(n), "progress": 1, "data": { "n": n, "padding": padding } });
        let answer = client.post(&format!("/api/v1/sessions/{session}/status")).json(&event).send().await;
        assert_eq!(answer.expect("an answer").status(), 202);
    }
}

/// Reads [`EVENTS`] events, which must come whole and in order.
fn read_all(mut follower: Follower) -> tokio::task::JoinHandle<Follower> {
    tokio::spawn(async move {
        for n in 1..=EVENTS {
            let event = follower.news().await.expect("an open stream");
            assert_eq!(event.data["data"]["n"].as_u64(), Some(n));
        }
        follower
    })
}

by_each_way! {
    progress_is_conflated_for_a_follower_that_does_not_read
    a_follower_that_does_not_read_is_let_go
    a_slow_readers_loss_is_in_the_error_rate_of_its_region
}

async fn progress_is_conflated_for_a_follower_that_does_not_read(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("lazy"));
    client.create(&session).await;
    let quick = client.follow(&session).await;
    let mut late = lazy(server.port, &session, version).await;
    streams(&client, 2, 5).await;
    let reading = read_all(quick);
    let before = server.memory();
    // Two stages: of each, the last event says all.
    publish(&client, &session, |n| (if n <= EVENTS / 2 { "first" } else { "second" }).into()).await;
    let quick = reading.await.expect("the quick one");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 40_000_000, "{grown} bytes for a follower that does not read");
    assert_eq!(client.complete(&session).await.status(), 202);

    // It reads at last, all that stayed, and the end: its stream was never cut.
    let text = late.read_all().await;
    let seqs: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.split_once('-')?.1.parse().ok()).collect();
    assert!(seqs.is_sorted() && seqs.len() > 3 && (seqs.len() as u64) < EVENTS, "{}", seqs.len());
    assert!(seqs.contains(&(EVENTS / 2)), "the last of the first stage");
    assert_eq!(seqs[seqs.len() - 2..], [EVENTS, EVENTS + 1], "the last of the second stage, and the end");
    assert!(
        text.contains("event: end\n") && text.ends_with(if version == "1.1" { "0\r\n\r\n" } else { "}\n\n" })
    );
    drop((late, quick));
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 0);
    assert_eq!(database.counted("closed_at_end").await, 2);
    assert_eq!(database.counted("conflated").await, (EVENTS + 1) as i64 - seqs.len() as i64);
    database.accounts().await;
}

async fn a_follower_that_does_not_read_is_let_go(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("lazy"));
    client.create(&session).await;
    let quick = client.follow(&session).await;
    let follow = async || lazy(server.port, &session, version).await;
    let (stuck, mut late) = (follow().await, follow().await);
    streams(&client, 3, 5).await;
    let reading = read_all(quick);
    let (before, memory) = (server.memory(), Memory::of(&server));
    // Each event changes the stage, so none may be left out.
    publish(&client, &session, |n| format!("stage {n}")).await;
    let quick = reading.await.expect("the quick one");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 40_000_000, "{grown} bytes for two followers that do not read");

    // Both were cut: where hyper writes, once the kernel has given up on them, or on HTTP/2 the server itself. One reads
    // what was on its way, comes back and is told what it missed.
    streams(&client, 1, 80).await;
    memory.is_back(&server, 16_000_000).await;
    let text = late.read_all().await;
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let ids: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!((ids.len() as u64) < EVENTS, "{}", ids.len());
    match ids.last() {
        Some(last) => {
            let news = client.resume(&session, last).await.news().await.expect("news");
            assert_eq!((news.name.as_str(), &news.data["reason"]), ("gap", &json!("evicted")));
        }
        // The kernel's reset leaves what the small buffer holds: less than one event.
        None => assert_eq!(version, "1.0"),
    }
    drop((stuck, quick));
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 2);
    database.accounts().await;
}

/// Each row of the last hour: events lost by slow readers, and the error rate in percent.
async fn losses(client: &Client, region: &str) -> Vec<(u64, f64)> {
    let answer = client.get(&format!("/api/admin/metrics?range=1h{region}")).send().await;
    let metrics: Value = answer.expect("an answer").json().await.expect("JSON");
    let rows = metrics["rows"].as_array().cloned().unwrap_or_default();
    let row = |row: &Value| {
        Some((row["dropped_slow"].as_u64()?, row["error_rate_percent"].as_f64().unwrap_or(0.0)))
    };
    rows.iter().filter_map(row).filter(|(lost, _)| *lost > 0).collect()
}

async fn a_slow_readers_loss_is_in_the_error_rate_of_its_region(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("region-header", "cf-ipcountry").start();
    let (client, session) = (server.client(), fresh("lazy"));
    client.create(&session).await;
    let stuck = lazy_from("DE", server.port, &session, version).await;
    streams(&client, 1, 5).await;
    // Each event changes the stage, so none may be left out.
    publish(&client, &session, |n| format!("stage {n}")).await;
    streams(&client, 0, 80).await;
    let sum = |rows: &[(u64, f64)]| rows.iter().map(|(lost, _)| lost).sum::<u64>();
    let (all, region) = eventually("the loss is stored", 40, async || {
        let (all, region) = (losses(&client, "").await, losses(&client, "&region=de").await);
        (!all.is_empty() && sum(&all) == sum(&region)).then_some((all, region))
    })
    .await;
    assert!(region.iter().all(|(_, rate)| *rate > 0.0), "{region:?} of {all:?}");
    drop(stuck);
    server.stop();
    assert_eq!(database.counted("closed_slow").await, 1);
}
