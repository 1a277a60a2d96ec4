//! Back ends that `PUBLISH session:{id}:status` by themselves, as they did before: heard, numbered, once.

use crate::support::{Client, Database, Launch, Redis, Server, eventually, fresh};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

struct Stage {
    a: (Client, Server),
    b: (Client, Server),
    backend: MultiplexedConnection,
    _redis: Redis,
    database: Database,
}

/// Two nodes, and a back end that knows nothing of them.
async fn stage() -> Stage {
    let (redis, database) = (Redis::start(), Database::new().await);
    let node = async |name: &str| {
        let server = Launch::on(&database).redis(&redis).flag("node", name).start();
        (server.client(), server)
    };
    let (a, b) = (node("a").await, node("b").await);
    let mut backend = redis.connect().await;
    eventually("both nodes listen", 10, async || {
        let mut ask = redis::cmd("PUBSUB");
        let listeners: u64 = ask.arg("NUMPAT").query_async(&mut backend).await.expect("Redis");
        // Redis counts a pattern once, however many clients have it.
        let clients: String =
            redis::cmd("CLIENT").arg("LIST").query_async(&mut backend).await.expect("Redis");
        (listeners == 1 && clients.matches("psub=1").count() == 2).then_some(())
    })
    .await;
    Stage { a, b, backend, _redis: redis, database }
}

