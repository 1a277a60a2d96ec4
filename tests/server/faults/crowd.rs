use crate::support::{Bare, Database, Launch, Memory, fresh, streams};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use tokio::{sync::Barrier, task::JoinSet};

const CAP: usize = 1_000;
const CROWD: usize = 2_000;

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
    let after_one = Memory::of(&server);
    let (held, refused) = wave(server.port, &session, CAP + 1).await;
    assert_eq!((held.len(), refused.len()), (CAP, 1));
    drop((held, refused));
    streams(&client, 0, 10).await;
    after_one.is_back(&server, 6_000_000).await;
    server.stop();
    assert_eq!(database.counted("connect_refused").await, (CROWD - CAP + 1) as i64);
    assert_eq!(database.counted("connect_established").await, 2 * CAP as i64);
}
