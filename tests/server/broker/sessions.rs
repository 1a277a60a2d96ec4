//! A session's life: made, numbered, ended.

use super::Stage;
use crate::support::{Event, fresh};
use reqwest::StatusCode;
use serde_json::json;

pub(super) async fn a_session_is_created_once(Stage { client, .. }: &Stage) {
    let session = fresh("created");
    let answer = client.create(&session).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["location"], format!("/api/v1/sessions/{session}/status").as_str());
    let created: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(created["id"], json!(session));
    assert_eq!(created["stream_url"], json!(format!("/api/v1/sessions/{session}/status/stream")));

    assert_eq!(client.create(&session).await.status(), StatusCode::CONFLICT);
    client.publish(&session, 1).await;
    assert_eq!(client.create(&session).await.status(), StatusCode::CONFLICT);

    let unnamed = client.post("/api/v1/sessions").json(&json!({})).send().await.expect("an answer");
    let named: serde_json::Value = unnamed.json().await.expect("JSON");
    assert_eq!(named["id"].as_str().map(str::len), Some(32), "an id that nobody guesses");
}

pub(super) async fn nobody_knows_an_unknown_session(Stage { client, .. }: &Stage) {
    let session = fresh("unknown");
    // A stream waits for the first event, which is never published here.
    let mut stream = client.follow(&session).await;
    assert_eq!(stream.next().await.expect("a sign of life").name, "ping");
    let poll = client.poll(&session).await;
    assert_eq!(poll.status(), StatusCode::NOT_FOUND);
    assert!(poll.headers().contains_key("retry-after"), "it may begin");
    assert_eq!(client.complete(&session).await.status(), StatusCode::NOT_FOUND);
    // Asking made none.
    assert_eq!(client.poll(&session).await.status(), StatusCode::NOT_FOUND);
}

pub(super) async fn the_first_event_makes_its_session(Stage { client, .. }: &Stage) {
    let session = fresh("first");
    let id = client.publish(&session, 1).await;
    assert!(id.ends_with("-1"), "{id}");
    let status: serde_json::Value = client.poll(&session).await.json().await.expect("JSON");
    assert_eq!((&status["id"], &status["stage"], &status["data"]), (&json!(id), &json!("work"), &json!(1)));
}

pub(super) async fn ids_count_up_in_one_epoch(Stage { client, .. }: &Stage) {
    let session = fresh("ids");
    client.create(&session).await;
    let mut ids = Vec::new();
    for n in 1..=5 {
        ids.push(client.publish(&session, n).await);
    }
    let (epoch, _) = ids[0].split_once('-').expect("epoch and number");
    let expected: Vec<String> = (1..=5).map(|seq| format!("{epoch}-{seq}")).collect();
    assert_eq!(ids, expected);
}

pub(super) async fn a_session_ends_once_and_for_all(Stage { client, .. }: &Stage) {
    let session = fresh("ended");
    let running = client.publish(&session, 42).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [42]);
    assert_eq!(client.complete(&session).await.status(), StatusCode::ACCEPTED);

    let end = follower.news().await.expect("the end");
    let told = |event: &Event| {
        assert_eq!(event.name, "end");
        let data = &event.data;
        assert_eq!(
            (&data["state"], &data["stage"], &data["progress"]),
            (&json!("completed"), &json!("work"), &json!(100))
        );
    };
    told(&end);
    assert_eq!(follower.news().await, None, "the server closes");

    let again = |last: &str| client.stream(&session).header("last-event-id", last).send();
    let over = again(end.id.as_deref().expect("an id")).await.expect("an answer");
    assert_eq!(over.status(), StatusCode::NO_CONTENT, "this stops an EventSource");
    let path = format!("/api/v1/sessions/{session}/status/stream");
    let plain = client.get(&path).send().await.expect("an answer");
    assert_eq!(plain.status(), StatusCode::NO_CONTENT, "a client that did not ask for a stream of events");

    let mut late = client.follow(&session).await;
    told(&late.news().await.expect("the end"));
    assert_eq!(late.news().await, None);
    let mut cut = client.resume(&session, &running).await;
    told(&cut.news().await.expect("the end"));

    let after = client.event(&session, 43).send().await.expect("an answer");
    assert_eq!(after.status(), StatusCode::CONFLICT);
    assert_eq!(client.complete(&session).await.status(), StatusCode::CONFLICT);
    let poll = client.poll(&session).await;
    assert!(!poll.headers().contains_key("retry-after"), "there is nothing to come back for");
    let status: serde_json::Value = poll.json().await.expect("JSON");
    assert_eq!((&status["state"], status.get("poll_after_ms")), (&json!("completed"), None));
}
