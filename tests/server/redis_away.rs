//! Redis stops for a while: streams stay open, publishers are told to come back, and nobody misses anything unknowingly.

use crate::support::{
    Bare, Client, Database, Follower, Launch, Loading, Memory, Proxy, Redis, Server, eventually, fresh,
    streams,
};
use reqwest::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

fn node(name: &str, database: &Database, redis: &Redis) -> Server {
    Launch::on(database).redis(redis).flag("node", name).flag("heartbeat-ms", 200).start()
}

/// Publishing and new streams are refused at once and politely, while an open stream goes on.
async fn refused(client: &Client, session: &str, follower: &mut Follower) {
    for _ in 0..3 {
        let since = Instant::now();
        let answer = client.event(session, 99).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    }
    let stream = client.stream(session).send().await.expect("an answer");
    assert_eq!(stream.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(stream.headers().contains_key("retry-after"));
    let ready = client.get("/readyz").send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE, "no new streams may come here now");
    for _ in 0..2 {
        assert_eq!(follower.next().await.expect("an open stream").name, "ping");
    }
}

/// As a publisher does it: until it is accepted.
async fn publish_when_possible(client: &Client, session: &str, n: u64) {
    eventually("publishing works again", 15, async || {
        let answer = client.event(session, n).send().await.expect("an answer");
        (answer.status() == StatusCode::ACCEPTED).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_comes_back_open_streams_get_what_they_missed() {
    let (mut redis, database) = (Redis::that_keeps(), Database::new().await);
    let (a, b) = (node("a", &database, &redis), node("b", &database, &redis));
    let (a, b) = ((a.client(), a), (b.client(), b));
    let sessions: Vec<String> = (0..10).map(|_| fresh("kept")).collect();
    let mut followers = Vec::new();
    for session in &sessions {
        a.0.publish_all(session, 1..=2).await;
        for node in [&a.0, &b.0] {
            let mut follower = node.follow(session).await;
            assert_eq!(follower.numbers(1).await, [2]);
            followers.push(follower);
        }
    }
    let memory = [Memory::of(&a.1), Memory::of(&b.1)];
    for _ in 0..2 {
        redis.kill();
        refused(&a.0, &sessions[0], &mut followers[0]).await;
        redis.again();
        // At once, and so before both nodes listen again.
        for session in &sessions {
            publish_when_possible(&b.0, session, 3).await;
        }
        for follower in &mut followers {
            assert_eq!(follower.numbers(1).await, [3]);
        }
    }
    // Nothing comes after an end: followers that did not hear it must get it without another event.
    redis.kill();
    for _ in 0..6 {
        // By now both nodes try again only once a second, and so miss what comes first.
        assert_eq!(followers[0].next().await.expect("an open stream").name, "ping");
    }
    redis.again();
    for session in &sessions {
        eventually("the session can be ended", 15, async || {
            (b.0.complete(session).await.status() == StatusCode::ACCEPTED).then_some(())
        })
        .await;
    }
    for follower in &mut followers {
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
    }
    let ready = a.0.get("/readyz").send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::OK);
    memory[0].is_back(&a.1, 8_000_000).await;
    memory[1].is_back(&b.1, 8_000_000).await;
}

/// It dies with publishes under way, twice: what was accepted, or whose answer was lost, comes to everybody once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_redis_dies_comes_once() {
    const PUBLISHERS: usize = 4;
    const EVENTS: u64 = 400;
    let (mut redis, database) = (Redis::that_keeps(), Database::new().await);
    let (a, b) = (node("a", &database, &redis), node("b", &database, &redis));
    let (mut following, mut publishing) = (Vec::new(), Vec::new());
    let memory = [Memory::of(&a), Memory::of(&b)];
    for _ in 0..PUBLISHERS {
        let (session, client) = (fresh("dies"), a.client());
        client.create(&session).await;
        for node in [&a, &a, &b, &b] {
            let mut follower = node.client().follow(&session).await;
            following.push(tokio::spawn(async move {
                let told = follower.until(EVENTS).await;
                assert_eq!(follower.news().await.expect("the end").name, "end");
                told
            }));
        }
        publishing.push(tokio::spawn(async move {
            for n in 1..=EVENTS {
                client.publish_surely(&session, n).await;
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            session
        }));
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!publishing.iter().any(|one| one.is_finished()), "all are at it");
        redis.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.again();
        b.client().is_ready().await;
    }
    for one in publishing {
        let session = one.await.expect("all was accepted");
        assert_eq!(b.client().complete(&session).await.status(), StatusCode::ACCEPTED);
    }
    for one in following {
        assert_eq!(one.await.expect("it followed to the end"), ((1..=EVENTS).collect(), 0));
    }
    // What the other node counts comes by its rows, one every 10 s and late.
    streams(&a.client(), 0, 30).await;
    memory[0].is_back(&a, 8_000_000).await;
    memory[1].is_back(&b, 8_000_000).await;
    a.stop();
    b.stop();
    assert_eq!(database.counted("delivered").await, 4 * PUBLISHERS as i64 * (EVENTS as i64 + 1));
    database.accounts().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_comes_back_empty_the_next_event_comes_with_a_gap() {
    let (mut redis, database) = (Redis::start(), Database::new().await);
    let server = node("a", &database, &redis);
    let (client, session) = (server.client(), fresh("lost"));
    client.publish_all(&session, 1..=5).await;
    let mut follower = client.follow(&session).await;
    let before = follower.news().await.expect("a snapshot").id.expect("an id");
    redis.kill();
    refused(&client, &session, &mut follower).await;
    redis.again();
    publish_when_possible(&client, &session, 6).await;
    let gap = follower.news().await.expect("an open stream");
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("epoch")));
    assert_eq!(follower.numbers(1).await, [6]);
    client.publish(&session, 7).await;
    assert_eq!(follower.numbers(1).await, [7]);
    let resumed = client.resume(&session, &before).await.news().await.expect("a gap");
    assert_eq!(resumed.data["reason"], json!("epoch"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_to_redis_loses_nothing() {
    const EVENTS: u64 = 300;
    let (redis, database) = (Redis::start(), Database::new().await);
    let (a, b) = (node("a", &database, &redis), node("b", &database, &redis));
    let (publisher, session) = (b.client(), fresh("severed"));
    publisher.create(&session).await;
    let mut follower = a.client().follow(&session).await;
    let cutting = tokio::spawn({
        let mut connection = redis.connect().await;
        async move {
            for _ in 0..6 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let mut cut = redis::cmd("CLIENT");
                cut.arg("KILL").arg("TYPE").arg("pubsub");
                let _: u64 = cut.query_async(&mut connection).await.expect("Redis");
            }
        }
    });
    for n in 1..=EVENTS {
        publisher.publish(&session, n).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    cutting.await.expect("six cuts");
    assert_eq!(follower.numbers(EVENTS as usize).await, (1..=EVENTS).collect::<Vec<_>>());
}

/// More sessions than are asked for in one round trip.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sessions_are_listened_to_again() {
    const SESSIONS: usize = 1_200;
    let (redis, database) = (Redis::start(), Database::new().await);
    let (a, b) = (node("a", &database, &redis), node("b", &database, &redis));
    let (publisher, sessions) = (b.client(), (0..SESSIONS).map(|_| fresh("many")).collect::<Vec<_>>());
    publish_each(&publisher, &sessions, 1).await;
    let mut followers = Vec::new();
    for session in &sessions {
        followers.push(Bare::follow(a.port, session).await);
    }
    let mut connection = redis.connect().await;
    for n in 2..=3 {
        let mut cut = redis::cmd("CLIENT");
        cut.arg("KILL").arg("TYPE").arg("pubsub");
        let _: u64 = cut.query_async(&mut connection).await.expect("Redis");
        // Most likely while it listens to none of them, or to some.
        publish_each(&publisher, &sessions, n).await;
        for follower in &mut followers {
            follower.past(&format!("\"progress\":{n}")).await;
        }
    }
}

/// One event for each of them, a thousand a request.
async fn publish_each(client: &Client, sessions: &[String], n: usize) {
    for some in sessions.chunks(1_000) {
        let line = |session| json!({ "session": session, "stage": "work", "progress": n }).to_string();
        let lines: Vec<_> = some.iter().map(line).collect();
        let batch = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
        let answer = batch.body(lines.join("\n")).send().await.expect("an answer");
        let fates: serde_json::Value = answer.json().await.expect("JSON");
        let fates = fates.as_array().expect("a fate a line");
        assert!(fates.iter().all(|fate| fate["status"] == 202), "{fates:?}");
    }
}

#[tokio::test]
async fn a_server_starts_without_its_redis() {
    let (mut redis, database) = (Redis::start(), Database::new().await);
    redis.kill();
    let server = node("a", &database, &redis);
    let (client, session) = (server.client(), fresh("early"));
    let answer = client.create(&session).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    redis.again();
    publish_when_possible(&client, &session, 1).await;
    eventually("streams open again", 5, async || {
        client.stream(&session).send().await.expect("an answer").status().is_success().then_some(())
    })
    .await;
    let mut follower = client.follow(&session).await;
    client.publish(&session, 2).await;
    assert_eq!(follower.numbers(2).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_noticed_and_found_again() {
    let (redis, database) = (Redis::start(), Database::new().await);
    let (a, b) = (node("a", &database, &redis), node("b", &database, &redis));
    let (a, b) = ((a.client(), a), (b.client(), b));
    let session = fresh("frozen");
    a.0.publish(&session, 1).await;
    let mut follower = b.0.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [1]);
    redis.freeze();
    refused(&a.0, &session, &mut follower).await;
    // The other node has asked for nothing, and notices too.
    eventually("a hanging Redis is noticed", 12, async || {
        let ready = b.0.get("/readyz").send().await.expect("an answer");
        (ready.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    redis.thaw();
    for (client, _) in [&a, &b] {
        ready_means_ready(client, &session).await;
    }
    publish_when_possible(&a.0, &session, 2).await;
    // Frozen, Redis may have kept the refused events for later; the follower gets them in their order.
    let mut last = follower.news().await.expect("an event").number();
    while last != 2 {
        assert_eq!(last, 99);
        last = follower.news().await.expect("an event").number();
    }
}

/// From the moment that a node says it is ready, a stream opens.
async fn ready_means_ready(client: &Client, session: &str) {
    eventually("ready again", 15, async || {
        let ready = client.get("/readyz").send().await.expect("an answer");
        (ready.status() == StatusCode::OK).then_some(())
    })
    .await;
    let stream = client.stream(session).send().await.expect("an answer");
    assert_eq!(stream.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_comes_back_empty_a_follower_may_come_back_before_the_publisher() {
    let (mut redis, database) = (Redis::start(), Database::new().await);
    let server = node("a", &database, &redis);
    let (client, session, over) = (server.client(), fresh("forgotten"), fresh("over"));
    client.publish_all(&session, 1..=5).await;
    client.publish(&over, 1).await;
    let mut stayed = client.follow(&session).await;
    let mut left = client.follow(&session).await;
    let seen = left.news().await.expect("a snapshot").id.expect("an id");
    drop(left);
    let mut ended = client.follow(&over).await;
    client.complete(&over).await;
    while ended.news().await.is_some() {}
    for _ in 0..2 {
        redis.kill();
        redis.again();
        ready_means_ready(&client, &session).await;
    }
    // What was last told of it still is.
    let polled: serde_json::Value = client.poll(&session).await.json().await.expect("JSON");
    assert_eq!(polled["id"], json!(seen));
    let mut resumed = client.resume(&session, &seen).await;
    let mut newcomer = client.follow(&session).await;
    assert_eq!(newcomer.numbers(1).await, [5]);
    assert_eq!(stayed.numbers(1).await, [5]);
    // A session that has ended is over, which PostgreSQL knows, and one that never was may begin.
    let end = client.follow(&over).await.news().await.expect("the end");
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!("completed")));
    assert_eq!(client.event(&over, 2).send().await.expect("an answer").status(), StatusCode::CONFLICT);
    assert_eq!(client.follow("never").await.next().await.expect("a sign of life").name, "ping");
    publish_when_possible(&client, &session, 6).await;
    for follower in [&mut stayed, &mut resumed, &mut newcomer] {
        let gap = follower.news().await.expect("an open stream");
        assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("epoch")));
        assert_eq!(follower.numbers(1).await, [6]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_becomes_a_replica_is_left_and_lost_events_are_a_gap() {
    let (old, new, database) = (Redis::start(), Redis::start(), Database::new().await);
    // An address that moves, as a name or a proxy does it.
    let door = Proxy::to(old.port());
    let url = format!("redis://127.0.0.1:{}", door.port);
    let server = Launch::on(&database).flag("redis-url", url).flag("heartbeat-ms", 200).start();
    let (client, session) = (server.client(), fresh("promoted"));
    new.replicate(&old).await;
    client.publish_all(&session, 1..=3).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [3]);
    new.caught_up(&old).await;
    // The last events never reach the replica.
    new.promote().await;
    client.publish_all(&session, 4..=5).await;
    assert_eq!(follower.numbers(2).await, [4, 5]);
    door.leads_to(new.port());
    old.replicate(&new).await;
    publish_when_possible(&client, &session, 6).await;
    let mut gaps = 0;
    loop {
        let event = follower.news().await.expect("an open stream");
        if event.name == "gap" {
            gaps += 1;
        } else if event.number() == 6 {
            break;
        }
    }
    assert_eq!(gaps, 1);
    client.publish(&session, 7).await;
    assert_eq!(follower.numbers(1).await, [7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_loading_is_away_until_it_has_loaded() {
    let (mut redis, database) = (Redis::that_keeps(), Database::new().await);
    let server = node("a", &database, &redis);
    let (client, session) = (server.client(), fresh("loads"));
    client.publish(&session, 1).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [1]);
    redis.kill();
    let loading = Loading::on(redis.port()).await;
    refused(&client, &session, &mut follower).await;
    assert!(loading.asked() > 0, "it was asked, and answered");
    drop(loading);
    redis.again();
    publish_when_possible(&client, &session, 2).await;
    assert_eq!(follower.numbers(1).await, [2]);
    eventually("the node is ready", 10, async || {
        (client.get("/readyz").send().await.expect("an answer").status() == StatusCode::OK).then_some(())
    })
    .await;
}
