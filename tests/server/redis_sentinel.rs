//! A Redis with failover by Sentinel: the node follows the primary, whichever that is, and nobody misses anything
//! unknowingly.

use crate::support::{Client, Database, Launch, RedisSentinels, Server, eventually, fresh};
use reqwest::StatusCode;
use std::time::{Duration, Instant};

/// From the end of a primary until events are accepted again: Sentinels take some seconds to agree.
const BOUND: Duration = Duration::from_secs(15);

async fn start(database: &Database, sentinels: &RedisSentinels, name: &str) -> (Client, Server) {
    let server =
        Launch::on(database).sentinels(sentinels).flag("node", name).flag("heartbeat-ms", 500).start();
    let client = server.client();
    client.is_ready().await;
    (client, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_is_followed_to_its_replica() {
    const BEFORE: u64 = 50;
    const AFTER: u64 = 100;
    let (mut sentinels, database) = (RedisSentinels::start().await, Database::new().await);
    let (a, b) = (start(&database, &sentinels, "a").await, start(&database, &sentinels, "b").await);
    let sessions: Vec<String> = (0..4).map(|_| fresh("failover")).collect();
    let mut followers = Vec::new();
    for session in &sessions {
        a.0.create(session).await;
        followers.push(b.0.follow(session).await);
    }
    let publishers: Vec<_> = sessions
        .iter()
        .map(|session| {
            let (client, session) = (a.0.clone(), session.clone());
            tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                for n in 1..=BEFORE + AFTER {
                    let since = Instant::now();
                    client.publish_surely(&session, n).await;
                    longest = longest.max(since.elapsed());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                longest
            })
        })
        .collect();
    for follower in &mut followers {
        assert_eq!(follower.numbers(BEFORE as usize).await, (1..=BEFORE).collect::<Vec<_>>());
    }
    sentinels.redis[0].kill();
    for follower in &mut followers {
        let (numbers, gaps) = follower.until(BEFORE + AFTER).await;
        // What the replica had not got yet is gone, and only a gap may leave numbers out or tell one again.
        let whole = numbers == (BEFORE + 1..=BEFORE + AFTER).collect::<Vec<_>>();
        assert!(whole || gaps == 1, "{gaps} {numbers:?}");
        assert!(numbers.len() as u64 >= AFTER - 40, "{gaps} {numbers:?}");
    }
    for publisher in publishers {
        let longest = publisher.await.expect("all published");
        assert!(longest < BOUND, "{longest:?}");
    }
    for (client, _) in [&a, &b] {
        client.is_ready().await;
    }
    // The old primary begins as one. Nobody is led astray, and soon it is a replica.
    sentinels.redis[0].again();
    for (n, (session, follower)) in sessions.iter().zip(&mut followers).enumerate() {
        if n == 2 {
            sentinels.demoted(0).await;
        }
        let next = BEFORE + AFTER + 1;
        b.0.publish_surely(session, next).await;
        assert_eq!(follower.numbers(1).await, [next]);
        assert_eq!(a.0.follow(session).await.numbers(1).await, [next]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_still_accepts_events_is_left() {
    let (sentinels, database) = (RedisSentinels::start().await, Database::new().await);
    let (client, _server) = start(&database, &sentinels, "a").await;
    let session = fresh("split");
    client.publish_all(&session, 1..=3).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [3]);
    sentinels.redis[1].caught_up(&sentinels.redis[0]).await;

    sentinels.cut_off(0).await;
    sentinels.promoted(1).await;
    let since = Instant::now();
    let mut n = 3;
    // All of it is accepted, some by the old primary, until the node is with the new one.
    eventually("the node publishes to the new primary", 10, async || {
        n += 1;
        client.publish_surely(&session, n).await;
        let latest = sentinels.redis[1].ask(&["HGET", &format!("sg:{{{session}}}:state"), "c"]).await;
        latest.contains(&format!("\"data\":{n},")).then_some(())
    })
    .await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let (numbers, gaps) = follower.until(n).await;
    assert!(gaps == 1 || (gaps == 0 && numbers == (4..=n).collect::<Vec<_>>()), "{gaps} {numbers:?}");

    sentinels.reach_again(0).await;
    sentinels.demoted(0).await;
    client.publish_surely(&session, n + 1).await;
    assert_eq!(follower.numbers(1).await, [n + 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_no_sentinel_knows_is_said() {
    let (sentinels, database) = (RedisSentinels::start().await, Database::new().await);
    let server = Launch::on(&database).flag("redis-url", sentinels.url_of("other")).start();
    let client = server.client();
    let refused = client.create(&fresh("nowhere")).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    eventually("the reason is said", 10, async || {
        let ready = client.get("/readyz").send().await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
        let said = ready.text().await.expect("text");
        said.contains("no Sentinel names the primary `other`").then_some(())
    })
    .await;
}