impl Stage {
    async fn say(&mut self, session: &str, message: &Value) {
        let channel = format!("session:{session}:status");
        let heard: u64 = self.backend.publish(channel, message.to_string()).await.expect("Redis");
        assert_eq!(heard, 2, "both nodes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_is_one_event_on_both_nodes() {
    const EVENTS: u64 = 300;
    let mut stage = stage().await;
    let session = fresh("plain");
    stage.a.0.create(&session).await;
    let mut on_a = stage.a.0.follow(&session).await;
    let mut on_b = stage.b.0.follow(&session).await;
    for n in 1..=EVENTS {
        stage.say(&session, &json!({ "stage": "work", "progress": n % 101, "data": n })).await;
    }
    for follower in [&mut on_a, &mut on_b] {
        assert_eq!(follower.numbers(EVENTS as usize).await, (1..=EVENTS).collect::<Vec<_>>());
    }
    let polled: Value = stage.b.0.poll(&session).await.json().await.expect("JSON");
    let id = polled["id"].as_str().expect("an id").to_owned();
    assert!(id.ends_with(&format!("-{EVENTS}")), "{id}");
    // They count like any others.
    stage.say(&session, &json!({ "status": "completed" })).await;
    for mut follower in [on_a, on_b] {
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
    }
    let Stage { a, b, database, .. } = stage;
    a.1.stop();
    b.1.stop();
    assert_eq!(database.counted("published").await, EVENTS as i64 + 1);
    assert_eq!(database.counted("sessions_completed").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_twice_is_heard_twice() {
    let mut stage = stage().await;
    let session = fresh("twice");
    stage.a.0.create(&session).await;
    let mut follower = stage.b.0.follow(&session).await;
    let same = json!({ "stage": "work", "progress": 1, "data": 1 });
    for _ in 0..5 {
        stage.say(&session, &same).await;
    }
    stage.say(&session, &json!({ "stage": "work", "progress": 2, "data": 2 })).await;
    stage.say(&session, &same).await;
    assert_eq!(follower.numbers(7).await, [1, 1, 1, 1, 1, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lags_brings_nothing_twice() {
    let mut stage = stage().await;
    let session = fresh("lags");
    stage.a.0.create(&session).await;
    let mut on_a = stage.a.0.follow(&session).await;
    let mut on_b = stage.b.0.follow(&session).await;
    let message = |n: u64| json!({ "stage": "work", "progress": n / 2, "data": n / 2 });
    stage.b.1.freeze();
    // Each twice.
    for n in 0..40 {
        stage.say(&session, &message(n)).await;
    }
    let all: Vec<u64> = (0..40).map(|n| n / 2).collect();
    assert_eq!(on_a.numbers(40).await, all);
    // Longer than a newcomer's first copy counts as another's.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stage.b.1.thaw();
    stage.say(&session, &message(100)).await;
    assert_eq!(on_b.numbers(41).await, [all, vec![50]].concat());
    assert_eq!(on_a.numbers(1).await, [50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_begins_with_its_first_plain_message() {
    let mut stage = stage().await;
    let session = fresh("unfollowed");
    stage.say(&session, &json!({ "session_id": session, "status": "transcribing", "progress": 12.5 })).await;
    stage.say(&session, &json!({ "message": "half", "progress": 50 })).await;
    let polled = eventually("it is known", 5, async || {
        let polled: Value = stage.b.0.poll(&session).await.json().await.expect("JSON");
        (polled["progress"] == json!(50)).then_some(polled)
    })
    .await;
    assert_eq!((&polled["stage"], &polled["message"]), (&json!("transcribing"), &json!("half")));
    let mut follower = stage.a.0.follow(&session).await;
    let snapshot = follower.news().await.expect("a snapshot");
    assert_eq!(snapshot.data["progress"], json!(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_status_is_counted_and_passed_over() {
    let mut stage = stage().await;
    let session = fresh("malformed");
    stage.a.0.create(&session).await;
    let mut follower = stage.a.0.follow(&session).await;
    let channel = format!("session:{session}:status");
    let bad: [&[u8]; 5] = [b"", b"hello", b"[1]", b"{\"progress\":1e9}", b"\xff\xfe"];
    for bad in bad.iter().cycle().take(50) {
        let _: u64 = stage.backend.publish(&channel, *bad).await.expect("Redis");
    }
    let _: u64 = stage.backend.publish("session:a b:status", "{}").await.expect("Redis");
    stage.say(&session, &json!({ "stage": "work", "progress": 1, "data": 1 })).await;
    assert_eq!(follower.numbers(1).await, [1]);
    assert_eq!(stage.a.0.get("/healthz").send().await.expect("an answer").status(), StatusCode::OK);
    let said = stage.a.1.log().matches("passed over what was published").count();
    assert!((1..=3).contains(&said), "said {said} times");
    let Stage { a, b, database, .. } = stage;
    a.1.stop();
    b.1.stop();
    // By both nodes: each heard them.
    assert_eq!(database.counted("plain_bad").await, 102);
}

/// A page follows before the back end's first `PUBLISH`: nobody creates the session for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_follower_hears_a_back_end_from_its_first_message_on() {
    let mut stage = stage().await;
    let session = fresh("early-plain");
    let mut on_a = stage.a.0.follow(&session).await;
    let mut on_b = stage.b.0.follow(&session).await;
    assert_eq!(stage.a.0.poll(&session).await.status(), StatusCode::NOT_FOUND);
    for n in 1..=20 {
        stage.say(&session, &json!({ "stage": "work", "progress": n, "data": n })).await;
    }
    for follower in [&mut on_a, &mut on_b] {
        assert_eq!(follower.numbers(20).await, (1..=20).collect::<Vec<_>>());
    }
}

/// A back end that goes on after the end says nothing more, however long ago that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_message_begins_no_second_life() {
    let mut stage = stage().await;
    let (session, other) = (fresh("over-plain"), fresh("other-plain"));
    stage.say(&session, &json!({ "stage": "work", "progress": 1, "status": "completed" })).await;
    let state = async |client: &Client| {
        let polled = client.poll(&session).await;
        (polled.status() == StatusCode::OK)
            .then_some(polled.json::<Value>().await.expect("JSON")["state"].clone())
    };
    eventually("it has ended", 5, async || state(&stage.a.0).await.filter(|state| *state == "completed"))
        .await;
    let mut database = stage.database.connect().await;
    eventually("its end is stored", 10, async || {
        let row = sqlx::query_scalar("SELECT state FROM sessions WHERE id = $1").bind(&session);
        let state: Option<String> = row.fetch_optional(&mut database).await.expect("rows");
        (state.as_deref() == Some("completed")).then_some(())
    })
    .await;
    // Redis has forgotten it.
    let keys: Vec<String> = stage.backend.keys(format!("sg:{{{session}}}:*")).await.expect("Redis");
    let _: u64 = stage.backend.del(keys).await.expect("Redis");
    stage.say(&session, &json!({ "stage": "again", "progress": 2 })).await;
    stage.say(&other, &json!({ "stage": "work", "progress": 1 })).await;
    eventually("another is taken in", 5, async || {
        (stage.a.0.poll(&other).await.status() == StatusCode::OK).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let keys: Vec<String> = stage.backend.keys(format!("sg:{{{session}}}:*")).await.expect("Redis");
    assert_eq!(keys, [] as [String; 0]);
    assert_eq!(state(&stage.b.0).await, Some(json!("completed")));
}
