//! Keys and tickets: who is let in, who is not, and that nobody is by accident.

use crate::support::{Client, Database, Follower, Launch, Server, eventually, fresh, key};
use reqwest::{RequestBuilder, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamgauge::testing::{ROUTES, Who};
use streamgauge_app::{Audience, PAGES};

/// A server that is closed, and a key of each scope.
struct Closed {
    server: Server,
    client: Client,
    database: Database,
    publisher: String,
    admin: String,
}

async fn closed(flags: &[(&str, u32)]) -> Closed {
    let database = Database::new().await;
    let made = |scope| key(&database, &["create", "--name", "test", "--scope", scope]).0;
    let secret = |said: String| said.lines().next().expect("a key").to_owned();
    let (publisher, admin) = (secret(made("publish")), secret(made("admin")));
    let mut launch = Launch::on(&database);
    for (name, value) in flags {
        launch = launch.flag(name, value);
    }
    let server = launch.start();
    Closed { client: server.client(), server, database, publisher, admin }
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.expect("an answer").status()
}

impl Closed {
    async fn publish(&self, session: &str, n: u64) {
        let answer = status(self.client.event(session, n).bearer_auth(&self.publisher)).await;
        assert_eq!(answer, StatusCode::ACCEPTED);
    }

    async fn create(&self, session: &str, user: &str) -> Value {
        let body = json!({ "id": session, "user": user });
        let request = self.client.post("/api/v1/sessions").json(&body).bearer_auth(&self.publisher);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.expect("JSON")
    }

    async fn ticket(&self, session: &str, lives_ms: u64) -> String {
        let path = format!("/api/v1/sessions/{session}/tickets");
        let wish = json!({ "user": "ann", "lives_ms": lives_ms });
        let request = self.client.post(&path).json(&wish).bearer_auth(&self.publisher);
        let issued: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        issued["ticket"].as_str().expect("a ticket").to_owned()
    }
}

/// The cookie that an admin's browser gets, as it sends it back.
async fn signs_in(closed: &Closed) -> String {
    signs_in_at(&closed.server, &closed.admin).await
}

fn without_redirects() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().expect("a client")
}

async fn signs_in_at(server: &Server, key: &str) -> String {
    let form = without_redirects().post(format!("http://127.0.0.1:{}/login", server.port));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("key={key}")).send().await.expect("an answer");
    let set = answer.headers()["set-cookie"].to_str().expect("text");
    set.split(';').next().expect("a cookie").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_lets_in_its_audience_alone() {
    let closed = closed(&[]).await;
    let browser = without_redirects();
    for page in PAGES {
        let path = page.path.replace(":id", "7");
        let get = || browser.get(format!("http://localhost:{}{path}", closed.server.port));
        let stranger = get().send().await.expect("an answer");
        let to = stranger.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
        match page.audience {
            Audience::Admins => {
                assert!(to.is_some_and(|to| to.starts_with("/login")), "{path}: {}", stranger.status());
            }
            Audience::Followers => assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{path}"),
            Audience::Everybody => assert_eq!(stranger.status(), StatusCode::OK, "{path}"),
        }
    }
}

