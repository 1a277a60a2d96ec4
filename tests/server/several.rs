//! Several sessions over one connection: each of them takes its user's place.

use crate::support::{Client, Database, Follower, Launch, eventually, fresh, streams};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

fn several(client: &Client, sessions: &[&String]) -> RequestBuilder {
    let asked: Vec<_> = sessions.iter().map(|session| ("session", *session)).collect();
    client.get("/api/v1/streams").query(&asked).query(&[("user", "ann")])
}

fn one(client: &Client, session: &str) -> RequestBuilder {
    client.stream(session).query(&[("user", "ann")])
}

/// The whole connection is, and the answer names the session that there is no place for.
async fn refused(request: RequestBuilder, client: &Client, session: &str) {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["poll_url"], json!(format!("/api/v1/sessions/{session}/status")), "{problem}");
    let polled = client.get(problem["poll_url"].as_str().expect("text")).send().await.expect("an answer");
    assert_eq!(polled.status(), StatusCode::OK);
}

/// Places are given back once the server has noticed that a client is gone.
async fn follow(request: impl Fn() -> RequestBuilder) -> Follower {
    let answer = eventually("a place is free", 5, async || {
        let answer = request().send().await.expect("an answer");
        (answer.status() == StatusCode::OK).then_some(answer)
    });
    Follower::of(answer.await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_takes_one_of_its_users_places() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("streams-per-user", 3).start();
    let (client, first, second) = (&server.client(), fresh("several"), fresh("several"));
    client.publish(&first, 1).await;
    client.publish(&second, 1).await;
    let both = &[&first, &second][..];
    let mut held = Follower::open(several(client, both)).await;
    assert_eq!(held.numbers(2).await, [1, 1]);
    // There is one place left: the second has none, and the first does not keep it.
    refused(several(client, both), client, &second).await;
    streams(client, 2, 5).await;
    let single = Follower::open(one(client, &first)).await;
    refused(several(client, both), client, &first).await;
    drop((held, single));
    follow(|| several(client, &[&first, &second])).await;
    streams(client, 0, 5).await;
    server.stop();
    database.accounts().await;
    assert_eq!(database.counted("connect_attempts").await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_has_its_own_places_of_a_user() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("streams-per-user-and-session", 2).start();
    let (client, first, second) = (&server.client(), fresh("several"), fresh("several"));
    client.publish(&first, 1).await;
    client.publish(&second, 1).await;
    let full = [Follower::open(one(client, &second)).await, Follower::open(one(client, &second)).await];
    for _ in 0..3 {
        refused(several(client, &[&first, &second]), client, &second).await;
    }
    let free = [Follower::open(one(client, &first)).await, Follower::open(one(client, &first)).await];
    streams(client, 4, 5).await;
    drop((full, free));
    let mut both = follow(|| several(client, &[&first, &second])).await;
    assert_eq!(both.numbers(2).await, [1, 1]);
    server.stop();
    database.accounts().await;
    assert_eq!(database.counted("connect_attempts").await, 6);
}
