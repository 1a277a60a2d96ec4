//! What is measured is what was on the wire: counted by a proxy between, byte by byte.

use crate::support::{Client, Database, Launch, Proxy, eventually, fresh};
use reqwest::{StatusCode, header::HeaderValue};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_byte_and_delivery_is_counted() {
    const FOLLOWERS: u64 = 6;
    const EVENTS: u64 = 60;
    const POLLS: u64 = 25;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (streams, polls) = (Proxy::to(server.port), Proxy::to(server.port));
    let (publisher, session) = (server.client(), fresh("exact"));
    publisher.create(&session).await;

    let mut reading = Vec::new();
    for n in 0..FOLLOWERS {
        // Each by a connection of its own, as browsers do.
        let mut follower = Client::new(streams.port).follow(&session).await;
        reading.push(tokio::spawn(async move {
            if n == 0 {
                // One leaves in the middle and comes back for the rest.
                let mut last = None;
                for _ in 0..20 {
                    last = follower.news().await.expect("an open stream").id;
                }
                return (follower, last);
            }
            follower.numbers(EVENTS as usize).await;
            assert_eq!(follower.news().await.expect("the end").name, "end");
            assert_eq!(follower.news().await, None);
            (follower, None)
        }));
    }
    let poller = Client::new(polls.port);
    let mut etag = HeaderValue::from_static("\"none\"");
    let mut unchanged = 0;
    for n in 1..=EVENTS {
        publisher.publish(&session, n).await;
        if n <= POLLS {
            // Every other poll asks about what it was just told.
            let path = format!("/api/v1/sessions/{session}/status");
            let answer = poller.get(&path).header("if-none-match", &etag).send().await.expect("an answer");
            etag = answer.headers()["etag"].clone();
            unchanged += u64::from(answer.status() == StatusCode::NOT_MODIFIED);
            if n % 2 == 0 {
                etag = HeaderValue::from_static("\"other\"");
            }
            answer.bytes().await.expect("a body");
            if n % 5 == 0 {
                let again =
                    poller.get(&path).header("if-none-match", format!("\"{}\"", id(&poller, &path).await));
                assert_eq!(again.send().await.expect("an answer").status(), StatusCode::NOT_MODIFIED);
                unchanged += 1;
            }
        }
    }
    let polled = POLLS + 2 * (POLLS / 5);
    let (left, last) = reading.remove(0).await.expect("a follower");
    drop(left);
    let mut back = Client::new(streams.port).resume(&session, &last.expect("an id")).await;
    assert_eq!(back.numbers(EVENTS as usize - 20).await, (21..=EVENTS).collect::<Vec<_>>());
    publisher.complete(&session).await;
    assert_eq!(back.news().await.expect("the end").name, "end");
    assert_eq!(back.news().await, None);
    for follower in reading {
        follower.await.expect("a follower");
    }
    drop((back, poller));
    eventually("all connections are closed", 5, async || {
        (streams.is_idle() && polls.is_idle()).then_some(())
    })
    .await;

    let metrics = publisher.metrics().await;
    server.stop();
    let stored = async |counter| u64::try_from(database.counted(counter).await).expect("a count");
    let check = async |counter, expected| assert_eq!(stored(counter).await, expected, "{counter}");
    check("published", EVENTS + 1).await;
    check("stream_requests", FOLLOWERS + 1).await;
    check("connect_attempts", FOLLOWERS + 1).await;
    check("connect_established", FOLLOWERS + 1).await;
    check("closed_at_end", FOLLOWERS).await;
    check("closed_by_client", 1).await;
    check("poll_requests", polled).await;
    check("polls_unchanged", unchanged).await;
    check("stream_bytes_in", streams.counted().0).await;
    check("stream_bytes_out", streams.counted().1).await;
    check("poll_bytes_in", polls.counted().0).await;
    check("poll_bytes_out", polls.counted().1).await;
    check("sessions_started", 1).await;
    check("sessions_completed", 1).await;

    let delivered = stored("delivered").await;
    let lost = stored("dropped_slow").await + stored("dropped_gone").await + stored("repeated").await;
    check("deliveries_due", delivered + lost).await;
    check("dropped_slow", 0).await;
    // The one who left had read 20 events; how many more were already on their way to it nobody can say.
    let others = (FOLLOWERS - 1) * (EVENTS + 1);
    let returned = EVENTS - 20 + 1;
    assert!((others + returned + 20..=others + returned + EVENTS).contains(&delivered), "{delivered}");
    assert_eq!(metrics["messagesDelivered"], delivered);
    assert_eq!(metrics["totalConnections"], FOLLOWERS + 1);
    assert_eq!(metrics["activeConnections"], 0);
    assert_eq!(metrics["messageDeliveryFailures"], 0);
    let timed: u64 =
        metrics["messageDeliveryLatency"].as_array().expect("counts").iter().filter_map(|n| n.as_u64()).sum();
    let replayed = EVENTS - 20;
    assert_eq!(timed, delivered - replayed, "a replay is a delivery, but its age is no latency");
}

