//! A node goes: by a deploy it sends its streams away one by one; killed it says nothing. Nobody loses anything.

use crate::support::{
    Client, Database, Launch, Memory, Redis, Scrape, Server, by_each_way, eventually, fresh, streams,
};
use reqwest::StatusCode;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinHandle};

by_each_way! {
    streams_are_sent_away_over_the_window_and_the_rest_goes_on
}

async fn streams_are_sent_away_over_the_window_and_the_rest_goes_on(version: &str) {
    const STREAMS: usize = 120;
    const WINDOW: Duration = Duration::from_secs(4);
    let database = Database::new().await;
    let mut server = Launch::on(&database).flag("drain-window-ms", WINDOW.as_millis()).start();
    let (client, session) = (Client::over(server.port, version), fresh("drained"));
    client.publish(&session, 1).await;
    let mut followers = Vec::new();
    for _ in 0..STREAMS {
        let mut follower = client.follow(&session).await;
        assert_eq!(follower.numbers(1).await, [1]);
        followers.push(follower);
    }
    let since = Instant::now();
    server.terminate();
    eventually("readiness fails", 2, async || {
        let ready = client.get("/readyz").send().await.expect("an answer").status();
        (ready == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    // Publishing and polling go on; a new stream is sent elsewhere.
    client.publish(&session, 2).await;
    assert_eq!(client.poll(&session).await.status(), StatusCode::OK);
    let refused = client.stream(&session).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));

    let leaving: Vec<_> = followers
        .into_iter()
        .map(|mut follower| {
            tokio::spawn(async move {
                let mut told = 0;
                loop {
                    let event = follower.news().await.expect("a farewell before the end");
                    if event.name == "reconnect" {
                        assert_eq!(follower.next().await, None);
                        return (since.elapsed(), told);
                    }
                    told = event.number();
                }
            })
        })
        .collect();
    let mut left = Vec::new();
    for one in leaving {
        left.push(one.await.expect("a farewell"));
    }
    left.sort();
    let (first, last) = (left[0].0, left[STREAMS - 1].0);
    assert!(first < WINDOW / 4 && last > WINDOW / 2 && last <= WINDOW, "{first:?} to {last:?}");
    assert_eq!(left[STREAMS - 1].1, 2, "followers that are still connected get a notice");
    let status = server.exit_within(Duration::from_secs(10)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(database.counted("closed_by_drain").await, STREAMS as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() {
    let database = Database::new().await;
    let mut server = Launch::on(&database).flag("drain-window-ms", 60_000).start();
    let (client, session) = (server.client(), fresh("twice"));
    client.publish(&session, 1).await;
    let follower = client.follow(&session).await;
    server.terminate();
    eventually("it drains", 2, async || {
        let ready = client.get("/readyz").send().await.expect("an answer").status();
        (ready == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    server.terminate();
    assert!(server.exit_within(Duration::from_secs(5)).is_some(), "{}", server.log());
    drop(follower);
}

/// The nodes as a load balancer knows them: whatever is in the list gets requests.
type Ports = Arc<Mutex<Vec<u16>>>;

fn any(ports: &Ports, turn: usize) -> Client {
    let ports = ports.lock().expect("the ports");
    Client::new(ports[turn % ports.len()])
}

/// Follows by whichever node is there until the end. Answers the numbers it was told, and how often it was sent away.
async fn follow_through(ports: Ports, session: String, me: usize) -> (Vec<u64>, usize) {
    let (mut numbers, mut last, mut turn) = (Vec::new(), None::<String>, me);
    loop {
        turn += 1;
        let client = any(&ports, turn);
        let request = match &last {
            Some(id) => client.stream(&session).header("last-event-id", id),
            None => client.stream(&session),
        };
        let Ok(answer) = request.send().await else { continue };
        if answer.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let mut follower = crate::support::Follower::of(answer);
        while let Some(event) = follower.news().await {
            match event.name.as_str() {
                "status" => numbers.push(event.number()),
                "reconnect" => {}
                "end" => return (numbers, turn - me),
                other => panic!("{other}: {event:?}"),
            }
            last = event.id.or(last);
        }
    }
}

/// Publishes by whichever node is there, until it is told to stop. Answers how many there were.
fn publish_through(ports: &Ports, session: &str) -> (oneshot::Sender<()>, JoinHandle<u64>) {
    let (stop, mut stopped) = oneshot::channel::<()>();
    let (ports, session) = (ports.clone(), session.to_owned());
    let publishing = tokio::spawn(async move {
        let mut n = 0;
        while stopped.try_recv().is_err() {
            n += 1;
            // Repeated at the next node until one has taken it; the key keeps it from counting twice.
            for turn in n..usize::MAX {
                let event = any(&ports, turn).event(&session, n as u64);
                let sent = event.header("idempotency-key", format!("{session}-{n}")).send().await;
                if sent.is_ok_and(|answer| answer.status() == StatusCode::ACCEPTED) {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        n as u64
    });
    (stop, publishing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_two_nodes_loses_nothing() {
    const FOLLOWERS: usize = 120;
    let (redis, database) = (Redis::start(), Database::new().await);
    let start = |name: &str| -> Server {
        Launch::on(&database).redis(&redis).flag("node", name).flag("drain-window-ms", 1_500).start()
    };
    let mut nodes = vec![start("a"), start("b")];
    let ports: Ports = Arc::new(Mutex::new(nodes.iter().map(|node| node.port).collect()));
    let session = fresh("rolled");
    any(&ports, 0).publish(&session, 0).await;
    let following: Vec<_> =
        (0..FOLLOWERS).map(|me| tokio::spawn(follow_through(ports.clone(), session.clone(), me))).collect();

    let (stop, publishing) = publish_through(&ports, &session);
    for (name, node) in ["a", "b"].into_iter().zip(&mut nodes) {
        tokio::time::sleep(Duration::from_millis(700)).await;
        // The load balancer hears of it first, as readiness fails first.
        let old = node.port;
        node.terminate();
        ports.lock().expect("the ports").retain(|&port| port != old);
        let status = node.exit_within(Duration::from_secs(15)).expect("it ends");
        assert_eq!(status.code(), Some(0), "{}", node.log());
        *node = start(name);
        ports.lock().expect("the ports").push(node.port);
    }
    let _ = stop.send(());
    let count = publishing.await.expect("all was published");
    assert_eq!(any(&ports, 0).complete(&session).await.status(), StatusCode::ACCEPTED);
    for one in following {
        let (numbers, turns) = one.await.expect("it followed to the end");
        let first = numbers[0];
        assert_eq!(numbers, (first..=count).collect::<Vec<_>>());
        assert!(turns >= 2, "it was sent away at least once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_under_load_loses_nothing() {
    const FOLLOWERS: usize = 30;
    let (redis, database) = (Redis::start(), Database::new().await);
    let start = |name: &str| Launch::on(&database).redis(&redis).flag("node", name).start();
    let (a, b) = (start("a"), start("b"));
    let ports: Ports = Arc::new(Mutex::new(vec![a.port, b.port]));
    let session = fresh("killed");
    any(&ports, 0).publish(&session, 0).await;
    let memory = Memory::of(&b);
    let following: Vec<_> =
        (0..FOLLOWERS).map(|me| tokio::spawn(follow_through(ports.clone(), session.clone(), me))).collect();
    for node in [&a, &b] {
        streams(&node.client(), FOLLOWERS / 2, 5).await;
    }
    let (stop, publishing) = publish_through(&ports, &session);
    tokio::time::sleep(Duration::from_millis(700)).await;
    // The load balancer learns of it a while later, by its own checks.
    let port = a.port;
    a.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    ports.lock().expect("the ports").retain(|&one| one != port);
    streams(&b.client(), FOLLOWERS, 10).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let _ = stop.send(());
    let published = publishing.await.expect("all was published");
    assert_eq!(b.client().complete(&session).await.status(), StatusCode::ACCEPTED);
    for one in following {
        let (numbers, _) = one.await.expect("it followed to the end");
        assert_eq!(numbers, (0..=published).collect::<Vec<_>>());
    }
    streams(&b.client(), 0, 5).await;
    memory.is_back(&b, 6_000_000).await;
    let scrape = eventually("all ends are counted", 5, async || {
        let scrape = Scrape::of(b.client().get("/metrics")).await;
        let ended = scrape.get("streamgauge_streams_closed_total{reason=\"end\"}");
        (ended == FOLLOWERS as f64).then_some(scrape)
    })
    .await;
    let count = |name: &str| scrape.get(&format!("streamgauge_{name}"));
    assert_eq!(count("connect_established_total"), FOLLOWERS as f64);
    let not_made = ["conflated", "slow", "gone", "repeated"]
        .map(|why| count(&format!("deliveries_not_made_total{{reason=\"{why}\"}}")));
    let fates = count("delivered_total") + not_made.iter().sum::<f64>();
    assert_eq!((count("deliveries_due_total"), not_made[1]), (fates, 0.0));
}
