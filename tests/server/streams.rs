//! Several sessions on one connection, batches of events, and the ways that a socket cannot be parked.

use crate::support::{
    Bare, Client, Database, Follower, Launch, Scrape, Server, Shared, by_each_way, eventually, fresh, streams,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

by_each_way! {
    what_comes_within_the_batching_interval_goes_in_one_write
    several_sessions_come_over_one_connection_and_resume_together
}

static SERVER: Shared<(Server, Database)> = Shared::new();

async fn server() -> Arc<(Server, Database)> {
    let database = Database::new().await;
    SERVER.get(|| (Launch::on(&database).start(), database))
}

async fn follow(client: &Client, sessions: &[&str], after: Option<&str>) -> Follower {
    let query: Vec<_> = sessions.iter().map(|session| ("session", *session)).collect();
    let request = client.get("/api/v1/streams").query(&query).header("accept", "text/event-stream");
    Follower::open(match after {
        Some(id) => request.header("last-event-id", id),
        None => request,
    })
    .await
}

async fn several_sessions_come_over_one_connection_and_resume_together(version: &str) {
    let server = server().await;
    let client = Client::over(server.0.port, version);
    let (one, two, three) = (fresh("multi"), fresh("multi"), fresh("multi"));
    for session in [&one, &two, &three] {
        client.publish(session, 1).await;
    }
    let sessions = [one.as_str(), &two, &three];
    let mut seen: HashMap<String, Vec<u64>> = HashMap::new();
    let mut last = None;
    let mut sent = 1;
    // However often it is cut, each event of each session comes once.
    for _ in 0..4 {
        let mut stream = follow(&client, &sessions, last.as_deref()).await;
        let mut expected = if last.is_some() { 0 } else { 3 };
        for _ in 0..3 {
            sent += 1;
            for session in sessions {
                client.publish(session, sent).await;
                expected += 1;
            }
        }
        for _ in 0..expected {
            let event = stream.news().await.expect("an open stream");
            let session = event.data["session"].as_str().expect("its session").to_owned();
            seen.entry(session).or_default().push(event.number());
            last = event.id;
        }
        drop(stream);
        // Missed while nobody listened.
        sent += 1;
        for session in sessions {
            client.publish(session, sent).await;
        }
        let mut stream = follow(&client, &sessions, last.as_deref()).await;
        for _ in 0..3 {
            let event = stream.news().await.expect("an open stream");
            let session = event.data["session"].as_str().expect("its session").to_owned();
            seen.entry(session).or_default().push(event.number());
            last = event.id;
        }
    }
    for session in sessions {
        assert_eq!(seen[session], (1..=sent).collect::<Vec<_>>(), "{session}");
    }

    // One ends and the others go on; with the last one the stream ends, and there is nothing more to come for.
    let mut stream = follow(&client, &sessions, last.as_deref()).await;
    client.complete(&two).await;
    let end = stream.news().await.expect("an open stream");
    assert_eq!((end.name.as_str(), &end.data["session"]), ("end", &json!(two)));
    client.publish(&one, 99).await;
    assert_eq!(stream.news().await.expect("an open stream").number(), 99);
    client.complete(&one).await;
    client.complete(&three).await;
    let mut last = None;
    for _ in 0..2 {
        last = stream.news().await.expect("an end").id;
    }
    assert_eq!(stream.news().await, None);
    let query: Vec<_> = sessions.iter().map(|session| ("session", *session)).collect();
    let again = client.get("/api/v1/streams").query(&query).header("last-event-id", last.expect("an id"));
    assert_eq!(again.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
}

/// However little of the beginning came through, the rest of it comes the next time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sessions_may_be_cut_after_any_event() {
    let server = server().await;
    let client = server.0.client();
    let names = [fresh("cut"), fresh("cut"), fresh("cut")];
    let sessions = names.each_ref().map(String::as_str);
    let mut seen: HashMap<String, Vec<u64>> = HashMap::new();
    let mut last: Option<String> = None;
    let mut one_more = async |last: &mut Option<String>| {
        let event = follow(&client, &sessions, last.as_deref()).await.news().await.expect("an open stream");
        assert_eq!(event.name, "status", "nothing was lost");
        seen.entry(event.data["session"].as_str().expect("its session").to_owned())
            .or_default()
            .push(event.number());
        *last = event.id;
    };
    for session in sessions {
        client.publish(session, 1).await;
    }
    one_more(&mut last).await;
    for session in sessions {
        client.publish_all(session, 2..=4).await;
    }
    // The rest of the first, and what the others are now.
    for _ in 0..5 {
        one_more(&mut last).await;
    }
    for session in sessions {
        client.publish_all(session, 5..=6).await;
    }
    for _ in 0..6 {
        one_more(&mut last).await;
    }
    assert_eq!(
        sessions.map(|session| seen[session].clone()),
        [vec![1, 2, 3, 4, 5, 6], vec![4, 5, 6], vec![4, 5, 6]]
    );
}

/// Streams that no reactor holds: over HTTP/1.0, and of several sessions.
#[tokio::test]
async fn who_leaves_such_a_stream_is_missed_at_once() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session, other) = (server.client(), fresh("left"), fresh("left"));
    client.publish(&session, 1).await;
    client.publish(&other, 1).await;
    let mut old = Bare::connect(server.port).await;
    old.ask(&session, "1.0").await;
    old.until("\nevent: status\n").await;
    let mut several = Bare::connect(server.port).await;
    let path = format!("/api/v1/streams?session={session}&session={other}");
    several.say(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await.expect("sent");
    several.until("\nevent: status\n").await;
    streams(&client, 3, 5).await;
    // Long before the next ping could fail.
    drop(old);
    streams(&client, 2, 5).await;
    several.reset();
    streams(&client, 0, 5).await;
}

