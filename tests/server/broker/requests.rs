//! A request that is repeated, and one that asks again and again.

use super::Stage;
use crate::support::fresh;
use reqwest::StatusCode;
use serde_json::json;

pub(super) async fn a_repeated_request_publishes_once(Stage { client, .. }: &Stage) {
    let session = fresh("once");
    client.create(&session).await;
    let mut follower = client.follow(&session).await;
    let publish = async |n, key: &str| {
        let answer =
            client.event(&session, n).header("idempotency-key", key).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let accepted: serde_json::Value = answer.json().await.expect("JSON");
        accepted["id"].clone()
    };
    let id = publish(1, "a").await;
    assert_eq!(publish(1, "a").await, id);
    assert_ne!(publish(2, "b").await, id);
    assert_eq!(publish(1, "a").await, id, "also when another came in between");
    client.publish(&session, 3).await;
    assert_eq!(follower.numbers(3).await, [1, 2, 3]);

    // The end too may be repeated: its publisher did not hear that it was accepted.
    let path = format!("/api/v1/sessions/{session}/complete");
    for _ in 0..2 {
        let end = client.post(&path).header("idempotency-key", "end").json(&json!({ "outcome": "failed" }));
        assert_eq!(end.send().await.expect("an answer").status(), StatusCode::ACCEPTED);
    }
    assert_eq!(follower.news().await.expect("the end").name, "end");
    assert_eq!(follower.news().await, None);
}

pub(super) async fn a_poll_says_when_to_ask_again_and_what_is_unchanged(Stage { client, .. }: &Stage) {
    let session = fresh("polled");
    client.create(&session).await;
    let waiting = client.poll(&session).await;
    assert_eq!(
        (waiting.status(), &waiting.headers()["retry-after"]),
        (StatusCode::OK, &"3".parse().unwrap())
    );
    let none_yet = waiting.headers()["etag"].clone();
    let waiting: serde_json::Value = waiting.json().await.expect("JSON");
    assert_eq!(waiting, json!({ "session": session, "state": "running", "poll_after_ms": 3000 }));

    let id = client.publish(&session, 1).await;
    let path = format!("/api/v1/sessions/{session}/status");
    let known = async |etag| client.get(&path).header("if-none-match", etag).send().await.expect("an answer");
    let changed = known(none_yet).await;
    let etag = changed.headers()["etag"].clone();
    assert_eq!((changed.status(), etag.to_str().unwrap()), (StatusCode::OK, format!("\"{id}\"").as_str()));
    assert_eq!(changed.headers()["retry-after"], "3");
    let unchanged = known(etag.clone()).await;
    assert_eq!((unchanged.status(), &unchanged.headers()["etag"]), (StatusCode::NOT_MODIFIED, &etag));
    assert!(unchanged.text().await.expect("no body").is_empty());
}