/// The id of the status that a poll finds.
async fn id(poller: &Client, path: &str) -> String {
    let status: serde_json::Value =
        poller.get(path).send().await.expect("an answer").json().await.expect("JSON");
    status["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_stream_that_is_not_opened_is_no_failed_attempt() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("over"));
    client.publish(&session, 1).await;
    client.complete(&session).await;
    let over =
        client.get(&format!("/api/v1/sessions/{session}/status/stream")).send().await.expect("an answer");
    assert_eq!(over.status(), StatusCode::NO_CONTENT);
    let unknown = client.stream("no id").send().await.expect("an answer");
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    server.stop();
    let attempts = database.counted("connect_attempts").await;
    assert_eq!(attempts, database.counted("connect_established").await, "what was attempted succeeded");
    assert_eq!(
        database.counted("stream_requests").await,
        1,
        "the last request of an EventSource is part of its cost"
    );
}

/// A publisher, a poller and a follower behind one proxy that speaks HTTP/2: each is charged for what is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_share_a_connection_are_told_apart() {
    const EVENTS: u64 = 20;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let proxy = Proxy::to(server.port);
    let session = fresh("shared");
    let url = |rest: &str| format!("http://127.0.0.1:{}/api/v1/sessions/{session}/{rest}", proxy.port);
    let multiplexed = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let publish = async |n: u64| {
        let event = json!({ "stage": "work", "progress": n, "data": "x".repeat(4_000) });
        let answer = multiplexed.post(url("status")).json(&event).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    };
    publish(0).await;
    let mut stream = multiplexed.get(url("status/stream")).send().await.expect("an answer");
    let (mut streamed, mut polled) = (0, 0);
    for n in 1..=EVENTS {
        publish(n).await;
        let answer = multiplexed.get(url("status")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        polled += answer.bytes().await.expect("a body").len();
        streamed += stream.chunk().await.expect("a stream").expect("an event").len();
    }
    let end = multiplexed.post(url("complete")).json(&json!({ "outcome": "completed" }));
    assert_eq!(end.send().await.expect("an answer").status(), StatusCode::ACCEPTED);
    while let Some(chunk) = stream.chunk().await.expect("a stream") {
        streamed += chunk.len();
    }
    drop((stream, multiplexed));
    eventually("the connection has ended", 5, async || proxy.is_idle().then_some(())).await;
    server.stop();

    let (there, back) = proxy.counted();
    let count = async |counter| u64::try_from(database.counted(counter).await).expect("bytes");
    let within = |bytes: u64, least: usize, heads: u64| {
        let least = u64::try_from(least).expect("bytes");
        assert!(
            (least..=least + heads).contains(&bytes),
            "{bytes} of at least {least} and at most {heads} more"
        );
    };
    within(count("stream_bytes_out").await, streamed, 500 + 100 * EVENTS);
    within(count("poll_bytes_out").await, polled, 300 * EVENTS);
    // Heads, and what the client says of its windows.
    within(count("stream_bytes_in").await, 20, 1_000);
    within(count("poll_bytes_in").await, 25 * EVENTS as usize, 200 * EVENTS);
    assert!(there > 4_000 * EVENTS && back > (streamed + polled) as u64);
    assert_eq!(count("delivered").await, EVENTS + 2);
}