/// One of them is refused: the others were never tried, so nothing is left that neither began nor failed.
#[tokio::test]
async fn what_is_refused_together_was_not_tried() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("together"));
    client.publish(&session, 1).await;
    let other = fresh("together");
    client.publish(&other, 1).await;
    let ask = |other: &str| {
        client.get(&format!("/api/v1/streams?session={session}&session={other}")).query(&[("user", "ann")])
    };
    let places: [_; 3] = std::array::from_fn(|_| client.stream(&other).query(&[("user", "ann")]));
    let mut held = Vec::new();
    for place in places {
        held.push(Follower::open(place).await);
    }
    // The first of the two had its place already.
    assert_eq!(ask(&other).send().await.expect("an answer").status(), StatusCode::TOO_MANY_REQUESTS);
    drop(held);
    streams(&client, 0, 5).await;
    let mut both = Follower::open(ask(&other)).await;
    both.news().await.expect("its first event");
    let counts = eventually("both are counted", 10, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        let count = |name: &str| scrape.get(&format!("streamgauge_{name}_total"));
        (count("connect_established") > 4.0)
            .then(|| ["connect_attempts", "connect_established", "connect_failed"].map(count))
    })
    .await;
    assert_eq!(counts, [5.0, 5.0, 0.0], "three for the places, and two together");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_list_of_sessions_is_refused() {
    let server = server().await;
    let client = server.0.client();
    let session = fresh("listed");
    client.publish(&session, 1).await;
    let many: Vec<String> = (0..17).map(|n| format!("session=s{n}")).collect();
    let check = async |query: &str, expected: StatusCode| {
        let answer = client.get(&format!("/api/v1/streams?{query}")).send().await.expect("an answer");
        assert_eq!(answer.status(), expected, "{query}");
    };
    check("", StatusCode::BAD_REQUEST).await;
    check("session=", StatusCode::BAD_REQUEST).await;
    check("session=a%20b", StatusCode::BAD_REQUEST).await;
    check(&many.join("&"), StatusCode::BAD_REQUEST).await;
    check(&format!("session={session}&session={session}"), StatusCode::BAD_REQUEST).await;
    // One that nobody has published to is no mistake: it may begin.
    check(&format!("session={session}&session=nobody-knows"), StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_batch_has_its_own_fate() {
    let server = server().await;
    let client = server.0.client();
    let (one, two) = (fresh("batch"), fresh("batch"));
    let lines = [
        json!({ "session": one, "stage": "work", "progress": 1, "data": 1 }).to_string(),
        "{".into(),
        json!({ "session": two, "stage": "work", "progress": 900 }).to_string(),
        String::new(),
        json!({ "session": two, "stage": "work", "progress": 2, "state": "completed" }).to_string(),
        json!({ "session": two, "stage": "work", "progress": 3 }).to_string(),
        json!({ "session": "a b", "stage": "work", "progress": 3 }).to_string(),
        json!({ "session": one, "stage": "work", "progress": 2, "data": 2 }).to_string(),
        json!({ "session": one, "stage": 7, "progress": 3 }).to_string(),
        json!({ "stage": "work", "progress": 3 }).to_string(),
        json!({ "session": one, "stage": "work", "progress": 3, "more": true }).to_string(),
    ];
    let post = |kind: &'static str, body: String| {
        client.post("/api/v1/status").header("content-type", kind).body(body).send()
    };
    let answer = post("application/x-ndjson", lines.join("\n")).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::MULTI_STATUS);
    let fates: Vec<Value> = answer.json().await.expect("JSON");
    let fates: Vec<(u64, u64)> = fates
        .iter()
        .map(|fate| (fate["line"].as_u64().expect("a line"), fate["status"].as_u64().expect("a status")))
        .collect();
    assert_eq!(
        fates,
        [
            (1, 202),
            (2, 400),
            (3, 422),
            (5, 202),
            (6, 409),
            (7, 400),
            (8, 202),
            (9, 422),
            (10, 422),
            (11, 422)
        ]
    );
    let status: Value = client.poll(&one).await.json().await.expect("JSON");
    assert_eq!(status["data"], 2);

    let wrong = post("application/json", lines[0].clone()).await.expect("an answer");
    assert_eq!(wrong.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let many = vec![lines[0].clone(); 1_001].join("\n");
    let answer = post("application/x-ndjson", many).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let large = "x".repeat(1_100_000);
    let answer = post("application/x-ndjson", large).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// All that a stream says until it ends, over a bare socket.
async fn read_raw(port: u16, head: String) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    socket.read_to_end(&mut read).await.expect("the whole stream");
    String::from_utf8(read).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_of_http_tells_the_same() {
    const MANY: u64 = 900;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("versions"));
    client.publish(&session, 1).await;
    let path = format!("/api/v1/sessions/{session}/status/stream");
    let old = tokio::spawn(read_raw(server.port, format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n")));
    let parked =
        tokio::spawn(read_raw(server.port, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")));
    let multiplexed = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let mut two = Vec::new();
    for _ in 0..2 {
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        two.push(Follower::open(multiplexed.get(url)).await);
    }
    eventually("four streams", 5, async || (client.metrics().await["activeConnections"] == 4).then_some(()))
        .await;
    client.publish_all(&session, 2..=40).await;
    // More at once than any queue holds.
    let lines = (41..=MANY)
        .map(|n| json!({ "session": session, "stage": "work", "progress": n % 101, "data": n }).to_string());
    let batch = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
    let answer = batch.body(lines.collect::<Vec<_>>().join("\n")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::MULTI_STATUS);
    client.complete(&session).await;

    let events = |text: &str| -> Vec<String> {
        let kept = |line: &&str| ["id: ", "event: ", "data: "].iter().any(|field| line.starts_with(field));
        // Each stream's first ping has a time of its own.
        let told = text.lines().skip_while(|line| !line.starts_with("id: "));
        told.filter(kept).map(str::to_owned).collect()
    };
    let (old, parked) = (old.await.expect("a stream"), parked.await.expect("a stream"));
    assert!(old.starts_with("HTTP/1.0 200") && !old.contains("chunked"), "{old}");
    assert!(parked.starts_with("HTTP/1.1 200") && parked.contains("connection: close"), "{parked}");
    assert!(parked.ends_with("0\r\n\r\n"));
    assert!(events(&old) == events(&parked), "{old}\n{parked}");
    assert_eq!(events(&parked).len() as u64, (MANY + 1) * 3);
    for mut follower in two {
        assert_eq!(follower.numbers(MANY as usize).await, (1..=MANY).collect::<Vec<_>>());
        assert_eq!(follower.news().await.expect("an end").name, "end");
        assert_eq!(follower.news().await, None);
    }
    server.stop();
    assert_eq!(database.counted("closed_at_end").await, 4);
    assert_eq!(database.counted("delivered").await, 4 * (MANY as i64 + 1));
    assert_eq!(database.counted("deliveries_due").await, 4 * (MANY as i64 + 1));
}

async fn what_comes_within_the_batching_interval_goes_in_one_write(version: &str) {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("batch-ms", 1_000).start();
    let (client, session) = (Client::over(server.port, version), fresh("batched"));
    client.publish(&session, 0).await;
    let mut early = client.follow(&session).await;
    assert_eq!(early.numbers(1).await, [0]);
    let since = Instant::now();
    client.publish(&session, 1).await;
    assert_eq!(early.numbers(1).await, [1]);
    assert!(since.elapsed() < Duration::from_millis(300), "the first goes at once");
    client.publish_all(&session, 2..=20).await;
    let mut arrivals = Vec::new();
    for n in 2..=20 {
        assert_eq!(early.numbers(1).await, [n]);
        arrivals.push(since.elapsed());
    }
    // In as many writes as intervals have passed, each a burst.
    let bursts = 1 + arrivals.windows(2).filter(|two| two[1] - two[0] > Duration::from_millis(100)).count();
    assert!(bursts <= 1 + since.elapsed().as_millis() as usize / 1_000, "{arrivals:?}");
    assert!(arrivals[0] >= Duration::from_millis(900), "held back: {arrivals:?}");
    // A newcomer in the middle of an interval gets everything once, and the end waits for nothing.
    client.publish(&session, 21).await;
    client.publish(&session, 22).await;
    let mut late = client.follow(&session).await;
    assert_eq!(late.numbers(1).await, [22]);
    let since = Instant::now();
    client.complete(&session).await;
    assert_eq!(late.news().await.expect("an end").name, "end");
    assert_eq!(early.numbers(2).await, [21, 22]);
    assert_eq!(early.news().await.expect("an end").name, "end");
    assert!(since.elapsed() < Duration::from_millis(350), "{:?}", since.elapsed());
    server.stop();
    let count = async |counter| database.counted(counter).await;
    let dropped = count("dropped_slow").await + count("dropped_gone").await;
    let fates = count("delivered").await + count("conflated").await + dropped + count("repeated").await;
    assert_eq!(count("deliveries_due").await, fates);
    assert_eq!(count("delivered").await, 1 + 22 + 1 + 1 + 1);
}

/// What is written at once comes in one piece, and not as nineteen that follow each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_an_interval_comes_in_one_piece() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("batch-ms", 300).start();
    let client = server.client();
    for version in ["1.1", "1.0"] {
        let session = fresh("piece");
        client.publish(&session, 0).await;
        let mut follower = Bare::connect(server.port).await;
        follower.ask(&session, version).await;
        follower.past("event: status\n").await;
        for round in 0..3 {
            tokio::time::sleep(Duration::from_millis(350)).await;
            let first = round * 20 + 1;
            client.publish(&session, first).await;
            follower.past(&format!("\"data\":{first},")).await;
            let lines = (first + 1..first + 20).map(|n| {
                json!({ "session": session, "stage": "work", "progress": 1, "data": n }).to_string()
            });
            let batch = client.post("/api/v1/status").header("content-type", "application/x-ndjson");
            let answer = batch.body(lines.collect::<Vec<_>>().join("\n")).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::MULTI_STATUS);
            let piece = follower.piece().await;
            let events = piece.matches("event: status\n").count();
            assert_eq!(events, 19, "HTTP/{version}: {piece}");
        }
    }
}
