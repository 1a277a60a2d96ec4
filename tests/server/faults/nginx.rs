use crate::support::{Client, Database, Follower, Launch, Nginx, Server, fresh, key, streams};
use flate2::write::GzDecoder;
use reqwest::header::HeaderMap;
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// What nginx does by itself, plus the version of HTTP that it speaks to the server.
const BUFFERS: &str = "proxy_buffering on; proxy_buffers 8 64k; proxy_buffer_size 64k;";
const COMPRESSES: &str = "gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any; gzip_comp_level 9;";

/// What it does where it is told not to listen to us.
const HOLDS: &str =
    "proxy_ignore_headers X-Accel-Buffering; proxy_buffering on; proxy_buffers 8 4k; proxy_buffer_size 4k;";

async fn behind(directives: &str) -> (Server, Nginx, Client, Client, Database) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let nginx = Nginx::to(server.port, directives);
    let (client, behind) = (server.client(), Client::new(nginx.port));
    (server, nginx, client, behind, database)
}

/// The stream as a browser asks for it through a proxy.
async fn ask(client: &Client, session: &str) -> reqwest::Response {
    let request = client.stream(session).header("accept-encoding", "gzip");
    request.send().await.expect("an answer")
}

fn guaranteed(headers: &HeaderMap) {
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-cache, no-transform");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_buffers_lets_a_stream_through() {
    for version in ["1.0", "1.1"] {
        let directives = format!("{BUFFERS} proxy_http_version {version};");
        let (server, _nginx, client, behind, database) = behind(&directives).await;
        let session = fresh("buffered");
        client.publish(&session, 0).await;
        let answer = ask(&behind, &session).await;
        guaranteed(answer.headers());
        let mut follower = Follower::of(answer);
        assert_eq!(follower.numbers(1).await, [0]);
        // Each comes before the next is published.
        for n in 1..=20 {
            client.publish(&session, n).await;
            assert_eq!(follower.numbers(1).await, [n]);
        }
        client.complete(&session).await;
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
        streams(&client, 0, 5).await;
        // A follower that leaves is noticed through the proxy too.
        let other = fresh("buffered");
        client.publish(&other, 1).await;
        let follower = behind.follow(&other).await;
        streams(&client, 1, 5).await;
        drop(follower);
        streams(&client, 0, 5).await;
        server.stop();
        assert_eq!(database.counted("delivered").await, 23, "over HTTP/{version}");
    }
}

/// nginx compresses a stream where it is told to compress everything; whatever we say does not keep it from that. It
/// flushes after each event all the same, since it does not buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_compresses_everything_does_so_event_by_event() {
    let (server, _nginx, client, behind, _database) = behind(&format!("{BUFFERS} {COMPRESSES}")).await;
    let session = fresh("compressed");
    client.publish(&session, 0).await;
    let mut answer = ask(&behind, &session).await;
    guaranteed(answer.headers());
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let mut text = GzDecoder::new(Vec::new());
    for n in 0..=20 {
        if n > 0 {
            client.publish(&session, n).await;
        }
        let expected = format!("\"data\":{n},");
        while !String::from_utf8_lossy(text.get_ref()).contains(&expected) {
            let chunk = tokio::time::timeout(Duration::from_secs(5), answer.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("event {n} is held back")).expect("an open stream");
            text.write_all(&chunk.expect("an open stream")).expect("gzip");
            text.flush().expect("gzip");
        }
    }
    server.stop();
}

/// How long it took from the first tick of the self-test to its last.
async fn ticking(client: &Client) -> Duration {
    let mut ticks = Follower::open(client.get("/api/v1/selftest/stream")).await;
    let mut came = Vec::new();
    while let Some(tick) = ticks.next().await {
        came.push(Instant::now());
        assert_eq!((tick.name.as_str(), &tick.data["n"]), ("tick", &came.len().into()));
    }
    assert_eq!(came.len(), 5);
    came[4] - came[0]
}

