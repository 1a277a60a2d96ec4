//! A Redis Cluster: two nodes of ours on it are one server, and nothing is lost when its slots move or a primary dies.

use crate::support::{Client, Database, Launch, RedisCluster, Server, eventually, fresh};
use reqwest::StatusCode;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

async fn start(database: &Database, cluster: &RedisCluster, name: &str) -> (Client, Server) {
    let server = Launch::on(database).cluster(cluster).flag("node", name).flag("heartbeat-ms", 500).start();
    let client = server.client();
    client.is_ready().await;
    (client, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_a_cluster_are_one_server() {
    const SESSIONS: u64 = 12;
    const EVENTS: u64 = 30;
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    let mut followers = Vec::new();
    // Their slots lie on all three primaries.
    for n in 0..SESSIONS {
        let session = fresh("shards");
        a.0.create(&session).await;
        let node = if n % 2 == 0 { &a.0 } else { &b.0 };
        followers.push((node.follow(&session).await, session));
    }
    let channels = cluster.list(&["PUBSUB", "SHARDCHANNELS"]).await;
    assert_eq!(channels.len(), SESSIONS as usize, "{channels:?}");
    for n in 1..=EVENTS {
        for (at, (_, session)) in followers.iter().enumerate() {
            if at % 3 == 0 { &a.0 } else { &b.0 }.publish(session, n).await;
        }
    }
    for (follower, session) in &mut followers {
        assert_eq!(follower.numbers(EVENTS as usize).await, (1..=EVENTS).collect::<Vec<_>>());
        assert_eq!(a.0.complete(session).await.status(), StatusCode::ACCEPTED);
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
    }
    eventually("no channel is left", 10, async || {
        cluster.list(&["PUBSUB", "SHARDCHANNELS"]).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_session_is_shared_by_nodes_on_a_cluster() {
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    crate::nodes::shared(&a.0, &b.0).await;
}

/// A connection may break after a script ran and before its answer came. What is answered as accepted is published once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_sent_again_publishes_once() {
    const EVENTS: u64 = 400;
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (client, _server) = start(&database, &cluster, "a").await;
    let mut publishers = JoinSet::new();
    for _ in 0..6 {
        let (client, session) = (client.clone(), fresh("again"));
        client.create(&session).await;
        publishers.spawn(async move {
            let mut follower = client.follow(&session).await;
            let mut accepted = Vec::new();
            for n in 1..=EVENTS {
                let answer = client.event(&session, n).send().await.expect("an answer");
                if answer.status() == StatusCode::ACCEPTED {
                    accepted.push(n);
                }
            }
            client.publish_surely(&session, EVENTS + 1).await;
            let mut heard = HashMap::new();
            loop {
                let event = follower.news().await.expect("an open stream");
                let number = event.data["data"].as_u64().expect("a number");
                if number > EVENTS {
                    break;
                }
                *heard.entry(number).or_insert(0) += 1;
            }
            assert!(accepted.iter().all(|number| heard.get(number) == Some(&1)), "{accepted:?} {heard:?}");
            accepted.len()
        });
    }
    let mut cut = 0;
    while !publishers.is_empty() {
        tokio::time::sleep(Duration::from_millis(15)).await;
        cut += cluster.cut_clients().await;
        while let Some(accepted) = publishers.try_join_next() {
            assert!(accepted.expect("all went well") as u64 > EVENTS / 2);
        }
    }
    assert!(cut > 20, "{cut} connections were cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_followers_along() {
    const EVENTS: u64 = 200;
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    let session = fresh("migrates");
    a.0.create(&session).await;
    let mut follower = b.0.follow(&session).await;
    let publisher = tokio::spawn({
        let (client, session) = (a.0.clone(), session.clone());
        async move {
            for n in 1..=EVENTS {
                client.publish_surely(&session, n).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| cluster.move_slot_of(&session));
    }
    assert_eq!(follower.until(EVENTS).await, ((1..=EVENTS).collect(), 0));
    publisher.await.expect("all published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_had_no_part_in_a_move_finds_the_session() {
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    let session = fresh("moved");
    a.0.publish_all(&session, 1..=3).await;
    // From here on it believes that it knows the place.
    assert_eq!(b.0.poll(&session).await.status(), StatusCode::OK);
    tokio::task::block_in_place(|| cluster.move_slot_of(&session));
    let mut follower = b.0.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [3]);
    a.0.publish_surely(&session, 4).await;
    assert_eq!(follower.numbers(1).await, [4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_and_followers_go_on() {
    const EVENTS: u64 = 150;
    let (mut cluster, database) = (RedisCluster::with_replicas(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    let session = fresh("failover");
    a.0.create(&session).await;
    let mut follower = b.0.follow(&session).await;
    let publisher = tokio::spawn({
        let (client, session) = (a.0.clone(), session.clone());
        async move {
            for n in 1..=EVENTS {
                client.publish_surely(&session, n).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    assert_eq!(follower.numbers(20).await, (1..=20).collect::<Vec<_>>());
    let primary = cluster.primary_of(&session);
    cluster.kill(primary);
    let (numbers, gaps) = follower.until(EVENTS).await;
    publisher.await.expect("all published");
    // What the replica had not got yet is gone, and only a gap may leave numbers out or tell one again.
    let whole = numbers == (21..=EVENTS).collect::<Vec<_>>();
    assert!(whole || gaps > 0, "{numbers:?}");
    assert!(gaps <= 1 && numbers.len() as u64 >= EVENTS - 40, "{gaps} {numbers:?}");
    // A new stream, over the new primary.
    let mut late = a.0.follow(&session).await;
    assert_eq!(late.numbers(1).await, [EVENTS]);
    cluster.again(primary);
    b.0.publish_surely(&session, EVENTS + 1).await;
    assert_eq!(late.numbers(1).await, [EVENTS + 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_messages_are_taken_in_once_on_a_cluster() {
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let (a, b) = (start(&database, &cluster, "a").await, start(&database, &cluster, "b").await);
    let session = fresh("plain");
    a.0.create(&session).await;
    let (mut on_a, mut on_b) = (a.0.follow(&session).await, b.0.follow(&session).await);
    for n in 1..=20 {
        let message = serde_json::json!({ "stage": "work", "progress": n, "data": n }).to_string();
        cluster.publish(&format!("session:{session}:status"), &message).await;
    }
    for follower in [&mut on_a, &mut on_b] {
        assert_eq!(follower.numbers(20).await, (1..=20).collect::<Vec<_>>());
    }
    let polled: serde_json::Value = a.0.poll(&session).await.json().await.expect("JSON");
    assert!(polled["id"].as_str().is_some_and(|id| id.ends_with("-20")), "{polled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_ended_session_stays_in_the_cluster() {
    let (cluster, database) = (RedisCluster::start(), Database::new().await);
    let server = Launch::on(&database).cluster(&cluster).flag("history-ms", 1_000).start();
    let client = server.client();
    let sessions: Vec<String> = (0..20).map(|_| fresh("gone")).collect();
    let mut followers = Vec::new();
    for session in &sessions {
        client.publish_surely(session, 1).await;
        followers.push(client.follow(session).await);
    }
    assert!(cluster.list(&["KEYS", "sg:*"]).await.len() >= 60, "state, history, idempotency key");
    for (session, mut follower) in sessions.iter().zip(followers) {
        assert_eq!(client.complete(session).await.status(), StatusCode::ACCEPTED);
        while follower.news().await.is_some() {}
    }
    eventually("no key and no channel is left", 10, async || {
        let keys = cluster.list(&["KEYS", "*"]).await;
        let channels = cluster.list(&["PUBSUB", "SHARDCHANNELS"]).await;
        (keys.is_empty() && channels.is_empty()).then_some(())
    })
    .await;
}

/// A session whose slot is that primary's.
async fn session_of(cluster: &RedisCluster, node: usize) -> String {
    loop {
        let session = fresh("sharded");
        if tokio::task::block_in_place(|| cluster.primary_of(&session)) == node {
            return session;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_holds_up_its_own_sessions_only() {
    let (cluster, database) = (RedisCluster::that_serves_what_is_left(), Database::new().await);
    let (client, _server) = start(&database, &cluster, "a").await;
    let mut others = Vec::new();
    for primary in 0..2 {
        let session = session_of(&cluster, primary).await;
        client.publish(&session, 0).await;
        others.push((client.follow(&session).await, session));
    }
    let stuck = session_of(&cluster, 2).await;
    client.publish(&stuck, 0).await;
    let mut waiting = client.follow(&stuck).await;
    assert_eq!(waiting.numbers(1).await, [0]);

    cluster.freeze(2);
    // Through the time in which the cluster has not noticed, and past it.
    let since = Instant::now();
    let held_up = tokio::spawn({
        let (client, stuck) = (client.clone(), stuck.clone());
        async move {
            while since.elapsed() < Duration::from_secs(8) {
                let asked = Instant::now();
                let answer = client.event(&stuck, 99).send().await.expect("an answer");
                assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
                assert!(answer.headers().contains_key("retry-after"));
                assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
            }
        }
    });
    let (mut n, mut slowest) = (0, Duration::ZERO);
    while since.elapsed() < Duration::from_secs(8) {
        n += 1;
        for (_, session) in &others {
            let asked = Instant::now();
            client.publish(session, n).await;
            slowest = slowest.max(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(n > 100, "{n} events");
    for (follower, session) in &mut others {
        assert_eq!(follower.numbers(n as usize + 1).await, (0..=n).collect::<Vec<_>>());
        // New followers come to them too.
        assert_eq!(client.follow(session).await.numbers(1).await, [n]);
    }
    held_up.await.expect("refused, politely and in time");
    assert_eq!(client.get("/readyz").send().await.expect("an answer").status(), StatusCode::OK);

    cluster.thaw(2);
    client.publish_surely(&stuck, 1).await;
    // What was refused may have been taken when it woke, as an event that timed out.
    assert!(waiting.until(1).await.0.iter().all(|&n| n == 99 || n == 1));
}
