use crate::support::{Bare, Client, Database, Launch, Memory, fresh, streams};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::Barrier, task::JoinSet, time::sleep};

const CAP: usize = 1_000;
const CROWD: usize = 2_000;
/// Crowds after the first.
const LATER: usize = 3;

/// As many ask at the same moment. Answers those that were admitted, and the problems of the others.
async fn wave(port: u16, session: &str, count: usize) -> (Vec<Bare>, Vec<String>) {
    let ready = Arc::new(Barrier::new(count));
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let (ready, session) = (ready.clone(), session.to_owned());
        asking.spawn(async move {
            let mut one = Bare::connect(port).await;
            ready.wait().await;
            one.ask(&session, "1.1").await;
            match one.status().await {
                StatusCode::OK => {
                    one.until("\nevent: status\n").await;
                    Ok(one)
                }
                StatusCode::SERVICE_UNAVAILABLE => Err(one.until("\"retry_after\":").await),
                other => panic!("{other}"),
            }
        });
    }
    let (held, refused): (Vec<_>, Vec<_>) = asking.join_all().await.into_iter().partition(Result::is_ok);
    (held.into_iter().flatten().collect(), refused.into_iter().filter_map(Result::err).collect())
}

/// When it may come back, s.
fn retry_after(refusal: &str, session: &str) -> u32 {
    let (head, body) = refusal.split_once("\r\n\r\n").expect("a head");
    let after = head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse().ok());
    let problem: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["poll_url"], json!(format!("/api/v1/sessions/{session}/status")));
    assert_eq!(problem["retry_after"], json!(after));
    after.expect("seconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_at_once_where_one_thousand_may_come() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("max-connections", CAP).start();
    let (client, session) = (server.client(), fresh("crowd"));
    client.publish(&session, 1).await;
    client.evaluated().await;
    let cold = Memory::of(&server);

    let (held, refused) = wave(server.port, &session, CROWD).await;
    assert_eq!((held.len(), refused.len()), (CAP, CROWD - CAP));
    let mut waits = HashMap::new();
    for refusal in &refused {
        *waits.entry(retry_after(refusal, &session)).or_insert(0) += 1;
    }
    assert!((2..8).all(|s| waits.get(&s).is_some_and(|&n| n > 80)), "they do not return as one: {waits:?}");
    streams(&client, CAP, 5).await;
    // Full of streams, the node still takes events and polls.
    client.publish(&session, 2).await;
    assert_eq!(client.poll(&session).await.status(), StatusCode::OK);

    // Every place is free again, and there is none too many.
    drop(held);
    streams(&client, 0, 10).await;
    cold.is_back(&server, 24_000_000).await;
    // Free memory goes back to the system within a second or two. After that no later crowd leaves more than the first.
    sleep(Duration::from_secs(3)).await;
    let after_one = Memory::of(&server);
    for _ in 0..LATER {
        let (held, refused) = wave(server.port, &session, CAP + 1).await;
        assert_eq!((held.len(), refused.len()), (CAP, 1));
        drop((held, refused));
        streams(&client, 0, 10).await;
        after_one.is_back(&server, 2_000_000).await;
    }
    server.stop();
    assert_eq!(database.counted("connect_refused").await, (CROWD - CAP + LATER) as i64);
    assert_eq!(database.counted("connect_established").await, ((1 + LATER) * CAP) as i64);
}

/// Sends a batch, one line a session, and answers each line's status.
async fn batch(client: &Client, sessions: &[String]) -> Vec<u64> {
    let line = |session| json!({ "session": session, "stage": "work", "progress": 1, "data": 2 }).to_string();
    let lines: Vec<_> = sessions.iter().map(line).collect();
    let request = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
    let answer = request.body(lines.join("\n")).send().await.expect("an answer");
    assert_eq!(answer.status(), 207);
    let fates: Vec<Value> = answer.json().await.expect("JSON");
    fates.iter().map(|fate| fate["status"].as_u64().expect("a status")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_full_of_sessions_refuses_new_ones_line_by_line_and_serves_those_it_has() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let known = fresh("known");
    client.publish(&known, 1).await;
    let mut follower = client.follow(&known).await;
    assert_eq!(follower.numbers(1).await, [1]);

    let mut made = 0;
    let refused = loop {
        let sessions: Vec<_> = (made..made + 1_000).map(|number| format!("crowd-{number}")).collect();
        let fates = batch(&client, &sessions).await;
        made += sessions.len();
        assert!(fates.iter().all(|status| [202, 503].contains(status)), "{fates:?}");
        if let Some(place) = fates.iter().position(|status| *status == 503) {
            break sessions[place].clone();
        }
        assert!(made < 250_000, "no end to {made} sessions");
    };
    assert!(made > 150_000, "full with {made} sessions");
    assert_eq!(batch(&client, &[refused.clone(), known.clone(), refused.clone()]).await, [503, 202, 503]);
    let alone = client.event(&refused, 1).send().await.expect("an answer");
    assert_eq!(alone.status(), 503);
    assert!(alone.headers().contains_key("retry-after"));
    client.publish(&known, 3).await;
    assert_eq!(follower.numbers(2).await, [2, 3], "those that are there go on");
    assert_eq!(client.poll(&known).await.status(), 200);
    client.complete(&known).await;
}
