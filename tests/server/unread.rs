//! An attacker asks for much and reads nothing: memory stays bounded, and everybody else is served.

use crate::support::{Bare, Client, Database, Launch, Server, fresh, words_of_http2::asks_all};
use reqwest::StatusCode;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// What the server's memory may grow by under any of these attacks, bytes.
const GROWTH: u64 = 100_000_000;
/// CI's machine is busy and the build is not optimised; `benches/unread.py` holds the 50 ms of a release build.
const SOON: Duration = Duration::from_secs(2);

/// The largest file there is, or a page where nothing is built.
async fn largest_file(client: &Client) -> String {
    let page = client.get("/").send().await.expect("an answer").text().await.expect("text");
    let file = page.split('"').find(|word| word.starts_with("/assets/") && word.ends_with(".wasm"));
    file.unwrap_or("/sdk/streamgauge.js").to_owned()
}

/// For so long a publish and `/readyz` are answered soon. Answers the most memory that was seen.
async fn everybody_else_is_served(server: &Server, client: &Client, session: &str, seconds: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut most, mut n) = (0, 1);
    while Instant::now() < deadline {
        let since = Instant::now();
        client.publish(session, n).await;
        let ready = client.get("/readyz").send().await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::OK);
        assert!(since.elapsed() < SOON, "a publish and /readyz took {:?}", since.elapsed());
        most = most.max(server.memory());
        n += 1;
        sleep(Duration::from_millis(20)).await;
    }
    most
}

/// `attack` opens the connections and keeps them open.
async fn withstands<T>(attack: impl AsyncFnOnce(u16, String) -> T) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("unread"));
    let file = largest_file(&client).await;
    for path in ["/", "/panels", file.as_str()] {
        assert_eq!(client.get(path).send().await.expect("an answer").status(), StatusCode::OK, "{path}");
    }
    client.publish(&session, 0).await;
    let mut follower = client.follow(&session).await;
    let before = server.memory();

    let held = attack(server.port, file).await;
    let most = everybody_else_is_served(&server, &client, &session, 6).await;
    assert!(most < before + GROWTH, "memory grew by {} MB", (most - before) / 1_000_000);
    follower.until(1).await;

    drop(held);
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.memory() > before + GROWTH / 3 {
        let more = (server.memory() - before) / 1_000_000;
        assert!(Instant::now() < deadline, "{more} MB more than before, 10 s after the last client left");
        sleep(Duration::from_millis(50)).await;
    }
    let page = client.get("/").send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK, "pages are served again");
}

/// Attack: 20 connections of HTTP/2 with a closed window, 128 requests each. It took 100 MB a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_windows_of_http2_do_not_fill_the_memory() {
    withstands(async |port, file| {
        let mut held = Vec::new();
        for _ in 0..20 {
            let paths: Vec<&str> = (0..128).map(|n| ["/", "/panels", file.as_str()][n % 3]).collect();
            let mut one = Bare::connect(port).await;
            one.say(asks_all(&paths)).await.expect("sent");
            held.push(one);
        }
        held
    })
    .await;
}

/// Attack: 3,000 connections ask for a file or a page and read nothing. It took 1.5 GB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_unread_answers_do_not_fill_the_memory() {
    withstands(async |port, file| {
        let mut held = Vec::new();
        for n in 0..3_000 {
            let path = ["/", "/panels", file.as_str()][n % 3];
            let mut one = Bare::connect(port).await;
            one.say(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await.expect("sent");
            held.push(one);
        }
        held
    })
    .await;
}

/// Attack: one client holds all the room for answers. While others want it, the client's connections are closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_is_closed_when_others_wait_for_room() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut one = Bare::connect(server.port).await;
        one.say(asks_all(&["/"; 32])).await.expect("sent");
        held.push(one);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let page = client.get("/").send().await.expect("an answer");
        match page.status() {
            StatusCode::OK => break,
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(page.headers().contains_key("retry-after"), "it says when to come back");
            }
            other => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "the pages stay refused");
    }
    drop(held);
}
