//! What holds for every request: the name that it calls the server by, the site that sent it, and what caches may keep.

use crate::support::{Bare, Client, Database, Launch, fresh, key};
use reqwest::{Method, RequestBuilder, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use streamgauge::testing::ROUTES;

/// What a browser would ask for whose DNS says that `name` is this machine. `version` of HTTP: `1.1` or `2`.
fn rebound(port: u16, name: &str, version: &str) -> impl Fn(Method, &str) -> RequestBuilder + use<> {
    let http = reqwest::Client::builder().resolve(name, SocketAddr::from(([127, 0, 0, 1], port)));
    let http = if version == "2" { http.http2_prior_knowledge() } else { http };
    let http = http.redirect(Policy::none()).build().expect("a client");
    let base = format!("http://{name}:{port}");
    move |method, path| http.request(method, format!("{base}{path}"))
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.expect("an answer").status()
}

fn secret(database: &Database, scope: &str) -> String {
    let (said, _) = key(database, &["create", "--name", "test", "--scope", scope]);
    said.lines().next().expect("a key").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_rebinding_reaches_nothing_on_an_open_server() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    for version in ["1.1", "2"] {
        for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
            let ask = rebound(server.port, name, version);
            for path in ["/", "/healthz", "/api/admin/limits", "/metrics", "/s/a", "/sdk/streamgauge.js"] {
                assert_eq!(status(ask(Method::GET, path)).await, 421, "{name}{path} over {version}");
            }
            // The browser takes it for a request of its own origin.
            let own = format!("http://{name}:{}", server.port);
            let change = ask(Method::PATCH, "/api/admin/limits").header("origin", own);
            let change = change.header("sec-fetch-site", "same-origin").json(&json!({ "batch_ms": 7 }));
            let answer = change.header("x-forwarded-host", "localhost").send().await.expect("an answer");
            assert_eq!(answer.status(), 421, "{name} over {version}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        for name in ["localhost", "gauge.localhost"] {
            let ask = rebound(server.port, name, version);
            assert_eq!(status(ask(Method::GET, "/api/admin/limits")).await, 200, "{name} over {version}");
        }
    }
    let limits: Value =
        server.client().get("/api/admin/limits").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(limits["batch_ms"], 0);
    // The address of a request over HTTP/1.1 may name a host too.
    let mut bare = Bare::connect(server.port).await;
    let ask = "GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    bare.say(ask).await.expect("sent");
    assert_eq!(bare.status().await, 421);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_keys_answers_to_the_names_that_its_settings_have() {
    let database = Database::new().await;
    let admin = secret(&database, "admin");
    let asked = async |port, name: &str| {
        status(rebound(port, name, "1.1")(Method::GET, "/api/admin/limits").bearer_auth(&admin)).await
    };
    let any = Launch::on(&database).start();
    for name in ["status.example.com", "upstream", "localhost"] {
        assert_eq!(asked(any.port, name).await, 200, "{name}, without a setting");
    }
    any.stop();
    let named = Launch::on(&database).flag("public-url", "https://status.example.com/gauge");
    let named = named.flag("allowed-hosts", "upstream,alias.example.com").start();
    let said = named.logged("listens on").await;
    assert!(said.contains("https://status.example.com/gauge"), "{said}");
    for (name, expected) in [
        ("status.example.com", 200),
        ("upstream", 200),
        ("alias.example.com", 200),
        ("localhost", 200),
        ("evil.example", 421),
        ("example.com", 421),
    ] {
        assert_eq!(asked(named.port, name).await, expected, "{name}");
    }
    assert_eq!(status(named.client().get("/healthz")).await, 200, "an address");
}

/// The node's own probe names an address, so that no setting shuts it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_is_served_whatever_names_the_settings_have() {
    let database = Database::new().await;
    secret(&database, "admin");
    let launch = Launch::on(&database).flag("public-url", "https://status.example.com");
    let server = launch.flag("probe-ms", 1_000).start();
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.stop();
    assert_eq!(database.counted("probes_bad").await, 0);
    assert!(database.counted("probes_good").await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_page_changes_nothing() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("forged"));
    client.publish(&session, 1).await;
    let own = format!("http://127.0.0.1:{}", server.port);
    let beacon = json!({ "v": 1, "session": session, "page": "p", "seq": 0, "mode": "poll" });
    let requests: [(&str, &dyn Fn() -> RequestBuilder, u16); 7] = [
        ("limits", &|| client.patch("/api/admin/limits").json(&json!({ "batch_ms": 0 })), 200),
        ("annotate", &|| client.post("/api/admin/annotations").json(&json!({ "text": "a" })), 201),
        ("create", &|| client.post("/api/v1/sessions").json(&json!({})), 201),
        ("publish", &|| client.event(&session, 2), 202),
        ("sign out", &|| client.post("/logout").body(""), 200),
        ("read", &|| client.get("/api/admin/limits"), 200),
        ("beacon", &|| client.post("/api/v1/beacons").json(&beacon), 204),
    ];
    client.stored().await;
    for (name, request, good) in requests {
        let sent = async |headers: &[(&str, &str)]| {
            let mut request = request();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            status(request).await.as_u16()
        };
        // No browser's page, or one of this server.
        for headers in [
            &[][..],
            &[("sec-fetch-site", "same-origin"), ("origin", own.as_str())],
            &[("sec-fetch-site", "none")],
            &[("origin", own.as_str())],
        ] {
            assert_eq!(sent(headers).await, good, "{name} {headers:?}");
        }
        let public = ["read", "beacon"].contains(&name);
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:1")],
            &[("sec-fetch-site", "cross-site")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://127.0.0.1:1")],
            &[("origin", "null")],
        ] {
            assert_eq!(sent(headers).await, if public { good } else { 403 }, "{name} {headers:?}");
        }
    }
    // What a page of another site cannot send without being asked: this is an extension, or a program.
    let meant = client.event(&session, 3).header("origin", "chrome-extension://a").bearer_auth("sgk_any");
    assert_eq!(status(meant).await, 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_form_signs_nobody_in_or_out() {
    let database = Database::new().await;
    let admin = secret(&database, "admin");
    let server = Launch::on(&database).flag("public-url", "https://status.example.com").start();
    let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
    let sent = async |path: &str, origin: &str| {
        let form = http.post(format!("http://127.0.0.1:{}{path}", server.port)).header("origin", origin);
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("key={admin}")).send().await.expect("an answer")
    };
    for path in ["/login", "/logout"] {
        for origin in ["https://evil.example", "http://status.example.com", "null"] {
            let answer = sent(path, origin).await;
            assert_eq!(
                (answer.status().as_u16(), answer.headers().get("set-cookie")),
                (403, None),
                "{path} {origin}"
            );
        }
        // By a proxy that changes `Host`: the setting says which origin is the server's own.
        let answer = sent(path, "https://status.example.com").await;
        assert_eq!(answer.status(), 303, "{path}");
        assert!(answer.headers().contains_key("set-cookie"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_one_host_and_a_body_that_is_encoded_are_refused() {
    let database = Database::new().await;
    // Closed: it answers to every name.
    let publisher = secret(&database, "publish");
    let server = Launch::on(&database).start();
    for (head, expected) in [
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nHost: b\r\n", 400),
        ("GET http://a/healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nhost:\r\n", 200),
    ] {
        let mut bare = Bare::connect(server.port).await;
        bare.say(format!("{head}\r\n")).await.expect("sent");
        assert_eq!(bare.status().await, expected, "{head:?}");
    }
    let (client, session) = (server.client(), fresh("encoded"));
    let event = || client.event(&session, 1).bearer_auth(&publisher);
    for (coding, expected) in
        [("gzip", 415), ("br", 415), ("identity, gzip", 415), ("", 415), ("identity", 202), ("Identity", 202)]
    {
        assert_eq!(status(event().header("content-encoding", coding)).await, expected, "{coding:?}");
    }
    let read = client.get("/healthz").header("content-encoding", "gzip");
    assert_eq!(status(read).await, 200, "without a body there is nothing to unpack");
}

/// What caches may do with a good answer of each route.
fn kept(path: &str) -> &'static str {
    match path {
        "/assets/{file}" => "public, max-age=31536000, immutable",
        "/sdk/{file}" | "/favicon.svg" | "/world.svg" | "/api/openapi.json" => "public, max-age=300",
        "/api/v1/sessions/{id}/status" => "private, no-cache",
        "/api/v1/sessions/{id}/status/stream" | "/api/v1/streams" | "/api/v1/selftest/stream" => {
            "no-cache, no-transform"
        }
        "/api/admin/sse-metrics/stream" => "no-store, no-transform",
        _ => "no-store",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_lets_a_cache_keep_what_is_behind_access_and_none_is_framed() {
    let database = Database::new().await;
    let (publisher, admin) = (secret(&database, "publish"), secret(&database, "admin"));
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("kept"));
    let made = client.post("/api/v1/sessions").json(&json!({ "id": session })).bearer_auth(&publisher);
    let made = made.send().await.expect("an answer");
    assert_eq!(
        (made.status(), &made.headers()["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().expect("text"))
    );
    let made: Value = made.json().await.expect("JSON");
    let ticket = made["ticket"].as_str().expect("a ticket");
    assert_eq!(status(client.event(&session, 1).bearer_auth(&publisher)).await, 202);
    client.stored().await;

    let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
    let routed = ROUTES.iter().map(|route| route.path);
    let (mut good, mut documents) = (Vec::new(), 0);
    for path in routed.chain(["/", "/sessions", "/search", "/sessions/{id}", "/load-tests", "/nothing"]) {
        let file = if path.contains("charts") { "latency.svg" } else { "streamgauge.js" };
        let filled = path.replace("{id}", &session).replace("{file}", file).replace("{function}", "sessions");
        let url = format!("http://127.0.0.1:{}{}", server.port, filled.replace("{*rest}", "a"));
        let ask = || http.get(&url).query(&[("session", &session)]);
        let follows = path.starts_with("/api/v1") || path == "/s/{id}";
        let token = if follows { ticket } else { admin.as_str() };
        for answer in [ask(), ask().bearer_auth(token)].map(RequestBuilder::send) {
            let answer = answer.await.expect("an answer");
            let (headers, status) = (answer.headers(), answer.status());
            let expected = if status == StatusCode::OK { kept(path) } else { "no-store" };
            assert_eq!(headers["cache-control"], expected, "{path} {status}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path} {status}");
            let kind = headers.get("content-type").map_or("", |kind| kind.to_str().expect("text"));
            if kind.starts_with("text/html") || kind.starts_with("image/svg") {
                let policy = headers["content-security-policy"].to_str().expect("text");
                assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
                assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
                assert_eq!(headers["x-frame-options"], "DENY", "{path}");
                documents += 1;
            }
            if status == StatusCode::OK {
                good.push(path.to_owned());
            }
        }
    }
    for path in [
        "/",
        "/sessions",
        "/panels",
        "/metrics",
        "/s/{id}",
        "/api/admin/limits",
        "/api/admin/charts/{file}",
        "/api/admin/metrics",
        "/api/admin/annotations",
        "/api/app/{function}",
        "/api/v1/selftest/stream",
        "/api/v1/sessions/{id}/status",
        "/api/v1/streams",
        "/api/admin/sse-metrics/stream",
    ] {
        assert!(good.iter().any(|good| good == path), "{path} was answered: {good:?}");
    }
    assert!(documents > 6, "{documents}");
    // What an answer is made by.
    for (path, by) in [("/metrics", "accept"), ("/api/admin/metrics", "accept")] {
        let answer = client.get(path).bearer_auth(&admin).send().await.expect("an answer");
        assert_eq!(answer.headers()["vary"], by, "{path}");
    }
}

/// Over HTTP/1.1 and HTTP/2, with a ticket of any session or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_self_test_needs_a_ticket_where_access_is_closed_and_takes_a_streams_place() {
    let database = Database::new().await;
    let publisher = secret(&database, "publish");
    let launch = Launch::on(&database).flag("max-connections", 8).flag("streams-per-address", 6);
    let server = launch.start();
    let client = Client::over(server.port, "2");
    let made = client.post("/api/v1/sessions").json(&json!({})).bearer_auth(&publisher);
    let made: Value = made.send().await.expect("an answer").json().await.expect("JSON");
    let ticket = made["ticket"].as_str().expect("a ticket");
    let ask = |client: &Client| client.get("/api/v1/selftest/stream");
    assert_eq!(status(ask(&client)).await, 401);
    assert_eq!(status(ask(&client).bearer_auth(&publisher)).await, 401);
    assert_eq!(status(ask(&client).query(&[("ticket", "a.b.c")])).await, 401);
    // Thirty at once over one connection: six from an address, and no more of them.
    let answers = async || {
        let asked = (0..30).map(|_| ask(&client).query(&[("ticket", ticket)]).send());
        let answers = futures::future::join_all(asked).await;
        answers.into_iter().map(|answer| answer.expect("an answer")).collect::<Vec<_>>()
    };
    let count = |answers: &[reqwest::Response], status: u16| {
        answers.iter().filter(|answer| answer.status() == status).count()
    };
    let held = answers().await;
    assert_eq!((count(&held, 200), count(&held, 429)), (6, 24));
    assert!(
        held.iter()
            .filter(|answer| answer.status() == 429)
            .all(|answer| answer.headers().contains_key("retry-after"))
    );
    let ticks = held.into_iter().find(|answer| answer.status() == 200).expect("one");
    assert_eq!(ticks.text().await.expect("ticks").matches("event: tick").count(), 5);
    // Each gives its place back, whether it was read to its end or left.
    let publisher = |request: RequestBuilder| request.bearer_auth(&publisher);
    assert_eq!(status(publisher(client.event("any", 1))).await, 202);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let held = answers().await;
    assert_eq!((count(&held, 200), count(&held, 429)), (6, 24));
    drop(held);
    server.stop();

    // Without a bound for addresses, the node's own holds: for self-tests and streams together.
    let open = Database::new().await;
    let server = Launch::on(&open).flag("max-connections", 8).start();
    let client = Client::over(server.port, "2");
    client.publish("one", 1).await;
    let _stream = client.follow("one").await;
    let asked = futures::future::join_all((0..20).map(|_| ask(&client).send())).await;
    let asked: Vec<_> = asked.into_iter().map(|answer| answer.expect("an answer")).collect();
    assert_eq!((count(&asked, 200), count(&asked, 503)), (7, 13));
    assert_eq!(status(client.stream("one")).await, 503, "self-tests have the places");
    assert_eq!(client.metrics().await["activeConnections"], 1, "and are no followers");
}
