//! A follower that comes before the first event waits for it. An EventSource that gets a 404 never comes back.

use super::Stage;
use crate::support::{Follower, eventually, fresh};
use reqwest::StatusCode;
use serde_json::json;

pub(super) async fn a_follower_that_comes_early_gets_every_event_from_the_first_on(
    Stage { client, .. }: &Stage,
) {
    let session = fresh("early");
    let mut early = client.follow(&session).await;
    assert_eq!(early.next().await.expect("a sign of life").name, "ping");
    let polled = client.poll(&session).await;
    assert_eq!(polled.status(), StatusCode::NOT_FOUND);
    let after: u32 = polled.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((2..8).contains(&after), "{after}");

    client.publish(&session, 1).await;
    let mut late = client.follow(&session).await;
    client.publish_all(&session, 2..=5).await;
    assert_eq!(early.numbers(5).await, [1, 2, 3, 4, 5]);
    assert_eq!(late.numbers(5).await, [1, 2, 3, 4, 5]);
    client.complete(&session).await;
    assert_eq!(early.news().await.expect("the end").name, "end");
    assert_eq!(early.news().await, None);
}

pub(super) async fn several_that_come_while_a_session_begins_miss_nothing(Stage { client, .. }: &Stage) {
    const EVENTS: u64 = 15;
    for _ in 0..10 {
        let session = fresh("begins");
        let following: Vec<_> = (0..8)
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

pub(super) async fn a_follower_that_comes_early_with_a_position_is_told_of_the_gap(
    Stage { client, .. }: &Stage,
) {
    let session = fresh("early-gap");
    let mut followers = Vec::new();
    for (last, reason) in [("abc123-7", "epoch"), ("none of these", "unknown")] {
        let mut follower = client.resume(&session, last).await;
        let gap = follower.news().await.expect("a gap");
        assert_eq!(gap.name, "gap");
        assert_eq!(gap.data, json!({ "session": session, "reason": reason, "resumes_at": null }));
        followers.push(follower);
    }
    client.publish_all(&session, 1..=3).await;
    for follower in &mut followers {
        assert_eq!(follower.numbers(3).await, [1, 2, 3], "once told is enough");
    }
}

pub(super) async fn several_sessions_may_be_followed_before_they_begin(Stage { client, .. }: &Stage) {
    let (running, early) = (fresh("running"), fresh("early"));
    let first = client.publish(&running, 1).await;
    let path = format!("/api/v1/streams?session={running}&session={early}");
    let mut follower = Follower::open(client.get(&path)).await;
    let snapshot = follower.news().await.expect("a snapshot");
    assert_eq!((snapshot.number(), snapshot.id.as_deref()), (1, Some(format!("{first},").as_str())));
    // Cut here, it comes back as a newcomer to the one that has not begun.
    let resumed = client.get(&path).header("last-event-id", format!("{first},"));
    let mut resumed = Follower::open(resumed).await;
    let begun = client.publish(&early, 7).await;
    let next = client.publish(&running, 2).await;
    for follower in [&mut follower, &mut resumed] {
        let mut told = Vec::new();
        for _ in 0..2 {
            let event = follower.news().await.expect("an open stream");
            told.push((event.number(), event.id.expect("an id")));
        }
        told.sort();
        let last = format!("{next},{begun}");
        assert_eq!(told.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 7]);
        assert!(told.iter().any(|(_, id)| *id == last), "{told:?}");
    }
    // One that comes back after the beginning, and was told nothing of it, gets the status and no gap.
    let late = client.get(&path).header("last-event-id", format!("{next},"));
    let status = Follower::open(late).await.news().await.expect("a snapshot");
    assert_eq!(status.number(), 7);
}

pub(super) async fn a_stream_that_waits_takes_a_place_and_gives_it_back(Stage { client, .. }: &Stage) {
    let session = fresh("early-places");
    let ask = || client.stream(&session).query(&[("user", "ann")]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Follower::open(ask()).await);
    }
    let refused = ask().send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(held);
    eventually("all places are free", 10, async || {
        let mut again = Vec::new();
        for _ in 0..3 {
            let answer = ask().send().await.expect("an answer");
            if answer.status() != StatusCode::OK {
                return None;
            }
            again.push(answer);
        }
        Some(())
    })
    .await;
}

pub(super) async fn a_stream_that_waits_for_nothing_is_pinged_then_closed(Stage { client, .. }: &Stage) {
    let mut follower = client.follow(&fresh("early-idle")).await;
    let mut pings = 0;
    let last = loop {
        let event = follower.next().await.expect("an event before the end");
        if event.name != "ping" {
            break event;
        }
        pings += 1;
    };
    assert_eq!((last.name.as_str(), &last.data), ("idle", &json!({ "after_ms": 1000 })));
    assert_eq!(follower.next().await, None);
    assert!((3..=6).contains(&pings), "{pings}");
}
