//! `Server-Timing`: for admins, and for nobody else.

use crate::support::{Database, Launch, fresh, key};
use reqwest::{RequestBuilder, StatusCode};
use std::collections::HashMap;

/// Milliseconds by name; `None`: the header is not there.
async fn timing(request: RequestBuilder) -> (StatusCode, Option<HashMap<String, f64>>) {
    let answer = request.send().await.expect("an answer");
    let told = answer.headers().get("server-timing").map(|value| {
        let metrics = value.to_str().expect("text").split(", ");
        let metric = |metric: &str| {
            let (name, duration) = metric.split_once(";dur=").expect("a duration");
            (name.to_owned(), duration.parse::<f64>().expect("milliseconds"))
        };
        metrics.map(metric).collect()
    });
    (answer.status(), told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_server_says_where_the_time_went() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    for path in
        ["/", "/?range=24h", "/sessions", "/api/admin/limits", "/api/admin/load-tests", "/api/app/sessions"]
    {
        let (status, told) = timing(client.get(path)).await;
        let told = told.unwrap_or_else(|| panic!("nothing for {path}"));
        assert!(
            status.is_success() && told["total"] > 0.0 && told["db"] <= told["total"],
            "{path}: {told:?}"
        );
        assert_eq!(told["db"] > 0.0, path != "/api/admin/limits", "{path}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_server_says_it_to_admins_only() {
    let database = Database::new().await;
    let made = |scope| key(&database, &["create", "--name", "test", "--scope", scope]).0;
    let secret = |said: String| said.lines().next().expect("a key").to_owned();
    let (publisher, admin) = (secret(made("publish")), secret(made("admin")));
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("timed"));
    assert!(timing(client.get("/").bearer_auth(&admin)).await.1.is_some());
    assert!(timing(client.get("/api/admin/limits").bearer_auth(&admin)).await.1.is_some());
    let poll = format!("/api/v1/sessions/{session}/status");
    for request in [
        client.event(&session, 1).bearer_auth(&publisher),
        client.get(&poll).bearer_auth(&admin),
        client.get("/api/admin/limits").bearer_auth(&publisher),
        client.get("/api/admin/limits"),
        client.get("/"),
        client.get("/login"),
        client.get(&format!("/s/{session}")),
        client.get("/healthz"),
    ] {
        let (status, told) = timing(request).await;
        assert_eq!(told, None, "{status}");
    }
}
