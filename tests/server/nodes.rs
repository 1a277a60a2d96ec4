//! Two nodes, one Redis: to a follower they are one server.

use crate::support::{Client, Database, Launch, Redis, Scrape, Server, fresh};
use reqwest::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// What two nodes stand on, and the nodes.
struct Two {
    _nodes: [Server; 2],
    a: Client,
    b: Client,
    _redis: Redis,
    _database: Database,
}

async fn two() -> Two {
    two_with(&[]).await
}

async fn two_with(flags: &[(&str, u32)]) -> Two {
    let (redis, database) = (Redis::start(), Database::new().await);
    let start = |name| {
        let launch = Launch::on(&database).redis(&redis).flag("node", name);
        flags.iter().fold(launch, |launch, (flag, value)| launch.flag(flag, value)).start()
    };
    let nodes = [start("a"), start("b")];
    let [a, b] = [nodes[0].client(), nodes[1].client()];
    Two { _nodes: nodes, a, b, _redis: redis, _database: database }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_publishes_the_others_followers_get() {
    const SESSIONS: u64 = 20;
    const EVENTS: u64 = 40;
    let two = two().await;
    let mut work = Vec::new();
    for n in 0..SESSIONS {
        let session = fresh("across");
        // In turns, each node publishes what the other one's followers wait for.
        let (publisher, node) = if n % 2 == 0 { (&two.a, &two.b) } else { (&two.b, &two.a) };
        publisher.create(&session).await;
        let mut follower = node.follow(&session).await;
        work.push(tokio::spawn(async move {
            let numbers = follower.numbers(EVENTS as usize).await;
            assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
            assert_eq!(follower.news().await.expect("the end").name, "end");
            assert_eq!(follower.news().await, None);
        }));
        let publisher = publisher.clone();
        work.push(tokio::spawn(async move {
            publisher.publish_all(&session, 1..=EVENTS).await;
            publisher.complete(&session).await;
        }));
    }
    for one in work {
        one.await.expect("all went well");
    }
}

impl Two {
    /// Of both nodes together.
    async fn count(&self, series: &str) -> f64 {
        count(&[&self.a, &self.b], series).await
    }
}

async fn count(nodes: &[&Client], series: &str) -> f64 {
    let mut sum = 0.0;
    for node in nodes {
        sum += Scrape::of(node.get("/metrics")).await.get(series);
    }
    sum
}

/// Behind a balancer a poller comes to one node after the other, and a stream of the same session may be on either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_session_counts_once_on_two_nodes() {
    const INTERVAL: Duration = Duration::from_millis(500);
    const POLLS: u32 = 16;
    let two = two_with(&[("poll-interval-ms", 500), ("control-group-percent", 50)]).await;
    let mut polled = Vec::new();
    let mut streamed = None;
    while polled.len() < 5 || streamed.is_none() {
        let session = fresh("by-turns");
        let created: serde_json::Value = two.a.create(&session).await.json().await.expect("JSON");
        match created["cohort"].as_str() {
            Some("poll") => polled.push(session),
            _ => streamed = Some(session),
        }
    }
    let streamed = streamed.expect("one of the stream cohort");
    let (start, mut polls) = (Instant::now(), 0);
    // A page on the one node, and a look at its status on the other.
    let follower = two.a.follow(&streamed).await;
    while polls < POLLS {
        let node = if polls % 2 == 0 { &two.a } else { &two.b };
        for session in &polled {
            assert_eq!(node.poll(session).await.status(), StatusCode::OK);
        }
        assert_eq!(two.b.poll(&streamed).await.status(), StatusCode::OK);
        polls += 1;
        sleep(INTERVAL.saturating_sub(start.elapsed().saturating_sub(INTERVAL * (polls - 1)))).await;
    }
    drop(follower);
    // What the last polls stand for is told by the second.
    sleep(Duration::from_millis(2_500)).await;
    let took = start.elapsed().as_secs_f64() - 2.5;
    let of_polls = two.count(r#"streamgauge_cohort_followed_seconds_total{cohort="poll"}"#).await;
    let of_streams = two.count(r#"streamgauge_cohort_followed_seconds_total{cohort="stream"}"#).await;
    // Each node keeps back less than a second, and streams are counted where they stand each second.
    let expected = took * polled.len() as f64;
    assert!((expected - 2.5..=expected + 0.5).contains(&of_polls), "{of_polls} of {expected} s");
    assert!((took - 1.5..=took + 1.5).contains(&of_streams), "{of_streams} of {took} s");
}

/// Two pages of one session, on a node each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_session_is_shared_by_nodes_that_stream_it() {
    let two = two().await;
    shared(&two.a, &two.b).await;
}

/// Also of a Redis Cluster, where each shard knows its own sessions only.
pub async fn shared(a: &Client, b: &Client) {
    let sessions: Vec<String> = (0..6).map(|_| fresh("both")).collect();
    let mut followers = Vec::new();
    for session in &sessions {
        a.create(session).await;
        followers.push(a.follow(session).await);
        followers.push(b.follow(session).await);
    }
    // By then each node has asked who else has them.
    sleep(Duration::from_millis(6_500)).await;
    let of = |cohort| format!("streamgauge_cohort_followed_seconds_total{{cohort=\"{cohort}\"}}");
    let followed = async || count(&[a, b], &of("stream")).await + count(&[a, b], &of("poll")).await;
    let (start, before) = (Instant::now(), followed().await);
    sleep(Duration::from_secs(5)).await;
    let (took, told) = (start.elapsed().as_secs_f64() * sessions.len() as f64, followed().await - before);
    // Each second counts when it is over, on each node: of both together one may be missing or too much.
    assert!((told - took).abs() <= sessions.len() as f64 + 2.0, "{told} of {took} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_falls_back_once_on_two_nodes() {
    let two = two_with(&[("control-group-percent", 0)]).await;
    let session = fresh("fell");
    two.a.create(&session).await;
    for (node, page) in [(&two.a, "p-1"), (&two.b, "p-2"), (&two.a, "p-3")] {
        let beacon = json!({ "v": 1, "session": session, "page": page, "seq": 0, "mode": "poll",
                             "fallbacks": [{ "reason": "watchdog", "at_ms": 5 }] });
        let sent = node.post("/api/v1/beacons").body(beacon.to_string()).send().await.expect("an answer");
        assert_eq!(sent.status(), StatusCode::NO_CONTENT);
    }
    sleep(Duration::from_millis(2_000)).await;
    assert_eq!(two.count("streamgauge_sessions_fell_back_total").await, 1.0);
    assert_eq!(two.count(r#"streamgauge_fallbacks_total{reason="watchdog"}"#).await, 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_resumes_on_the_other_node() {
    const EVENTS: u64 = 200;
    let two = two().await;
    let session = fresh("moves");
    let mut last = two.a.publish(&session, 0).await;
    let publisher = tokio::spawn({
        let (a, b, session) = (two.a.clone(), two.b.clone(), session.clone());
        async move {
            for n in 1..=EVENTS {
                let node = if n % 3 == 0 { &a } else { &b };
                node.publish(&session, n).await;
            }
        }
    });
    let mut seen = vec![0];
    let mut moves = 0;
    while seen.len() as u64 <= EVENTS {
        let node = if moves % 2 == 0 { &two.b } else { &two.a };
        let mut follower = node.resume(&session, &last).await;
        for _ in 0..7.min(EVENTS + 1 - seen.len() as u64) {
            let event = follower.news().await.expect("an open stream");
            seen.push(event.number());
            last = event.id.expect("an id");
        }
        moves += 1;
    }
    publisher.await.expect("all published");
    assert_eq!(seen, (0..=EVENTS).collect::<Vec<_>>());
    let polled: serde_json::Value = two.b.poll(&session).await.json().await.expect("JSON");
    assert_eq!(polled["id"], serde_json::json!(last));
}