/// The server cannot know: it has written everything. Its followers can, by the self-test, and poll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_holds_a_stream_back_is_told_by_the_self_test() {
    let (server, _nginx, client, behind, database) = behind(HOLDS).await;
    assert!(ticking(&client).await > Duration::from_millis(500));
    assert!(ticking(&behind).await < Duration::from_millis(400), "in one lump");

    let session = fresh("held-back");
    client.publish(&session, 0).await;
    let ask = || tokio::spawn(behind.stream(&session).send());
    let mut asking = ask();
    streams(&client, 1, 5).await;
    client.publish_all(&session, 1..=5).await;
    let early = tokio::time::timeout(Duration::from_secs(1), &mut asking).await;
    assert!(early.is_err(), "not even the head: {early:?}");
    let polled = behind.poll(&session).await.json::<serde_json::Value>().await.expect("JSON");
    assert_eq!(polled["data"], 5);
    // A buffer that is full is passed on.
    client.publish_all(&session, 6..=99).await;
    let answer = tokio::time::timeout(Duration::from_secs(5), asking).await.expect("what filled it");
    let mut follower = Follower::of(answer.expect("a task").expect("an answer"));
    assert_eq!(follower.numbers(10).await, Vec::from_iter(0..10));
    // A follower that leaves before it has heard anything is noticed.
    let other = ask();
    streams(&client, 2, 5).await;
    other.abort();
    streams(&client, 1, 5).await;
    client.complete(&session).await;
    assert_eq!(follower.numbers(90).await, Vec::from_iter(10..100));
    assert_eq!(follower.news().await.expect("the end").name, "end");
    assert_eq!(follower.news().await, None);
    streams(&client, 0, 5).await;
    server.stop();
    database.accounts().await;
    let counted = async |counter| database.counted(counter).await;
    assert_eq!((counted("delivered").await, counted("connect_established").await), (102, 2));
}

/// A shared cache knows an answer by its address alone: what an admin or a follower was told, it would tell anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_tells_nobody_what_an_admin_or_a_follower_was_told() {
    let database = Database::new().await;
    let made = |scope| key(&database, &["create", "--name", "test", "--scope", scope]).0;
    let secret = |said: String| said.lines().next().expect("a key").to_owned();
    let (publisher, admin) = (secret(made("publish")), secret(made("admin")));
    let server = Launch::on(&database).start();
    let nginx = Nginx::that_caches(server.port);
    let (client, session) = (server.client(), fresh("cached"));
    let created = client.post("/api/v1/sessions").json(&serde_json::json!({ "id": session }));
    let created = created.bearer_auth(&publisher).send().await.expect("an answer");
    let created: serde_json::Value = created.json().await.expect("JSON");
    let ticket = format!("sg_ticket={}", created["ticket"].as_str().expect("a ticket"));
    client.event(&session, 1).bearer_auth(&publisher).send().await.expect("an answer");
    client.stored().await;

    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let ask = |path: &str| http.get(format!("http://127.0.0.1:{}{path}", nginx.port));
    let cached = |answer: &reqwest::Response| answer.headers()["x-cache"].to_str().expect("text").to_owned();
    // It does keep what everybody may have.
    for expected in ["MISS", "HIT"] {
        let answer = ask("/api/openapi.json").send().await.expect("an answer");
        assert_eq!(cached(&answer), expected);
    }
    for path in [
        "/",
        "/sessions",
        "/panels",
        "/metrics",
        "/api/admin/limits",
        "/api/admin/annotations",
        "/api/admin/audit",
        "/api/admin/metrics",
        "/api/admin/panels",
        "/api/admin/load-tests",
        "/api/admin/charts/latency.svg",
        "/api/app/sessions",
    ] {
        // Before anybody was let in, too: the way to the sign-in is not for those who are signed in.
        for brought in [false, true, false] {
            let answer = if brought { ask(path).bearer_auth(&admin) } else { ask(path) };
            let answer = answer.send().await.expect("an answer");
            let (status, cached) = (answer.status().as_u16(), cached(&answer));
            assert_eq!((cached.as_str(), status == 200), ("MISS", brought), "{path} {status}");
        }
    }
    for path in [format!("/api/v1/sessions/{session}/status"), format!("/s/{session}")] {
        for brought in [false, true, false] {
            let answer = if brought { ask(&path).header("cookie", &ticket) } else { ask(&path) };
            let answer = answer.send().await.expect("an answer");
            let (status, cached) = (answer.status().as_u16(), cached(&answer));
            let expected = if brought { 200 } else { 401 };
            assert_eq!((cached.as_str(), status), ("MISS", expected), "{path}");
        }
    }
    server.stop();
}
