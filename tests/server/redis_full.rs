//! A Redis at its memory limit answers, but takes nothing more: that is not a Redis that is away.

use crate::support::{Client, Database, Launch, Redis, body, eventually, fresh};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a full Redis is asked for, and what must come of it.
async fn refused(client: &Client, session: &str) {
    let answer = client.event(session, 99).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    let problem = body(answer).await;
    assert!(problem["detail"].as_str().expect("why").contains("memory limit"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_redis_memory_limit_publishing_alone_is_refused_and_says_why() {
    let (redis, database) = (Redis::start(), Database::new().await);
    let server = Launch::on(&database).redis(&redis).flag("heartbeat-ms", 200).start();
    let (client, session) = (server.client(), fresh("full"));
    client.publish_all(&session, 1..=3).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [3]);
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;

    let until = Instant::now() + Duration::from_secs(3);
    let mut asked = 0;
    while Instant::now() < until {
        refused(&client, &session).await;
        // Neither by a batch, nor by an event or a creation that makes the session, nor by the end.
        refused(&client, &fresh("full-new")).await;
        assert_eq!(client.create(&fresh("full-made")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(client.complete(&session).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        let line = json!({ "session": session, "stage": "work", "progress": 1 }).to_string();
        let batch = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
        let fates: Value = body(batch.body(line).send().await.expect("an answer")).await;
        assert_eq!(fates[0]["status"], json!(503));

        let polled = client.poll(&session).await;
        assert_eq!(polled.status(), StatusCode::OK);
        assert_eq!(body(polled).await["data"], json!(3));
        let ready = client.get("/readyz").send().await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::OK);
        // A new stream, also one that is counted by its user.
        let mut new = crate::support::Follower::open(client.stream(&session).query(&[("user", "ann")])).await;
        assert_eq!(new.numbers(1).await, [3]);
        asked += 1;
    }
    assert!(asked > 5, "{asked}");
    let log = server.log();
    assert_eq!(log.matches("Redis is at its memory limit").count(), 1, "{log}");
    assert_eq!(log.matches("Redis is away").count(), 0, "{log}");
    assert_eq!(log.matches("Redis answers").count(), 1, "at the start alone: {log}");

    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    client.publish(&session, 4).await;
    assert_eq!(follower.numbers(1).await, [4], "nothing that was refused came through");
    eventually("it is said that Redis has memory again", 10, async || {
        client.publish(&session, 5).await;
        server.log().contains("Redis has memory again").then_some(())
    })
    .await;
    assert_eq!(server.log().matches("Redis has memory again").count(), 1);
    assert_eq!(server.log().matches("Redis is at its memory limit").count(), 1);
}

/// It takes some and refuses others, many times a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_one_event_and_refuses_the_next_is_logged_once() {
    let (redis, database) = (Redis::start(), Database::new().await);
    let server = Launch::on(&database).redis(&redis).start();
    let (client, session) = (server.client(), fresh("brim"));
    client.publish(&session, 1).await;
    for n in 2..=12 {
        redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
        refused(&client, &session).await;
        redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
        client.publish(&session, n).await;
    }
    let said = server.log();
    assert_eq!(said.lines().filter(|line| line.contains("memory")).count(), 1, "{said}");
}
