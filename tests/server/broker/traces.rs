//! What stays in Redis: nothing, once nobody needs it.

use super::{Stage, Through};
use crate::support::{Client, Database, Follower, Launch, Redis, Scrape, eventually, fresh};
use redis::AsyncCommands;
use reqwest::StatusCode;

#[tokio::test]
async fn a_node_leaves_a_channel_with_its_last_follower() {
    let stage = Stage::new(Through::Redis, &[]).await;
    let mut redis = stage.redis.as_ref().expect("Redis").connect().await;
    let session = fresh("channel");
    let channel = format!("sg:{{{session}}}:live");
    let mut listeners = async |expected: u64| {
        eventually(&format!("{expected} connections on {channel}"), 5, async || {
            let mut ask = redis::cmd("PUBSUB");
            ask.arg("NUMSUB").arg(&channel);
            let (_, count): (String, u64) = ask.query_async(&mut redis).await.expect("Redis");
            (count == expected).then_some(())
        })
        .await;
    };
    stage.client.publish(&session, 1).await;
    listeners(0).await;
    let (mut one, two) = (stage.client.follow(&session).await, stage.client.follow(&session).await);
    listeners(1).await;
    drop(two);
    stage.client.publish(&session, 2).await;
    assert_eq!(one.numbers(2).await, [1, 2]);
    listeners(1).await;
    drop(one);
    listeners(0).await;
    // A stream of a session that does not exist leaves nothing behind either.
    let nothing = Follower::open(stage.client.stream(&fresh("nothing")).query(&[("user", "ann")])).await;
    let mut redis = stage.redis.as_ref().expect("Redis").connect().await;
    let mut traces = async || {
        let mut ask = redis::cmd("PUBSUB");
        let channels: Vec<String> =
            ask.arg("CHANNELS").arg("sg:{nothing-*").query_async(&mut redis).await.expect("Redis");
        let keys: Vec<String> = redis.keys("sg:{nothing-*").await.expect("Redis");
        (channels.len(), keys.len())
    };
    assert_eq!(traces().await, (1, 1), "its channel, and its user's place");
    drop(nothing);
    eventually("no channel and no key of the unknown", 5, async || (traces().await == (0, 0)).then_some(()))
        .await;
}

/// A client that invents names must not fill the memory or the database of an open server with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_never_become_sessions_leave_nothing_behind() {
    let stage = Stage::new(Through::Nothing, &[]).await;
    for version in ["1.1", "2"] {
        let client = Client::over(stage.server().port, version);
        let mut held = Vec::new();
        for n in 0..50 {
            let last = if n % 2 == 0 { "" } else { "abc-1" };
            let stream = client.stream(&fresh("invented")).header("last-event-id", last);
            held.push(Follower::open(stream.query(&[("user", format!("u{n}"))])).await);
        }
    }
    let client = &stage.client;
    let real = fresh("real");
    client.publish(&real, 1).await;
    drop(client.follow(&real).await);
    eventually("all streams are closed", 10, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        (scrape.get("streamgauge_open_streams") == 0.0).then_some(())
    })
    .await;
    let mut database = stage.database.connect().await;
    let mut marked = async || {
        let names =
            sqlx::query_scalar("SELECT DISTINCT session FROM session_marks").fetch_all(&mut database).await;
        names.expect("marks") as Vec<String>
    };
    let marked = eventually("what happened is stored", 10, async || {
        let names = marked().await;
        (!names.is_empty()).then_some(names)
    })
    .await;
    assert_eq!(marked, std::slice::from_ref(&real));
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT id FROM sessions").fetch_all(&mut database).await.expect("rows");
    assert_eq!(rows, [real]);
}

#[tokio::test]
async fn nothing_of_an_ended_session_stays_in_redis() {
    let stage = Stage::new(Through::Redis, &[("history-ms", 60_000)]).await;
    let mut redis = stage.redis.as_ref().expect("Redis").connect().await;
    let session = fresh("expires");
    let answer =
        stage.client.event(&session, 1).header("idempotency-key", "k").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(stage.client.complete(&session).await.status(), StatusCode::ACCEPTED);
    let keys: Vec<String> = redis.keys(format!("sg:{{{session}}}:*")).await.expect("Redis");
    assert_eq!(keys.len(), 3, "state, history, the idempotency key: {keys:?}");
    for key in keys {
        let left: i64 = redis.pttl(&key).await.expect("Redis");
        assert!((1..=60_000).contains(&left), "{key} lives for {left} ms");
    }
    assert!(stage.server().log().contains("listens"), "the server still runs");
}

#[tokio::test]
async fn ended_sessions_leave_no_key_and_no_channel() {
    let redis = Redis::start();
    let database = Database::new().await;
    let server = Launch::on(&database).redis(&redis).flag("history-ms", 1_000).start();
    let client = server.client();
    let mut followers = Vec::new();
    for _ in 0..20 {
        let session = fresh("gone");
        let event = client.event(&session, 1).header("idempotency-key", "k").send().await.expect("an answer");
        assert_eq!(event.status(), StatusCode::ACCEPTED);
        let stream = client.stream(&session).query(&[("user", "ann")]);
        followers.push((Follower::open(stream).await, session));
    }
    let mut redis = redis.connect().await;
    let keys: Vec<String> = redis.keys("sg:*").await.expect("Redis");
    assert_eq!(keys.len(), 80, "state, history, idempotency key, the user's places");
    for (mut follower, session) in followers {
        assert_eq!(client.complete(&session).await.status(), StatusCode::ACCEPTED);
        while follower.news().await.is_some() {}
    }
    eventually("no key and no channel is left", 10, async || {
        let keys: Vec<String> = redis.keys("*").await.expect("Redis");
        let channels: Vec<String> =
            redis::cmd("PUBSUB").arg("CHANNELS").query_async(&mut redis).await.expect("Redis");
        (keys.is_empty() && channels.is_empty()).then_some(())
    })
    .await;
}
