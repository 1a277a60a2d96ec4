//! Two nodes, one Redis: to a follower they are one server.

use crate::support::{Client, Database, Launch, Redis, Server, fresh};

/// What two nodes stand on, and the nodes.
struct Two {
    _nodes: [Server; 2],
    a: Client,
    b: Client,
    _redis: Redis,
    _database: Database,
}

async fn two() -> Two {
    let (redis, database) = (Redis::start(), Database::new().await);
    let start = |name| Launch::on(&database).redis(&redis).flag("node", name).start();
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