/// A new route names its audience in the list, and this asks the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_those_that_the_list_names_and_nobody_else() {
    let closed = closed(&[]).await;
    let session = fresh("listed");
    closed.create(&session, "ann").await;
    let ticket = closed.ticket(&session, 60_000).await;
    let browser = without_redirects();
    for (route, method) in ROUTES.iter().flat_map(|route| route.methods.iter().map(move |one| (route, *one)))
    {
        let path = route.path.replace("{id}", &session).replace("{file}", "a");
        let path = path.replace("{function}", "sessions").replace("{*rest}", "a");
        let url = format!("http://localhost:{}{path}?session={session}", closed.server.port);
        let method = if method == "any" { "GET".into() } else { method.to_uppercase() };
        // No more than that matters: what is let in is answered in many ways.
        let refusal = async |key: Option<&str>| {
            let request = browser.request(method.parse().expect("a method"), &url);
            let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
            // A report names its session in its body, which is read before it is known who may send it.
            let request = match route.path {
                "/api/v1/beacons" => {
                    request.json(&json!({ "v": 1, "session": session, "page": "p", "seq": 0, "mode": "poll", "latencies_ms": [3], "fallbacks": [] }))
                }
                _ => request,
            };
            let status = status(request).await.as_u16();
            [401, 403].contains(&status).then_some(status)
        };
        let (publisher, admin) = (closed.publisher.as_str(), closed.admin.as_str());
        let at = format!("{method} {path}");
        match route.who {
            Who::Publishers => {
                assert_eq!(refusal(None).await, Some(401), "{at}");
                assert_eq!(refusal(Some(admin)).await, Some(403), "{at}");
                assert_eq!(refusal(Some(publisher)).await, None, "{at}");
            }
            Who::Followers => {
                assert_eq!(refusal(None).await, Some(401), "{at}");
                assert_eq!(refusal(Some(&ticket)).await, None, "{at}");
            }
            Who::Admins | Who::Scrapers => {
                assert_eq!(refusal(None).await, Some(401), "{at}");
                assert_eq!(refusal(Some(publisher)).await, Some(403), "{at}");
                assert_eq!(refusal(Some(admin)).await, None, "{at}");
            }
            Who::Everybody => assert_eq!(refusal(None).await, None, "{at}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_open_what_they_were_made_for() {
    let closed = closed(&[]).await;
    let (client, session) = (&closed.client, fresh("keyed"));
    assert_eq!(status(client.event(&session, 1)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(client.event(&session, 1).bearer_auth("sgk_no")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(client.event(&session, 1).bearer_auth(&closed.admin)).await, StatusCode::FORBIDDEN);
    closed.publish(&session, 1).await;

    let metrics = "/api/admin/sse-metrics/stream";
    assert_eq!(status(client.get(metrics)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(client.get(metrics).bearer_auth(&closed.publisher)).await, StatusCode::FORBIDDEN);
    assert_eq!(status(client.get(metrics).bearer_auth(&closed.admin)).await, StatusCode::OK);
    for function in ["overview?range=1h", "sessions", "session?id=a"] {
        let path = format!("/api/app/{function}");
        assert_eq!(status(client.get(&path)).await, StatusCode::UNAUTHORIZED, "{function}");
    }
    // A page sends its reader where signing in is done.
    let page = client.get("/").send().await.expect("an answer");
    assert_eq!((page.status(), page.url().path()), (StatusCode::OK, "/login"));
    assert_eq!(status(client.get("/healthz")).await, StatusCode::OK);
    closed.server.stop();
}

/// The server answers a plain path by a short way past its router, and a path with an escaped letter by the router.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_escaped_path_passes_no_check_that_a_plain_one_does_not() {
    let closed = closed(&[]).await;
    let event = json!({ "stage": "work", "progress": 1 }).to_string();
    let large = json!({ "stage": "work", "progress": 1, "data": "x".repeat(70_000) }).to_string();
    let (publisher, admin) = (closed.publisher.as_str(), closed.admin.as_str());
    let (json, text) = ("application/json", "text/plain");
    let check = async |session: &str, key: &str, kind: &str, retry: &str, body: &str, expected: u16| {
        let escaped = format!("%{:02X}{}", session.as_bytes()[0], &session[1..]);
        let mut answers = Vec::new();
        for name in [session, &escaped] {
            let request = closed.client.post(&format!("/api/v1/sessions/{name}/status"));
            let mut request = request.header("content-type", kind).body(body.to_owned());
            for (header, value) in [("authorization", key), ("idempotency-key", retry)] {
                if !value.is_empty() {
                    request = request.header(header, value);
                }
            }
            let answer = request.send().await.expect("an answer");
            assert!(answer.url().path().contains(name), "the client sends {name} as it is");
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.expect("JSON");
            answers.push((status, body["detail"].clone()));
        }
        assert_eq!(answers[0].0, expected, "{answers:?}");
        assert_eq!(answers[0], answers[1], "{session}");
    };
    let (session, bearer) = (fresh("both"), |key: &str| format!("Bearer {key}"));
    check(&session, "", json, "", &event, 401).await;
    check(&session, "Bearer sgk_unknown", json, "", &event, 401).await;
    check(&session, &bearer(admin), json, "", &event, 403).await;
    check("~probe.a", &bearer(publisher), json, "", &event, 403).await;
    check("a%20b", "", json, "", &event, 401).await;
    check("a%20b", &bearer(publisher), json, "", &event, 400).await;
    check(&session, &bearer(publisher), text, "", &event, 415).await;
    check(&session, &bearer(publisher), json, &"k".repeat(129), &event, 400).await;
    check(&session, &bearer(publisher), json, "", &large, 413).await;
    check(&session, &bearer(publisher), json, "", "{", 400).await;
    check(&session, &bearer(publisher), json, "", &event, 202).await;
    closed.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_lets_nobody_in_and_opens_nothing() {
    let closed = closed(&[]).await;
    let session = fresh("revoked");
    closed.publish(&session, 1).await;
    let looks = closed.client.get("/api/admin/sse-metrics/stream").bearer_auth(&closed.admin);
    let mut dashboard = Follower::open(looks).await;
    assert!(dashboard.news().await.is_some());
    let cookie = signs_in(&closed).await;
    let page =
        async || closed.client.get("/sessions").header("cookie", &cookie).send().await.expect("an answer");
    assert_eq!(page().await.url().path(), "/sessions");
    for secret in [&closed.publisher, &closed.admin] {
        let (_, code) = key(&closed.database, &["revoke", &secret[4..20]]);
        assert_eq!(code, Some(0));
    }
    eventually("the key is refused", 10, async || {
        let answer = status(closed.client.event(&session, 2).bearer_auth(&closed.publisher)).await;
        (answer == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(status(closed.client.event(&session, 2)).await, StatusCode::UNAUTHORIZED);
    // A dashboard that was open is open no longer.
    let closes = async { while dashboard.news().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(15), closes).await.expect("the stream ends");
    // Nor does the cookie open anything that the key was shown for.
    assert_eq!(page().await.url().path(), "/login");
    let (said, code) = key(&closed.database, &["list"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(&closed.publisher[4..20]) && !said.contains(&closed.publisher[21..]), "{said}");
    closed.server.stop();
    // Nor after a restart.
    let again = Launch::on(&closed.database).start();
    assert_eq!(status(again.client().event(&session, 2)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_needs_a_ticket_for_its_session() {
    let closed = closed(&[]).await;
    let (client, session) = (&closed.client, fresh("ticketed"));
    let created = closed.create(&session, "ann").await;
    let ticket = created["ticket"].as_str().expect("a ticket");
    closed.publish(&session, 1).await;

    let stream = || client.stream(&session);
    assert_eq!(status(stream()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(stream().query(&[("ticket", "a.b.c")])).await, StatusCode::UNAUTHORIZED);
    // A key is no ticket: it is too strong to stand in an address.
    assert_eq!(status(stream().query(&[("ticket", &closed.publisher)])).await, StatusCode::UNAUTHORIZED);
    for ways in [
        stream().query(&[("ticket", ticket)]),
        stream().bearer_auth(ticket),
        stream().header("cookie", format!("a=1; sg_ticket={ticket}")),
    ] {
        assert_eq!(Follower::open(ways).await.numbers(1).await, [1]);
    }
    let poll = || client.get(&format!("/api/v1/sessions/{session}/status"));
    assert_eq!(status(poll()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(poll().query(&[("ticket", ticket)])).await, StatusCode::OK);
    let page = || client.get(&format!("/s/{session}"));
    assert_eq!(status(page()).await, StatusCode::UNAUTHORIZED);
    let shown = page().query(&[("ticket", ticket)]).send().await.expect("an answer");
    assert_eq!(shown.status(), StatusCode::OK);
    // What it polls stands in it without the ticket, which its script takes from the page's own address.
    let shown = shown.text().await.expect("HTML");
    assert!(shown.contains(&format!("data-url=\"/api/v1/sessions/{session}/status\"")), "{shown}");
    assert!(!shown.contains(ticket), "nobody who copies the page gets the ticket");

    let other = fresh("other");
    closed.publish(&other, 1).await;
    assert_eq!(
        status(client.stream(&other).query(&[("ticket", ticket)])).await,
        StatusCode::FORBIDDEN,
        "another session"
    );
    closed.server.stop();
}

/// One of two sessions is not the ticket's: neither is opened, and no place is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sessions_need_a_ticket_for_each() {
    let closed = closed(&[("streams-per-user", 1)]).await;
    let (client, session, other) = (&closed.client, fresh("mine"), fresh("theirs"));
    closed.publish(&session, 1).await;
    closed.publish(&other, 1).await;
    let ticket = closed.ticket(&session, 60_000).await;
    let ask = |sessions: &[&String]| {
        let asked: Vec<_> = sessions.iter().map(|session| ("session", *session)).collect();
        client.get("/api/v1/streams").query(&asked).query(&[("ticket", &ticket)])
    };
    for sessions in [[&session, &other], [&other, &session]] {
        let answer = ask(&sessions).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let looks = client.get("/api/admin/sse-metrics/stream").bearer_auth(&closed.admin);
    let mut dashboard = Follower::open(looks).await;
    dashboard.next().await.expect("what was last");
    assert_eq!(dashboard.next().await.expect("what is now").data["activeConnections"], 0);
    // The user's only place is free.
    assert_eq!(Follower::open(ask(&[&session])).await.numbers(1).await, [1]);
    closed.server.stop();
    let counted = async |counter| closed.database.counted(counter).await;
    assert_eq!((counted("connect_attempts").await, counted("connect_refused").await), (1, 0));
    assert_eq!((counted("deliveries_due").await, counted("delivered").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ticket_opens_several_sessions_over_one_connection() {
    let closed = closed(&[]).await;
    let (client, session, other) = (&closed.client, fresh("one"), fresh("other"));
    closed.publish(&session, 1).await;
    closed.publish(&other, 2).await;
    let wish = |sessions: Value| {
        let tickets = client.post(&format!("/api/v1/sessions/{session}/tickets"));
        tickets.bearer_auth(&closed.publisher).json(&json!({ "sessions": sessions })).send()
    };
    let most: Vec<String> = (0..16).map(|n| format!("s{n}")).collect();
    for bad in [json!(most), json!(["a b"]), json!([""]), json!("one")] {
        let answer = wish(bad.clone()).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
    assert_eq!(wish(json!(most[1..])).await.expect("an answer").status(), StatusCode::CREATED);
    // Named twice is named once.
    let issued: Value = wish(json!([other, session])).await.expect("an answer").json().await.expect("JSON");
    let ticket = issued["ticket"].as_str().expect("a ticket");
    let ask = |sessions: &[&String]| {
        let asked: Vec<_> = sessions.iter().map(|session| ("session", *session)).collect();
        client.get("/api/v1/streams").query(&asked).query(&[("ticket", ticket)])
    };
    let mut both = Follower::open(ask(&[&session, &other])).await;
    assert_eq!(both.numbers(2).await, [1, 2]);
    assert_eq!(Follower::open(ask(&[&other])).await.numbers(1).await, [2]);
    assert_eq!(status(client.stream(&session).query(&[("ticket", ticket)])).await, StatusCode::OK);
    let third = fresh("third");
    closed.publish(&third, 3).await;
    assert_eq!(status(ask(&[&session, &third])).await, StatusCode::FORBIDDEN);
    drop(both);
    closed.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_ticket() {
    let closed = closed(&[]).await;
    let session = fresh("expires");
    closed.publish(&session, 1).await;
    let ticket = closed.ticket(&session, 3_000).await;
    let since = Instant::now();
    let mut follower = Follower::open(closed.client.stream(&session).query(&[("ticket", &ticket)])).await;
    assert_eq!(follower.numbers(1).await, [1]);
    let farewell = follower.news().await.expect("a farewell");
    assert_eq!(farewell.name, "reconnect");
    assert_eq!(follower.news().await, None);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let again = closed.client.stream(&session).query(&[("ticket", &ticket)]);
    assert_eq!(status(again).await, StatusCode::UNAUTHORIZED);

    // Also where no reactor holds it, and events come all the time.
    let ticket = closed.ticket(&session, 2_000).await;
    let since = Instant::now();
    let query = [("session", session.as_str()), ("ticket", &ticket)];
    let mut follower = Follower::open(closed.client.get("/api/v1/streams").query(&query)).await;
    let farewell = loop {
        closed.publish(&session, 2).await;
        let event = follower.news().await.expect("a farewell before the end");
        if event.name != "status" {
            break event;
        }
    };
    assert_eq!(farewell.name, "reconnect");
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    closed.server.stop();
    assert_eq!(closed.database.counted("closed_expired").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_guess_are_slowed_down() {
    let closed = closed(&[]).await;
    let session = fresh("guessed");
    let wrong = format!("sgk_{}_{}", "0".repeat(16), "a".repeat(43));
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(status(closed.client.event(&session, 1).bearer_auth(&wrong)).await);
    }
    assert_eq!(answers[0], StatusCode::UNAUTHORIZED);
    assert_eq!(answers[29], StatusCode::TOO_MANY_REQUESTS);
    // Who shares the address with the guesser, as behind a proxy, is not shut out.
    assert_eq!(
        status(closed.client.event(&session, 1).bearer_auth(&closed.publisher)).await,
        StatusCode::ACCEPTED
    );
}

async fn signs_out(server: &Server, cookie: &str) {
    let answer = without_redirects().post(format!("http://127.0.0.1:{}/logout", server.port));
    let answer = answer.header("cookie", cookie).send().await.expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/login".parse().expect("text"))
    );
    let taken = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(taken.starts_with("sg_admin=;") && taken.contains("Max-Age=0"), "{taken}");
}

/// What the cookie opens at the server.
async fn opens(server: &Server, cookie: &str) -> StatusCode {
    status(server.client().get("/api/admin/limits").header("cookie", cookie)).await
}

/// A dashboard that was left open asks with its old cookie for hours, and is not slowed down as a guesser. Guessing from an
/// address keeps nobody there from the page to sign in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_whose_sign_in_is_over_is_no_guess_and_a_page_always_leads_to_the_sign_in() {
    let closed = closed(&[]).await;
    let revoked = signs_in(&closed).await;
    let left = signs_in(&closed).await;
    signs_out(&closed.server, &left).await;
    let (_, code) = key(&closed.database, &["revoke", &closed.admin[4..20]]);
    assert_eq!(code, Some(0));
    eventually("the key is refused", 10, async || {
        (opens(&closed.server, &revoked).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    for cookie in [&revoked, &left] {
        for _ in 0..40 {
            assert_eq!(opens(&closed.server, cookie).await, StatusCode::UNAUTHORIZED);
        }
    }
    let http = without_redirects();
    let page = async |cookie: Option<&str>| {
        let ask = http.get(format!("http://127.0.0.1:{}/sessions?a=1", closed.server.port));
        let ask = if let Some(cookie) = cookie { ask.header("cookie", cookie) } else { ask };
        let answer = ask.send().await.expect("an answer");
        (answer.status().as_u16(), answer.headers()["location"].to_str().expect("text").to_owned())
    };
    let login = (303, "/login?next=/sessions?a=1".to_owned());
    assert_eq!(page(Some(&revoked)).await, login);
    let mut answers = Vec::new();
    for _ in 0..30 {
        let guess = format!("sgk_{}_{}", "0".repeat(16), "a".repeat(43));
        answers.push(status(closed.client.get("/api/admin/limits").bearer_auth(guess)).await.as_u16());
    }
    assert_eq!((answers[0], answers[29]), (401, 429), "none of the cookies counted, and guessing does");
    for cookie in [None, Some(revoked.as_str()), Some(left.as_str()), Some("sg_admin=a.b.c")] {
        assert_eq!(page(cookie).await, login, "{cookie:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_that_was_copied_before_signing_out_opens_nothing_on_any_node() {
    let closed = closed(&[]).await;
    let other = Launch::on(&closed.database).start();
    // Two in the same second are two.
    let (copied, stays) = (signs_in(&closed).await, signs_in(&closed).await);
    assert_ne!(copied, stays);
    for server in [&closed.server, &other] {
        assert_eq!(opens(server, &copied).await, StatusCode::OK);
    }
    let looks = other.client().get("/api/admin/sse-metrics/stream").header("cookie", &copied);
    let mut dashboard = Follower::open(looks).await;
    assert!(dashboard.news().await.is_some());
    signs_out(&closed.server, &copied).await;
    assert_eq!(opens(&closed.server, &copied).await, StatusCode::UNAUTHORIZED, "at once");
    eventually("the other node knows", 10, async || {
        (opens(&other, &copied).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    // A dashboard that is open with it is closed.
    let closes = async { while dashboard.news().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(15), closes).await.expect("the stream ends");
    for server in [&closed.server, &other] {
        assert_eq!(opens(server, &stays).await, StatusCode::OK, "another sign-in with the same key goes on");
    }
    // What opens nothing ends nothing, and is not remembered.
    for nothing in [copied.as_str(), "sg_admin=a.b.c", "sg_admin=", "a=1"] {
        signs_out(&closed.server, nothing).await;
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ended_sign_ins")
        .fetch_one(&mut closed.database.connect().await)
        .await
        .expect("a count");
    assert_eq!(rows, 1);
    // What has expired is of no use to any node, and is deleted.
    let expired = "INSERT INTO ended_sign_ins VALUES ('0123456789abcdefghijkl', now() - interval '2 hours')";
    sqlx::query(expired).execute(&mut closed.database.connect().await).await.expect("a row");
    eventually("it is forgotten", 45, async || {
        let mut database = closed.database.connect().await;
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM ended_sign_ins").fetch_all(&mut database).await.expect("rows");
        (ids.len() == 1 && ids[0] != "0123456789abcdefghijkl").then_some(())
    })
    .await;
    closed.server.kill();
    let again = Launch::on(&closed.database).start();
    assert_eq!(opens(&again, &copied).await, StatusCode::UNAUTHORIZED, "nor after a restart");
    assert_eq!(opens(&again, &stays).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_works_without_the_database_and_reaches_other_nodes_once_it_is_back() {
    let database = Database::alone();
    let (said, _) = key(&database, &["create", "--name", "test", "--scope", "admin"]);
    let admin = said.lines().next().expect("a key");
    let (server, other) = (Launch::on(&database).start(), Launch::on(&database).start());
    let cookie = signs_in_at(&server, admin).await;
    assert_eq!(opens(&other, &cookie).await, StatusCode::OK);
    database.stop();
    let since = Instant::now();
    signs_out(&server, &cookie).await;
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    assert_eq!(opens(&server, &cookie).await, StatusCode::UNAUTHORIZED);
    database.start();
    eventually("the other node knows", 30, async || {
        (opens(&other, &cookie).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listens_to_the_world_without_a_key() {
    let database = Database::new().await;
    let everywhere = || Launch::new().flag("listen", "0.0.0.0:0").flag("database-url", database.url());
    let (code, said) = everywhere().refused();
    assert_eq!(code, Some(1));
    assert!(said.contains("streamgauge key create"), "{said}");
    let (said, code) = key(&database, &["create", "--name", "a", "--scope", "root"]);
    assert!(code == Some(64) && said.contains("\"root\""), "{said}");
    let (_, code) = key(&database, &["create", "--name", "a", "--scope", "publish", "admin"]);
    assert_eq!(code, Some(0));
    let server = everywhere().start();
    assert_eq!(status(server.client().event("a", 1)).await, StatusCode::UNAUTHORIZED);
}
