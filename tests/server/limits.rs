//! How many streams, for whom, and what a refused follower is told.

use crate::support::{
    Bare, Client, Database, Follower, Launch, Memory, Redis, Scrape, by_each_way, eventually, fresh, streams,
    words_of_http2,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

by_each_way! {
    three_streams_a_user_and_session
    limits_can_be_turned_while_the_server_runs
    times_can_be_turned_while_the_server_runs
    clients_that_reset_before_the_head_leave_no_trace
}

async fn ask(client: &Client, session: &str, user: &str) -> Response {
    client.stream(session).query(&[("user", user)]).send().await.expect("an answer")
}

async fn follow(client: &Client, session: &str, user: &str) -> Follower {
    Follower::open(client.stream(session).query(&[("user", user)])).await
}

/// What a refusal must bring: when to come back, and the way that still works.
async fn refused(answer: Response, expected: StatusCode, session: &str) -> u64 {
    assert_eq!(answer.status(), expected);
    let after = answer.headers()["retry-after"].to_str().ok().and_then(|text| text.parse().ok());
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["poll_url"], json!(format!("/api/v1/sessions/{session}/status")));
    assert_eq!(problem["retry_after"].as_u64(), after);
    after.expect("seconds")
}

async fn change(client: &Client, limits: Value) {
    let request = client.patch("/api/admin/limits").json(&limits);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
}

async fn open(client: &Client) -> Value {
    client.metrics().await["activeConnections"].clone()
}

