//! A session that the server has forgotten, and that is published to again: no id is given twice, nobody misses anything
//! without a gap, and a session that has ended stays so.

use super::Stage;
use crate::support::{Client, Follower, body, eventually, fresh};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// By then a session of the least `abandon_after_ms` and `history_ms` is forgotten: the sweep comes every 10 s.
const FORGOTTEN: u64 = 25;

async fn is_forgotten(client: &Client, session: &str) {
    eventually("the session is forgotten", FORGOTTEN, async || {
        (client.poll(session).await.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

fn epoch(id: &str) -> &str {
    id.split_once('-').expect("epoch and number").0
}

pub(super) async fn no_id_is_given_twice_to_a_session_that_was_forgotten(Stage { client, .. }: &Stage) {
    let session = fresh("quiet");
    let mut old = Vec::new();
    for n in 1..=3 {
        old.push(client.publish(&session, n).await);
    }
    is_forgotten(client, &session).await;
    // It waits, and knows already that it missed something.
    let mut early = client.resume(&session, &old[2]).await;
    let gap = early.news().await.expect("a gap");
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("epoch")));

    let mut new = Vec::new();
    for n in 11..=15 {
        new.push(client.publish(&session, n).await);
        if n == 12 {
            // The poll of the old number 2, whose status is number 2 again.
            let path = format!("/api/v1/sessions/{session}/status");
            let etag = format!("\"{}\"", old[1]);
            let polled = client.get(&path).header("if-none-match", etag).send().await.expect("an answer");
            assert_eq!(polled.status(), StatusCode::OK, "a wrong 304");
            assert_eq!(body(polled).await["data"], json!(12));
        }
    }
    assert!(new.iter().all(|id| !old.contains(id)), "{old:?} {new:?}");
    assert!(new.iter().all(|id| epoch(id) == epoch(&new[0]) && epoch(id) != epoch(&old[0])), "{new:?}");
    assert_eq!(early.numbers(5).await, [11, 12, 13, 14, 15]);

    let mut resumed = client.resume(&session, &old[2]).await;
    let gap = resumed.news().await.expect("a gap");
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("epoch")));
    client.publish(&session, 16).await;
    assert_eq!(resumed.numbers(2).await, [15, 16]);
}

pub(super) async fn a_stream_that_stayed_open_hears_all_that_is_new(Stage { client, .. }: &Stage) {
    let (session, other) = (fresh("quiet"), fresh("quiet"));
    let mut stayed = client.follow(&session).await;
    let old = client.publish(&session, 1).await;
    client.publish_all(&session, 2..=3).await;
    assert_eq!(stayed.numbers(3).await, [1, 2, 3]);
    // One that nobody follows shows when this one would have been forgotten.
    client.publish(&other, 1).await;
    is_forgotten(client, &other).await;

    let new = client.publish(&session, 11).await;
    client.publish_all(&session, 12..=15).await;
    let (numbers, gaps) = stayed.until(15).await;
    assert_eq!(numbers, [11, 12, 13, 14, 15]);
    // Numbers go on, or begin anew after a gap.
    assert_eq!(gaps, usize::from(epoch(&old) != epoch(&new)));
}

pub(super) async fn an_ended_session_takes_nothing_after_its_history_is_gone(stage: &Stage) {
    let (client, session) = (&stage.client, fresh("over"));
    client.publish(&session, 1).await;
    let ended: Value = body(client.complete(&session).await).await;
    let last = ended["id"].as_str().expect("an id");
    let shows = fresh("shows");
    client.publish(&shows, 1).await;
    is_forgotten(client, &shows).await;

    let refused = |client: &Client| {
        let (client, session) = (client.clone(), session.clone());
        async move {
            assert_eq!(
                client.event(&session, 2).send().await.expect("an answer").status(),
                StatusCode::CONFLICT
            );
            assert_eq!(client.complete(&session).await.status(), StatusCode::CONFLICT);
            assert_eq!(client.create(&session).await.status(), StatusCode::CONFLICT);
            let new = fresh("new");
            let lines: Vec<String> = [&session, &new, &session, &new]
                .iter()
                .map(|id| json!({ "session": id, "stage": "work", "progress": 1 }).to_string())
                .collect();
            let batch = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
            let fates = body(batch.body(lines.join("\n")).send().await.expect("an answer")).await;
            let fates: Vec<u64> = fates
                .as_array()
                .expect("fates")
                .iter()
                .map(|fate| fate["status"].as_u64().expect("one"))
                .collect();
            assert_eq!(fates, [409, 202, 409, 202]);
        }
    };
    refused(client).await;
    // A late follower learns the outcome.
    let polled = client.poll(&session).await;
    assert_eq!(polled.status(), StatusCode::OK);
    let polled = body(polled).await;
    assert_eq!((&polled["state"], &polled["id"]), (&json!("completed"), &json!(last)));
    let mut late = client.follow(&session).await;
    assert_eq!(late.news().await.expect("the end").name, "end");
    assert_eq!(late.news().await, None);
    let over = client.stream(&session).header("last-event-id", last).send().await.expect("an answer");
    assert_eq!(over.status(), StatusCode::NO_CONTENT, "this stops an EventSource");

    // A node that never saw the session knows it by PostgreSQL alone.
    let other = stage.another();
    let client = &Client::over(other.port, "1.1");
    client.stored().await;
    if stage.needs_to_find_redis() {
        client.is_ready().await;
    }
    refused(client).await;
    let mut late = Follower::open(client.stream(&session)).await;
    assert_eq!(late.news().await.expect("the end").name, "end");
    let stories: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE id = $1 AND state = 'completed'")
            .bind(&session)
            .fetch_one(&mut stage.database.connect().await)
            .await
            .expect("a row");
    assert_eq!(stories, 1, "its row is as it ended");
}
