//! An attacker takes connections and asks for nothing: those that want something are let in.

use crate::support::{Bare, Database, Launch, Server, eventually, fresh};
use reqwest::StatusCode;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A publisher and a health check with new connections each are answered soon, for a few seconds.
async fn newcomers_are_served(server: &Server) {
    let session = fresh("newcomer");
    let end = Instant::now() + Duration::from_secs(4);
    let mut n = 0;
    while Instant::now() < end {
        let (client, since) = (server.client(), Instant::now());
        client.publish(&session, n).await;
        let health = server.client().get("/healthz").send().await.expect("an answer");
        assert_eq!(health.status(), StatusCode::OK);
        assert!(since.elapsed() < Duration::from_secs(2), "two new connections took {:?}", since.elapsed());
        n += 1;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Attack: more connections than there are places, and on each `words` only. Nobody else was let in for 75 s.
async fn a_flood_leaves_room(words: &str) {
    const FLOOD: usize = 600;
    let database = Database::new().await;
    let server = Launch::on(&database).files("-n 400").start();
    let session = fresh("flooded");
    let publisher = server.client();
    publisher.publish(&session, 1).await;
    let mut follower = publisher.follow(&session).await;
    follower.until(1).await;

    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        let mut one = Bare::connect(server.port).await;
        // Connections that were closed for later ones are a success of the server's.
        let _ = one.say(words).await;
        flood.push(one);
    }
    newcomers_are_served(&server).await;
    publisher.publish(&session, 2).await;
    // The open stream goes on.
    follower.until(2).await;
    drop(flood);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_keep_nobody_out() {
    a_flood_leaves_room("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_heads_keep_nobody_out() {
    a_flood_leaves_room("GET /healthz HTTP/1.1\r\nhost: localh").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_keep_nobody_out() {
    a_flood_leaves_room("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_bodies_keep_nobody_out() {
    let head =
        "POST /api/v1/sessions/x/status HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    a_flood_leaves_room(&format!("{head}content-length: 100\r\n\r\n{{\"stage\"")).await;
}

/// Attack: one address takes as many connections as there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_bound_unless_it_is_a_trusted_proxy() {
    let database = Database::new().await;
    let server = Launch::on(&database)
        .flag("trusted-proxies", "192.0.2.0/24")
        .flag("connections-per-address", 20)
        .start();
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(Bare::connect(server.port).await);
    }
    let mut more = Bare::connect(server.port).await;
    more.until("HTTP/1.1 429 Too Many Requests").await;
    server.logged("an address has as many connections as one may have").await;
    drop(held);
    eventually("places are given back", 5, async || {
        let health = server.client().get("/healthz").send().await.ok()?;
        (health.status() == StatusCode::OK).then_some(())
    })
    .await;
}