async fn three_streams_a_user_and_session(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session, other) = (Client::over(server.port, version), fresh("thrice"), fresh("thrice"));
    client.publish(&session, 1).await;
    client.publish(&other, 1).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(follow(&client, &session, "ann").await);
    }
    refused(ask(&client, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    // Nobody else's, no other session's, and nobody's without a name.
    let others = [follow(&client, &session, "bob").await, follow(&client, &other, "ann").await];
    let nameless = client.follow(&session).await;
    // Refused, one still polls.
    assert_eq!(client.poll(&session).await.status(), StatusCode::OK);
    held.pop();
    eventually("a place is free", 5, async || {
        (ask(&client, &session, "ann").await.status() == StatusCode::OK).then_some(())
    })
    .await;
    drop((held, others, nameless));
    server.stop();
    assert!(database.counted("connect_refused").await > 0);
}

async fn limits_can_be_turned_while_the_server_runs(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (Client::over(server.port, version), fresh("turned"));
    client.publish(&session, 1).await;
    let limits: Value = client.get("/api/admin/limits").send().await.expect("it").json().await.expect("JSON");
    assert_eq!(limits["streams_per_user_and_session"], 3);
    assert_eq!(limits["batch_ms"], 0);

    change(&client, json!({ "max_connections": 2 })).await;
    let held = [client.follow(&session).await, client.follow(&session).await];
    let refusal = client.stream(&session).send().await.expect("an answer");
    refused(refusal, StatusCode::SERVICE_UNAVAILABLE, &session).await;
    change(&client, json!({ "max_connections": 100, "streams_per_address": 3 })).await;
    let third = client.follow(&session).await;
    // Those from before count for no address: the bound was off when they came.
    let more = [client.follow(&session).await, client.follow(&session).await];
    let refusal = client.stream(&session).send().await.expect("an answer");
    refused(refusal, StatusCode::TOO_MANY_REQUESTS, &session).await;
    change(&client, json!({ "streams_per_address": 0, "streams_per_user": 1 })).await;
    let ann = follow(&client, &session, "ann").await;
    refused(ask(&client, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;

    for bad in [json!({ "max_connections": 0 }), json!({ "colour": 1 }), json!({ "batch_ms": -1 })] {
        let answer = client.patch("/api/admin/limits").json(&bad).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
    drop((held, third, more, ann));
    streams(&client, 0, 5).await;
    server.stop();
}

/// What streams live by, turned while they are open.
async fn times_can_be_turned_while_the_server_runs(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("heartbeat-ms", 3_000).start();
    let (client, session) = (Client::over(server.port, version), fresh("times"));
    client.publish(&session, 0).await;
    change(&client, json!({ "streams_per_user_and_session": 1 })).await;
    let mut one = follow(&client, &session, "ann").await;
    refused(ask(&client, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    change(&client, json!({ "streams_per_user_and_session": 2 })).await;
    let two = follow(&client, &session, "ann").await;

    assert_eq!(one.numbers(1).await, [0]);
    let since = Instant::now();
    change(&client, json!({ "heartbeat_ms": 100 })).await;
    for _ in 0..20 {
        assert_eq!(one.next().await.expect("an open stream").name, "ping");
    }
    assert!(since.elapsed() < Duration::from_secs(10), "twenty of them take a minute otherwise");

    change(&client, json!({ "batch_ms": 600 })).await;
    let since = Instant::now();
    client.publish_all(&session, 1..=3).await;
    assert_eq!(one.numbers(3).await, [1, 2, 3]);
    assert!(since.elapsed() > Duration::from_millis(300), "the later ones wait for the interval");

    change(&client, json!({ "idle_close_ms": 1_000 })).await;
    assert_eq!(one.news().await.expect("an open stream").name, "idle");
    change(&client, json!({ "idle_close_ms": 60_000, "drain_window_ms": 5_000 })).await;
    let late = [client.follow(&session).await, client.follow(&session).await, client.follow(&session).await];
    change(&client, json!({ "drain_window_ms": 0 })).await;
    let since = Instant::now();
    drop(two);
    server.stop();
    assert!(since.elapsed() < Duration::from_secs(4), "no window, no waiting");
    drop(late);
}

#[tokio::test]
async fn only_the_hard_limit_of_open_files_bounds_connections() {
    const WANTED: u64 = 1_000;
    let database = Database::new().await;
    // What a core keeps open itself; of the rest an eighth is no stream's.
    let cores = std::thread::available_parallelism().expect("a number").get() as u64;
    let connections = 256 - 56 - 8 * cores;
    for (limit, allowed) in [("-S -n 256", WANTED), ("-n 256", connections - connections / 8)] {
        let server = Launch::on(&database).flag("max-connections", WANTED).files(limit).start();
        let limits = server.client().get("/api/admin/limits").send().await.expect("it");
        let limits: Value = limits.json().await.expect("JSON");
        assert_eq!(limits["max_connections"], allowed, "{limit}");
        assert_eq!(server.log().contains("max_connections is lowered"), allowed < WANTED, "{limit}");
        if allowed < WANTED {
            // No more by a change while it runs.
            change(&server.client(), json!({ "max_connections": WANTED })).await;
            let limits = server.client().get("/api/admin/limits").send().await.expect("it");
            assert_eq!(limits.json::<Value>().await.expect("JSON")["max_connections"], allowed);
            everything_goes_on_when_streams_are_full(&server.client(), allowed).await;
        }
        server.stop();
    }
}

/// Also where the open files are at their limit: some are left for publishing, polling and refusals.
async fn everything_goes_on_when_streams_are_full(client: &Client, allowed: u64) {
    let session = fresh("full");
    client.publish(&session, 1).await;
    let mut held = Vec::new();
    let refusal = loop {
        let answer = client.stream(&session).send().await.expect("an answer");
        if answer.status() != StatusCode::OK {
            break answer;
        }
        held.push(answer);
    };
    // The node's own probe takes nobody's place.
    assert_eq!(held.len() as u64, allowed);
    refused(refusal, StatusCode::SERVICE_UNAVAILABLE, &session).await;
    client.publish(&session, 2).await;
    assert_eq!(client.poll(&session).await.json::<Value>().await.expect("JSON")["progress"], 2);
}

#[tokio::test]
async fn a_full_node_is_not_down() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("max-connections", 1).env("STREAMGAUGE_PROBE_MS", "1000").start();
    let (client, session) = (server.client(), fresh("alone"));
    client.publish(&session, 1).await;
    let _held = client.follow(&session).await;
    let probes = async |result: &str| {
        let scrape = Scrape::of(client.get("/metrics")).await;
        scrape.get(&format!("streamgauge_probes_total{{result=\"{result}\"}}"))
    };
    let before = probes("good").await;
    eventually("the full node is probed", 20, async || (probes("good").await >= before + 3.0).then_some(()))
        .await;
    assert_eq!(probes("bad").await, 0.0);
    let refusal = client.stream(&session).send().await.expect("an answer");
    refused(refusal, StatusCode::SERVICE_UNAVAILABLE, &session).await;
}

/// What a client says that wants the session's stream for the user.
fn asking(session: &str, user: &str, version: &str) -> Vec<u8> {
    let path = format!("/api/v1/sessions/{session}/status/stream?user={user}");
    match version {
        "2" => words_of_http2::asks(&path),
        version => format!("GET {path} HTTP/{version}\r\nhost: localhost\r\n\r\n").into_bytes(),
    }
}

/// All three places of the user are free, and there is no fourth.
async fn all_places(client: &Client, session: &str, user: &str) -> Vec<Response> {
    let mut held = Vec::new();
    for _ in 0..3 {
        let place = eventually("a place is free", 45, async || {
            let answer = ask(client, session, user).await;
            (answer.status() == StatusCode::OK).then_some(answer)
        });
        held.push(place.await);
    }
    refused(ask(client, session, user).await, StatusCode::TOO_MANY_REQUESTS, session).await;
    held
}

async fn clients_that_reset_before_the_head_leave_no_trace(version: &str) {
    const RESETS: u64 = 200;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("reset"));
    client.publish(&session, 1).await;
    let mut memory = None;
    for round in 0..6 {
        for n in 0..RESETS {
            let mut one = Bare::connect(server.port).await;
            one.say(asking(&session, "ann", version)).await.expect("sent");
            // Before the request is read, before its head is written, or just after: up to a millisecond, which is as
            // short as tokio sleeps.
            let since = Instant::now();
            while since.elapsed() < Duration::from_micros(n % 20 * 50) {}
            one.reset();
        }
        streams(&client, 0, 10).await;
        // What the first of them make is kept for the next.
        if round == 1 {
            memory = Some(Memory::of(&server));
        }
    }
    memory.expect("a round").is_back(&server, 2_000_000).await;
    let held = all_places(&client, &session, "ann").await;
    assert_eq!(open(&client).await, 3);
    drop(held);
    streams(&client, 0, 5).await;
    server.stop();
    let count = async |counter| database.counted(counter).await;
    let (tried, opened) = (count("connect_attempts").await, count("connect_established").await);
    // Some came too late to be read, and some found no place; many were between.
    assert!((50..=1_203).contains(&tried) && opened < tried, "{opened} of {tried} were told anything");
    assert_eq!(count("closed_by_client").await, tried, "each that began is over");
    database.accounts().await;
}

/// They are all between their request and its head: whether they may have a place is for Redis to say, which hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_reset_while_they_wait_for_a_place_leave_none_taken() {
    let (database, redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).start();
    let (client, session) = (server.client(), fresh("asked"));
    client.publish(&session, 1).await;
    let mut memory = None;
    for round in 0..3 {
        redis.freeze();
        let mut waiting = Vec::new();
        for n in 0..200 {
            let mut one = Bare::connect(server.port).await;
            one.say(asking(&session, "ann", ["1.0", "1.1", "2"][n % 3])).await.expect("sent");
            waiting.push(one);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        waiting.into_iter().for_each(Bare::reset);
        tokio::time::sleep(Duration::from_millis(100)).await;
        redis.thaw();
        client.is_ready().await;
        drop(all_places(&client, &session, "ann").await);
        streams(&client, 0, 10).await;
        // What the first crowds make is kept for the next.
        if round == 1 {
            memory = Some(Memory::of(&server));
        }
    }
    let mut connection = redis.connect().await;
    eventually("no place is taken", 45, async || {
        let keys: Vec<String> =
            redis::cmd("KEYS").arg("*:streams:*").query_async(&mut connection).await.expect("Redis");
        keys.is_empty().then_some(())
    })
    .await;
    memory.expect("a round").is_back(&server, 2_000_000).await;
    server.stop();
    database.accounts().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_counted_over_all_nodes_and_a_dead_one_holds_none() {
    let (database, redis) = (Database::new().await, Redis::start());
    let node = |name: &str| Launch::on(&database).redis(&redis).flag("node", name).start();
    let (one, two) = (node("one"), node("two"));
    let (first, second, session) = (one.client(), two.client(), fresh("leased"));
    first.publish(&session, 1).await;
    let on_first = [follow(&first, &session, "ann").await, follow(&first, &session, "ann").await];
    let on_second = follow(&second, &session, "ann").await;
    refused(ask(&second, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    refused(ask(&first, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    one.kill();
    drop(on_first);
    // Its places run out by themselves, and no earlier. Of three one is this node's, and stays.
    refused(ask(&second, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    let mut free = Vec::new();
    while free.len() < 2 {
        let place = eventually("the dead node's places are free", 45, async || {
            let answer = ask(&second, &session, "ann").await;
            (answer.status() == StatusCode::OK).then_some(answer)
        });
        free.push(place.await);
    }
    refused(ask(&second, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    drop((on_second, free));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_known_again_when_redis_comes_back_empty() {
    let (database, mut redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).start();
    let (client, session) = (server.client(), fresh("renewed"));
    client.publish(&session, 1).await;
    let held = all_places(&client, &session, "ann").await;
    redis.kill();
    redis.again();
    client.is_ready().await;
    let mut connection = redis.connect().await;
    eventually("the places are told anew", 15, async || {
        let key = format!("sg:{{{session}}}:streams:ann");
        let places: u32 = redis::cmd("ZCARD").arg(key).query_async(&mut connection).await.expect("Redis");
        (places == 3).then_some(())
    })
    .await;
    // Redis has forgotten the session too.
    client.publish(&session, 2).await;
    refused(ask(&client, &session, "ann").await, StatusCode::TOO_MANY_REQUESTS, &session).await;
    drop(held);
    streams(&client, 0, 5).await;
}
