//! What a follower is told, wherever it begins and however often it is cut.

use super::Stage;
use crate::support::{Follower, fresh};
use reqwest::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

pub(super) async fn a_newcomer_gets_a_snapshot_then_every_event(Stage { client, .. }: &Stage) {
    let session = fresh("newcomer");
    client.create(&session).await;
    let mut early = client.follow(&session).await;
    let first = early.next().await.expect("a sign of life");
    assert_eq!(first.name, "ping", "there is nothing to tell yet");
    assert!((1_500..4_500).contains(&early.retry.expect("a retry")), "{:?}", early.retry);

    client.publish_all(&session, 1..=3).await;
    let mut late = client.follow(&session).await;
    client.publish_all(&session, 4..=6).await;
    assert_eq!(early.numbers(6).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(late.numbers(4).await, [3, 4, 5, 6]);
}

pub(super) async fn however_often_a_follower_is_cut_it_misses_nothing(Stage { client, .. }: &Stage) {
    const EVENTS: u64 = 400;
    let session = fresh("cut");
    let mut seen = vec![0];
    let mut last = client.publish(&session, 0).await;
    let publisher = tokio::spawn({
        let (client, session) = (client.clone(), session.clone());
        async move { client.publish_all(&session, 1..=EVENTS).await }
    });
    let mut cuts = 0;
    while seen.len() as u64 <= EVENTS {
        // By header, as EventSource sends it, and by query, in turns.
        let mut follower = if cuts % 2 == 0 {
            client.resume(&session, &last).await
        } else {
            Follower::open(client.stream_after(&session, &last)).await
        };
        for _ in 0..=cuts % 13 {
            if seen.len() as u64 > EVENTS {
                break;
            }
            let event = follower.news().await.expect("an open stream");
            seen.push(event.number());
            last = event.id.expect("an id");
        }
        cuts += 1;
    }
    publisher.await.expect("all published");
    assert_eq!(seen, (0..=EVENTS).collect::<Vec<_>>(), "after {cuts} cuts");
    assert!(cuts > 30, "{cuts}");
}

pub(super) async fn several_that_come_at_once_while_it_is_published_miss_nothing(
    Stage { client, .. }: &Stage,
) {
    const EVENTS: u64 = 25;
    for _ in 0..12 {
        let session = fresh("crowded");
        client.create(&session).await;
        let following: Vec<_> = (0..10)
            .map(|_| {
                let (client, session) = (client.clone(), session.clone());
                tokio::spawn(async move {
                    let mut follower = client.follow(&session).await;
                    let mut seen = Vec::new();
                    while seen.last() != Some(&EVENTS) {
                        seen.push(follower.news().await.expect("an open stream").number());
                    }
                    seen
                })
            })
            .collect();
        client.publish_all(&session, 1..=EVENTS).await;
        for one in following {
            let seen = one.await.expect("a follower");
            assert_eq!(seen, (seen[0]..=EVENTS).collect::<Vec<_>>());
        }
    }
}

pub(super) async fn an_absurd_position_is_a_gap_or_refused(Stage { client, .. }: &Stage) {
    let session = fresh("absurd");
    let id = client.publish(&session, 7).await;
    let epoch = id.split_once('-').expect("epoch and number").0;
    let snapshot = |mut follower: Follower| async move {
        let event = follower.news().await.expect("a gap");
        assert_eq!((event.name.as_str(), &event.data["reason"]), ("gap", &json!("unknown")));
        assert_eq!(follower.numbers(1).await, [7]);
    };
    let too_high = format!("{epoch}-8");
    for absurd in ["abc", "-", "1-99999999999999999999", "%00", "a\tb", &too_high, &"9".repeat(10_000)] {
        snapshot(client.resume(&session, absurd).await).await;
        if absurd.len() < 10_000 {
            snapshot(Follower::open(client.stream_after(&session, absurd)).await).await;
        }
    }
    // An EventSource with an empty id sends none: it is a newcomer.
    assert_eq!(client.resume(&session, "").await.numbers(1).await, [7]);
    let of_another_life = client.resume(&session, "1-1").await.news().await.expect("a gap");
    assert_eq!(of_another_life.data["reason"], json!("epoch"));
    client.publish(&session, 8).await;
}

pub(super) async fn what_history_let_go_is_a_gap(Stage { client, .. }: &Stage) {
    let session = fresh("evicted");
    let first = client.publish(&session, 1).await;
    client.publish_all(&session, 2..=5).await;
    assert_eq!(client.resume(&session, &first).await.numbers(4).await, [2, 3, 4, 5], "four are kept");

    let last = client.publish(&session, 6).await;
    let mut follower = client.resume(&session, &first).await;
    let gap = follower.news().await.expect("a gap");
    assert_eq!(gap.name, "gap");
    assert_eq!(gap.data, json!({ "session": session, "reason": "evicted", "resumes_at": last }));
    assert_eq!(follower.numbers(1).await, [6]);
}

pub(super) async fn everybody_gets_everything(Stage { client, .. }: &Stage) {
    const FOLLOWERS: usize = 60;
    const EVENTS: u64 = 50;
    let session = fresh("crowd");
    client.create(&session).await;
    let mut crowd = Vec::new();
    for _ in 0..FOLLOWERS {
        crowd.push(client.follow(&session).await);
    }
    let reading =
        crowd.into_iter().map(|mut one| tokio::spawn(async move { one.numbers(EVENTS as usize).await }));
    let reading: Vec<_> = reading.collect();
    let answer = client.event(&session, 1).send().await.expect("an answer");
    let accepted: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(accepted["subscribers"], json!(FOLLOWERS));
    client.publish_all(&session, 2..=EVENTS).await;
    for one in reading {
        assert_eq!(one.await.expect("a follower"), (1..=EVENTS).collect::<Vec<_>>());
    }
}

pub(super) async fn silence_is_pinged_then_closed(Stage { client, .. }: &Stage) {
    let session = fresh("silent");
    client.publish(&session, 1).await;
    let mut follower = client.follow(&session).await;
    let since = Instant::now();
    assert_eq!(follower.numbers(1).await, [1]);
    let mut pings = 0;
    let last = loop {
        let event = follower.next().await.expect("an event before the end");
        if event.name != "ping" {
            break event;
        }
        assert!(event.data["at"].as_i64().is_some_and(|at| at > 1_600_000_000_000), "server time, ms");
        assert_eq!(event.id, None, "a ping is no position");
        pings += 1;
    };
    assert_eq!((last.name.as_str(), &last.data), ("idle", &json!({ "after_ms": 1000 })));
    assert_eq!(follower.next().await, None);
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
    assert!((3..=5).contains(&pings), "{pings}");
}

pub(super) async fn numbers_stay_as_they_were_published(Stage { client, .. }: &Stage) {
    const DATA: &str = "[8.888888888888891e+109,0.1,1e-7,-2.2250738585072014e-308,9007199254740993]";
    let session = fresh("numbers");
    client.create(&session).await;
    let mut follower = client.follow(&session).await;
    let event = format!("{{\"stage\":\"work\",\"progress\":1,\"data\":{DATA}}}");
    let request = client.post(&format!("/api/v1/sessions/{session}/status"));
    let answer = request.header("content-type", "application/json").body(event).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::ACCEPTED);
    let told = follower.news().await.expect("an open stream");
    assert_eq!(told.data["data"].to_string(), DATA);
    let polled = client.poll(&session).await.text().await.expect("JSON");
    assert!(polled.contains(DATA), "{polled}");
}
