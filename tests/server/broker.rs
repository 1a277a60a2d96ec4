//! What a broker must do, seen from outside: one list of scenarios, run in process, through Redis and through a Redis
//! Cluster.

use crate::support::{
    Client, Database, Event, Follower, Launch, Redis, RedisCluster, Server, Shared, eventually, fresh,
};
use redis::AsyncCommands;
use reqwest::StatusCode;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

static REDIS: Shared<Redis> = Shared::new();
static CLUSTER: Shared<RedisCluster> = Shared::new();

#[derive(Clone, Copy)]
enum Through {
    Nothing,
    Redis,
    Cluster,
}

/// A server with one of the brokers, and everything under it.
struct Stage {
    server: Server,
    client: Client,
    redis: Option<Arc<Redis>>,
    _cluster: Option<Arc<RedisCluster>>,
    _database: Database,
}

impl Stage {
    async fn new(through: Through, flags: &[(&str, u32)]) -> Stage {
        let database = Database::new().await;
        let redis = matches!(through, Through::Redis).then(|| REDIS.get(Redis::start));
        let cluster = matches!(through, Through::Cluster).then(|| CLUSTER.get(RedisCluster::start));
        let mut launch = Launch::on(&database);
        for (name, value) in flags {
            launch = launch.flag(name, value);
        }
        if let Some(redis) = &redis {
            launch = launch.redis(redis);
        }
        if let Some(cluster) = &cluster {
            launch = launch.cluster(cluster);
        }
        let server = launch.start();
        Stage { client: server.client(), server, redis, _cluster: cluster, _database: database }
    }
}

/// Each scenario with each broker, under the settings before its list.
macro_rules! contract {
    ($($settings:expr => $($scenario:ident)*;)*) => {
        mod in_process { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(&super::Stage::new(super::Through::Nothing, &$settings).await).await; }
        )*)* }
        mod through_redis { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(&super::Stage::new(super::Through::Redis, &$settings).await).await; }
        )*)* }
        mod through_a_redis_cluster { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(&super::Stage::new(super::Through::Cluster, &$settings).await).await; }
        )*)* }
    };
}

contract! {
    [] =>
        a_session_is_created_once
        nobody_knows_an_unknown_session
        the_first_event_makes_its_session
        ids_count_up_in_one_epoch
        a_newcomer_gets_a_snapshot_then_every_event
        however_often_a_follower_is_cut_it_misses_nothing
        an_absurd_position_is_a_gap_or_refused
        a_session_ends_once_and_for_all
        a_repeated_request_publishes_once
        a_poll_says_when_to_ask_again_and_what_is_unchanged
        everybody_gets_everything;
    [("history-events", 4)] =>
        what_history_let_go_is_a_gap;
    [("heartbeat-ms", 200), ("idle-close-ms", 1000)] =>
        silence_is_pinged_then_closed;
}

async fn a_session_is_created_once(Stage { client, .. }: &Stage) {
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

async fn nobody_knows_an_unknown_session(Stage { client, .. }: &Stage) {
    let session = fresh("unknown");
    let stream = client.stream(&session).send().await.expect("an answer");
    assert_eq!(stream.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.poll(&session).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.complete(&session).await.status(), StatusCode::NOT_FOUND);
    // Asking made none.
    assert_eq!(client.poll(&session).await.status(), StatusCode::NOT_FOUND);
}

async fn the_first_event_makes_its_session(Stage { client, .. }: &Stage) {
    let session = fresh("first");
    let id = client.publish(&session, 1).await;
    assert!(id.ends_with("-1"), "{id}");
    let status: serde_json::Value = client.poll(&session).await.json().await.expect("JSON");
    assert_eq!((&status["id"], &status["stage"], &status["data"]), (&json!(id), &json!("work"), &json!(1)));
}

async fn ids_count_up_in_one_epoch(Stage { client, .. }: &Stage) {
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

async fn a_newcomer_gets_a_snapshot_then_every_event(Stage { client, .. }: &Stage) {
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

async fn however_often_a_follower_is_cut_it_misses_nothing(Stage { client, .. }: &Stage) {
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

async fn an_absurd_position_is_a_gap_or_refused(Stage { client, .. }: &Stage) {
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

async fn what_history_let_go_is_a_gap(Stage { client, .. }: &Stage) {
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

async fn a_session_ends_once_and_for_all(Stage { client, .. }: &Stage) {
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

async fn a_repeated_request_publishes_once(Stage { client, .. }: &Stage) {
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

async fn a_poll_says_when_to_ask_again_and_what_is_unchanged(Stage { client, .. }: &Stage) {
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

async fn everybody_gets_everything(Stage { client, .. }: &Stage) {
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

async fn silence_is_pinged_then_closed(Stage { client, .. }: &Stage) {
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
    // A request for a session that does not exist leaves nothing behind either.
    let nothing = stage.client.stream(&fresh("nothing")).send().await.expect("an answer");
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    let mut redis = stage.redis.as_ref().expect("Redis").connect().await;
    eventually("no channel of the unknown", 5, async || {
        let mut ask = redis::cmd("PUBSUB");
        let left: Vec<String> =
            ask.arg("CHANNELS").arg("sg:{nothing-*").query_async(&mut redis).await.expect("Redis");
        left.is_empty().then_some(())
    })
    .await;
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
    assert!(stage.server.log().contains("listens"), "the server still runs");
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
        followers.push((client.follow(&session).await, session));
    }
    let mut redis = redis.connect().await;
    let keys: Vec<String> = redis.keys("sg:*").await.expect("Redis");
    assert_eq!(keys.len(), 60, "state, history, idempotency key");
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
