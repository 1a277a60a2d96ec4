//! The API's document against the server: every route is in it, and every answer in it is really given.

use crate::{
    load_tests::document as load_test,
    support::{Client, Contract, Database, Follower, Launch, Operation, eventually, fresh, key},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use streamgauge::testing::{Group, ROUTES, Route};

/// Not the catch-alls for what is not there, nor what the pages' own code calls, which changes with it.
fn is_api(route: &Route) -> bool {
    !matches!(route.group, Group::Unknown | Group::App)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_in_the_document_and_the_reverse() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let contract = Contract::of(&client).await;
    assert_eq!(contract.version(), env!("CARGO_PKG_VERSION"));
    let listed: BTreeSet<Operation> = ROUTES
        .iter()
        .filter(|route| is_api(route))
        .flat_map(|route| route.methods.iter().map(|method| operation(&method.to_uppercase(), route.path)))
        .collect();
    assert_eq!(listed, contract.operations().into_iter().collect());
    let mut routed = BTreeSet::new();
    let paths: BTreeSet<&str> = ROUTES.iter().filter(|route| is_api(route)).map(|route| route.path).collect();
    for path in paths {
        // The server itself says which methods it takes.
        let method = Method::from_bytes(b"BREW").expect("a method");
        let answer = client.request(method, &filled(path, "a")).send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().expect("text").to_owned();
        let methods = allowed.split(',').map(str::trim).filter(|method| *method != "HEAD");
        routed.extend(methods.map(|method| Operation { method: method.into(), path: path.into() }));
    }
    assert_eq!(routed, listed, "the list is what the server routes");
}

/// The path with a session or a file in it.
fn filled(path: &str, name: &str) -> String {
    path.replace("{id}", name).replace("{file}", name).replace("{name}", name)
}

fn operation(method: &str, path: &str) -> Operation {
    Operation { method: method.into(), path: path.into() }
}

/// A request that would be good, were it let in.
fn good(client: &Client, operation: &Operation, session: &str) -> RequestBuilder {
    let method = operation.method.parse().expect("a method");
    let mut path = filled(&operation.path, session);
    if path == "/api/v1/streams" {
        path = format!("{path}?session={session}");
    }
    let request = client.request(method, &path);
    match (operation.method.as_str(), operation.path.as_str()) {
        (_, "/api/v1/sessions") => request.json(&json!({ "user": "ann", "kind": "import", "region": "eu" })),
        ("POST", "/api/v1/sessions/{id}/status") => request
            .json(&json!({ "stage": "work", "progress": 1, "message": "Begun", "data": [1, { "a": null }] })),
        (_, "/api/v1/sessions/{id}/tickets") => request.json(&json!({ "user": "ann", "lives_ms": 60_000 })),
        (_, "/api/v1/sessions/{id}/complete") => {
            request.json(&json!({ "outcome": "failed", "message": "No." }))
        }
        (_, "/api/v1/status") => {
            let lines = format!(
                "{{\"session\":\"{session}\",\"stage\":\"a\",\"progress\":1}}\n{{\"session\":\"\"}}\n"
            );
            request.header("content-type", "application/x-ndjson").body(lines)
        }
        (_, "/api/v1/beacons") => {
            let fallbacks = json!([{ "reason": "buffered", "at_ms": 5 }]);
            request.json(&json!({ "v": 1, "session": session, "page": "p", "seq": 0, "mode": "poll",
                "latencies_ms": [3], "fallbacks": fallbacks }))
        }
        ("POST", "/api/admin/annotations") => request.json(&json!({ "kind": "deploy", "text": "v2.3" })),
        ("PATCH", _) => request.json(&json!({ "batch_ms": 0 })),
        ("POST", "/api/admin/load-tests") => request.json(&load_test("burst", 9.0)),
        ("POST", "/login") => {
            request.header("content-type", "application/x-www-form-urlencoded").body("key=sgk_wrong")
        }
        _ => request,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_in_the_document_is_given() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    let mut contract = Contract::of(&client).await;
    publishing(&client, &mut contract).await;
    following(&client, &mut contract).await;
    administering(&client, &mut contract).await;
    alerting(&client, &database, &mut contract).await;
    bad_bodies(&client, &mut contract).await;
    by_other_sites(&client, &mut contract).await;
    server.stop();
    rules_of_a_file(&mut contract).await;
    shut_out(&mut contract).await;
    keys_unknown(&mut contract).await;

    // A body that dribbles for 10 s; Redis that is away; rules that were not judged for a minute; files that are there only when the site was built.
    let site = ["/assets/{file}", "/favicon.svg", "/sdk/{file}", "/world.svg"];
    let unseen: Vec<_> = contract.unseen();
    let unseen = unseen.iter().filter(|(operation, status)| {
        let path = operation.path.as_str();
        !(*status == 408
            || (*status == 503 && ["/readyz", "/healthz/alerting"].contains(&path))
            || site.contains(&path))
    });
    assert_eq!(
        unseen.collect::<Vec<_>>(),
        Vec::<&(Operation, u16)>::new(),
        "in the document, and never given"
    );
}

async fn publishing(client: &Client, contract: &mut Contract) {
    let (session, id) = (fresh("documented"), operation("POST", "/api/v1/sessions"));
    let named = |id: &str| client.post("/api/v1/sessions").json(&json!({ "id": id }));
    contract.answers(&id, good(client, &id, ""), 201).await;
    contract.answers(&id, named(&session), 201).await;
    contract.answers(&id, named(&session), 409).await;
    contract.answers(&id, named("a b"), 400).await;
    contract.answers(&id, client.post("/api/v1/sessions").json(&json!({ "user": "" })), 422).await;

    let status = operation("POST", "/api/v1/sessions/{id}/status");
    contract.answers(&status, good(client, &status, &session), 202).await;
    let wrong = client.post(&filled(&status.path, &session)).json(&json!({ "stage": "a", "progress": 101 }));
    contract.answers(&status, wrong, 422).await;
    contract.answers(&status, good(client, &status, "a%20b"), 400).await;
    let batch = operation("POST", "/api/v1/status");
    contract.answers(&batch, good(client, &batch, &session), 207).await;
    let ticket = operation("POST", "/api/v1/sessions/{id}/tickets");
    contract.answers(&ticket, good(client, &ticket, &session), 409).await;
    let wish = client.post(&filled(&ticket.path, &session)).json(&json!({ "lives_ms": 1 }));
    contract.answers(&ticket, wish, 422).await;
    let complete = operation("POST", "/api/v1/sessions/{id}/complete");
    contract.answers(&complete, good(client, &complete, &fresh("nobody")), 404).await;
    let wrong = client.post(&filled(&complete.path, &session)).json(&json!({ "outcome": "?" }));
    contract.answers(&complete, wrong, 422).await;
    contract.answers(&complete, good(client, &complete, &session), 202).await;
    contract.answers(&complete, good(client, &complete, &session), 409).await;
    contract.answers(&status, good(client, &status, &session), 409).await;
}

async fn following(client: &Client, contract: &mut Contract) {
    let (session, poll) = (fresh("documented"), operation("GET", "/api/v1/sessions/{id}/status"));
    client.create(&session).await;
    let waiting = contract.answers(&poll, good(client, &poll, &session), 200).await.expect("JSON");
    contract.is("Waiting", &waiting);
    client.publish(&session, 1).await;
    let polled = contract.answers(&poll, good(client, &poll, &session), 200).await.expect("JSON");
    contract.is("Polled", &polled);
    let etag = format!("\"{}\"", polled["id"].as_str().expect("an id"));
    contract.answers(&poll, good(client, &poll, &session).header("if-none-match", etag), 304).await;

    let stream = operation("GET", "/api/v1/sessions/{id}/status/stream");
    let several = operation("GET", "/api/v1/streams");
    let over = fresh("over");
    client.publish(&over, 1).await;
    let ended: Value = client.complete(&over).await.json().await.expect("JSON");
    let last = ended["id"].as_str().expect("an id");
    for follow in [&stream, &several] {
        let mut follower = Follower::of(contract.sent(follow, good(client, follow, &session), 200).await);
        contract.is("StatusEvent", &follower.news().await.expect("a snapshot").data);
        contract.answers(follow, good(client, follow, &over).header("last-event-id", last), 204).await;
        contract.answers(follow, good(client, follow, &session).query(&[("user", "a\u{7}")]), 422).await;
        // Nobody has published to it: the stream waits.
        drop(contract.sent(follow, good(client, follow, &fresh("nobody")), 200).await);
        contract.answers(follow, good(client, follow, "a%20b"), 400).await;
    }
    for operation in [&poll, &operation("GET", "/s/{id}")] {
        contract.answers(operation, good(client, operation, &fresh("nobody")), 404).await;
    }
    contract.answers(&poll, good(client, &poll, "a%20b"), 400).await;
    let beacon = operation("POST", "/api/v1/beacons");
    contract.answers(&beacon, good(client, &beacon, &session), 204).await;
    contract.answers(&beacon, good(client, &beacon, &fresh("nobody")), 404).await;
    let selftest = operation("GET", "/api/v1/selftest/stream");
    contract.answers(&selftest, good(client, &selftest, ""), 200).await;

    let page = operation("GET", "/s/{id}");
    contract.answers(&page, good(client, &page, &session), 200).await;
    contract
        .answers(&page, good(client, &page, &session).query(&[("ticket", "a"), ("ticket", "b")]), 400)
        .await;
    for path in ["/assets/{file}", "/sdk/{file}"] {
        contract.answers(&operation("GET", path), client.get(&filled(path, "none")), 404).await;
    }
}

async fn administering(client: &Client, contract: &mut Contract) {
    let watch = operation("GET", "/api/admin/sse-metrics/stream");
    let mut dashboard = Follower::of(contract.sent(&watch, good(client, &watch, ""), 200).await);
    contract.is("SSEPerformanceMetrics", &dashboard.news().await.expect("a message").data);
    let twice = good(client, &watch, "").query(&[("sessions", "1"), ("sessions", "1")]);
    contract.answers(&watch, twice, 400).await;

    let limits = operation("PATCH", "/api/admin/limits");
    contract.answers(&limits, good(client, &limits, ""), 200).await;
    contract.answers(&limits, client.patch(&limits.path).json(&json!({ "batch_ms": -1 })), 422).await;
    let audit = operation("GET", "/api/admin/audit");
    contract.answers(&audit, good(client, &audit, "").query(&[("limit", "1")]), 200).await;
    contract.answers(&audit, good(client, &audit, "").query(&[("limit", "0")]), 422).await;
    contract.answers(&audit, good(client, &audit, "").query(&[("before", "all")]), 400).await;
    let add = operation("POST", "/api/admin/load-tests");
    contract.answers(&add, good(client, &add, ""), 201).await;
    contract.answers(&add, client.post(&add.path).json(&json!({ "version": 1 })), 422).await;
    let list = operation("GET", "/api/admin/load-tests");
    contract.answers(&list, good(client, &list, ""), 200).await;
    contract.answers(&list, good(client, &list, "").query(&[("limit", "0")]), 422).await;
    contract.answers(&list, good(client, &list, "").query(&[("limit", "many")]), 400).await;
    for path in ["/api/admin/limits", "/api/openapi.json", "/healthz", "/readyz", "/metrics", "/login"] {
        contract.answers(&operation("GET", path), client.get(path), 200).await;
    }
    let metrics = operation("GET", "/metrics");
    let open = good(client, &metrics, "").header("accept", "application/openmetrics-text");
    contract.answers(&metrics, open, 200).await;
    let one = operation("GET", "/api/admin/load-tests/{id}");
    contract.answers(&one, good(client, &one, "1"), 200).await;
    contract.answers(&one, good(client, &one, "0"), 404).await;
    gauge(client, contract).await;
    let sign_in = operation("POST", "/login");
    contract.answers(&sign_in, good(client, &sign_in, ""), 303).await;
    let sign_out = operation("POST", "/logout");
    contract.answers(&sign_out, good(client, &sign_out, ""), 303).await;
}

const RULE: &str =
    "name: Mine\ncondition: error_rate > 1%\nduration: 5m\nseverity: info\nnotification: slack\n";

async fn alerting(client: &Client, database: &Database, contract: &mut Contract) {
    eventually("the shipped rules are there", 30, async || {
        let alerts: Value = client.get("/api/admin/alerts").send().await.ok()?.json().await.ok()?;
        alerts["rules"].as_array().filter(|rules| !rules.is_empty()).map(|_| ())
    })
    .await;
    let form = |operation: &Operation, id: &str, body: &str| {
        let request = client.post(&filled(&operation.path, id));
        request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
    };
    let json = |operation: &Operation, id: &str, value: Value| {
        let method = operation.method.parse().expect("a method");
        client.request(method, &filled(&operation.path, id)).json(&value)
    };
    let list = operation("GET", "/api/admin/alerts");
    contract.answers(&list, good(client, &list, ""), 200).await;
    let health = operation("GET", "/healthz/alerting");
    contract.answers(&health, good(client, &health, ""), 200).await;

    let add = operation("POST", "/api/admin/alerts");
    let put = operation("PUT", "/api/admin/alerts/{name}");
    contract.answers(&add, json(&add, "", json!({ "rule": RULE, "version": 0 })), 201).await;
    contract.answers(&add, json(&add, "", json!({ "rule": RULE })), 200).await;
    contract.answers(&add, json(&add, "", json!({ "rule": RULE, "version": 9 })), 412).await;
    contract.answers(&add, json(&add, "", json!({ "rule": "name: Mine" })), 422).await;
    contract.answers(&add, form(&add, "", "yaml=name:&version=0"), 303).await;
    contract.answers(&put, json(&put, "Mine", json!({ "rule": RULE.replace("5m", "6m") })), 200).await;
    let other = json!({ "rule": RULE.replace("Mine", "Other") });
    contract.answers(&put, json(&put, "Other", other.clone()), 201).await;
    contract.answers(&put, json(&put, "Other", other.clone()).header("if-match", "7"), 412).await;
    contract.answers(&put, json(&put, "Mine", other), 422).await;
    let history = operation("GET", "/api/admin/alerts/{name}/history");
    contract.answers(&history, good(client, &history, "Mine"), 200).await;
    contract.answers(&history, good(client, &history, "Mine").query(&[("limit", "x")]), 400).await;
    contract.answers(&history, good(client, &history, "Mine").query(&[("limit", "0")]), 422).await;
    let test = operation("POST", "/api/admin/alerts/backtest");
    contract.answers(&test, json(&test, "", json!({ "rule": RULE })), 200).await;
    contract.answers(&test, json(&test, "", json!({ "rule": RULE, "from": 5, "to": 5 })), 422).await;

    let (delete, end) =
        (operation("DELETE", "/api/admin/alerts/{name}"), operation("POST", "/api/admin/alerts/{name}/end"));
    contract.answers(&delete, good(client, &delete, "Mine").header("if-match", "x"), 400).await;
    contract.answers(&delete, good(client, &delete, "Mine").header("if-match", "9"), 412).await;
    contract.answers(&delete, good(client, &delete, "Connect_Budget_Fast_Burn"), 409).await;
    contract.answers(&delete, good(client, &delete, "Mine"), 204).await;
    contract.answers(&delete, good(client, &delete, "Mine"), 404).await;
    contract.answers(&end, json(&end, "Other", json!([null])), 422).await;
    contract.answers(&end, json(&end, "Other", json!({ "version": 9 })), 412).await;
    contract.answers(&end, json(&end, "Connect_Budget_Fast_Burn", json!({})), 409).await;
    contract.answers(&end, json(&end, "Other", json!({})), 204).await;
    contract.answers(&end, json(&end, "Other", json!({})), 404).await;
    contract.answers(&add, json(&add, "", json!({ "rule": RULE })), 201).await;
    contract.answers(&end, form(&end, "Mine", "back=/alerts"), 303).await;

    database
        .run(&["INSERT INTO incidents (rule, severity, metric, title, unit, below, yaml, opened_at, reason, seeded)
                VALUES ('A', 'info', 'error_rate', 'Error rate is above 1 %', '%', false, 'x', now(), 'x', true)"])
        .await;
    let incidents = operation("GET", "/api/admin/incidents");
    let listed = contract.answers(&incidents, good(client, &incidents, ""), 200).await.expect("JSON");
    contract.answers(&incidents, good(client, &incidents, "").query(&[("limit", "x")]), 400).await;
    contract.answers(&incidents, good(client, &incidents, "").query(&[("limit", "0")]), 422).await;
    let id = &listed["rows"][0]["id"].to_string();
    let one = operation("GET", "/api/admin/incidents/{id}");
    contract.answers(&one, good(client, &one, id), 200).await;
    contract.answers(&one, good(client, &one, &format!("{id}.md")), 200).await;
    contract.answers(&one, good(client, &one, "none"), 404).await;
    let act = |what: &str| operation("POST", &format!("/api/admin/incidents/{{id}}/{what}"));
    for (what, good, bad) in [
        ("acknowledge", json!({ "note": "I look." }), json!({ "remind_after": 1 })),
        ("note", json!({ "text": "Seen." }), json!({ "text": "" })),
        ("outcome", json!({ "outcome": "real" }), json!({ "outcome": "test" })),
        ("publish", json!({ "text": "We look." }), json!({ "text": "\u{7}" })),
        ("resolve", json!({}), json!([null])),
    ] {
        let operation = act(what);
        if what != "resolve" {
            let fields = good.as_object().expect("fields").iter();
            let fields: Vec<String> =
                fields.map(|(name, value)| format!("{name}={}", value.as_str().expect("text"))).collect();
            let body = format!("{}&back=/alerts", fields.join("&").replace(' ', "+"));
            contract.answers(&operation, form(&operation, id, &body), 303).await;
        }
        contract.answers(&operation, json(&operation, id, good.clone()), 200).await;
        contract.answers(&operation, json(&operation, "none", good), 404).await;
        contract.answers(&operation, json(&operation, id, bad), 422).await;
    }
    contract.answers(&act("acknowledge"), json(&act("acknowledge"), id, json!({})), 409).await;
    contract.answers(&act("resolve"), json(&act("resolve"), id, json!({})), 409).await;
    database.run(&["UPDATE incidents SET resolved_at = NULL, resolution = NULL"]).await;
    contract.answers(&act("resolve"), form(&act("resolve"), id, "back=/alerts"), 303).await;
    quiet(client, contract).await;
}

/// Unix milliseconds.
fn in_an_hour() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    u64::try_from(now.as_millis()).expect("a time") + 3_600_000
}

/// Silences and maintenance.
async fn quiet(client: &Client, contract: &mut Contract) {
    let wishes = [
        ("silences", json!({ "rule": "*", "ends_at": in_an_hour(), "reason": "a deploy" })),
        (
            "maintenance",
            json!({ "rule": "*", "cron": "0 2 * * 0", "duration": "1h", "zone": "UTC", "reason": "backup" }),
        ),
    ];
    for (what, wish) in wishes {
        let at = format!("/api/admin/{what}");
        let (list, add) = (operation("GET", &at), operation("POST", &at));
        let (delete, end) =
            (operation("DELETE", &format!("{at}/{{id}}")), operation("POST", &format!("{at}/{{id}}/end")));
        let mut ids = Vec::new();
        for _ in 0..3 {
            let added = contract.answers(&add, client.post(&at).json(&wish), 201).await.expect("JSON");
            ids.push(added["id"].to_string());
        }
        contract.answers(&add, client.post(&at).json(&json!({ "rule": "*", "reason": "" })), 422).await;
        let fields = wish.as_object().expect("fields").iter();
        let fields = fields.map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", text.replace(' ', "+"))
        });
        let form = |path: &str, body: String| {
            client.post(path).header("content-type", "application/x-www-form-urlencoded").body(body)
        };
        let body = fields.chain(["back=/alerts".to_owned()]).collect::<Vec<_>>().join("&");
        contract.answers(&add, form(&at, body), 303).await;
        contract.answers(&list, good(client, &list, ""), 200).await;
        contract.answers(&list, good(client, &list, "").query(&[("limit", "x")]), 400).await;
        contract.answers(&list, good(client, &list, "").query(&[("limit", "0")]), 422).await;
        contract.answers(&delete, good(client, &delete, &ids[0]), 204).await;
        contract.answers(&delete, good(client, &delete, &ids[0]), 404).await;
        contract.answers(&end, client.post(&filled(&end.path, &ids[1])).json(&json!([null])), 422).await;
        contract.answers(&end, client.post(&filled(&end.path, &ids[1])).json(&json!({})), 204).await;
        contract.answers(&end, client.post(&filled(&end.path, &ids[1])).json(&json!({})), 404).await;
        contract.answers(&end, form(&filled(&end.path, &ids[2]), "back=/alerts".into()), 303).await;
    }
}

/// With a file, rules are read-only.
async fn rules_of_a_file(contract: &mut Contract) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("alerts.yml");
    std::fs::write(&path, "alerts: []\n").expect("a file");
    let database = Database::new().await;
    let server = Launch::on(&database).flag("alerts", path.display()).start();
    let client = server.client();
    client.stored().await;
    for (method, path) in [("POST", "/api/admin/alerts"), ("PUT", "/api/admin/alerts/{name}")] {
        let operation = operation(method, path);
        let request = client.request(method.parse().expect("a method"), &filled(path, "Mine"));
        contract.answers(&operation, request.json(&json!({ "rule": RULE })), 409).await;
    }
}

async fn gauge(client: &Client, contract: &mut Contract) {
    let metrics = operation("GET", "/api/admin/metrics");
    contract.answers(&metrics, good(client, &metrics, ""), 200).await;
    contract.answers(&metrics, good(client, &metrics, "").query(&[("format", "csv")]), 200).await;
    contract.answers(&metrics, good(client, &metrics, "").query(&[("step", "7")]), 422).await;
    contract.answers(&metrics, good(client, &metrics, "").query(&[("step", "many")]), 400).await;
    let panels = operation("GET", "/api/admin/panels");
    contract.answers(&panels, good(client, &panels, "").query(&[("range", "24h")]), 200).await;
    let chart = operation("GET", "/api/admin/charts/{file}");
    contract.answers(&chart, good(client, &chart, "latency.svg"), 200).await;
    contract.answers(&chart, good(client, &chart, "latency.png"), 404).await;
    let annotate = operation("POST", "/api/admin/annotations");
    let added = contract.answers(&annotate, good(client, &annotate, ""), 201).await.expect("JSON");
    contract.answers(&annotate, client.post(&annotate.path).json(&json!({ "text": "" })), 422).await;
    let list = operation("GET", "/api/admin/annotations");
    contract.answers(&list, good(client, &list, ""), 200).await;
    let remove = operation("DELETE", "/api/admin/annotations/{id}");
    let id = added["id"].to_string();
    contract.answers(&remove, good(client, &remove, &id), 204).await;
    contract.answers(&remove, good(client, &remove, "none"), 404).await;
}

/// A byte more than the route takes.
fn too_long(path: &str) -> usize {
    1 + match path {
        "/api/v1/beacons" => 4_096,
        "/api/v1/status" => 1024 * 1024,
        "/api/admin/load-tests" => 512 * 1024,
        _ => 64 * 1024,
    }
}

/// What no route that takes a body takes.
async fn bad_bodies(client: &Client, contract: &mut Contract) {
    for operation in contract.operations() {
        let Some(kind) = contract.takes(&operation).map(str::to_owned) else { continue };
        let path = filled(&operation.path, "a");
        let send = |kind: &str, body: String| {
            let request = client.request(operation.method.parse().expect("a method"), &path);
            request.header("content-type", kind).body(body)
        };
        let statuses = contract.statuses(&operation);
        for (status, request) in [
            (415, send("image/png", "{}".into())),
            (400, send(&kind, "{".into())),
            (413, send(&kind, "\n".repeat(too_long(&operation.path)))),
        ] {
            if statuses.contains(&status) {
                contract.answers(&operation, request, status).await;
            }
        }
    }
}

/// What every route answers to a foreign name, and the sign-in to a foreign page.
async fn by_other_sites(client: &Client, contract: &mut Contract) {
    for operation in contract.operations() {
        let rebound = good(client, &operation, "a").header("host", "evil.example");
        contract.answers(&operation, rebound, 421).await;
    }
    for operation in [operation("POST", "/login"), operation("POST", "/logout")] {
        let forged = good(client, &operation, "a").header("origin", "https://evil.example");
        contract.answers(&operation, forged, 403).await;
    }
}

/// What clients without access get.
async fn shut_out(contract: &mut Contract) {
    let database = Database::new().await;
    let made = |scope| key(&database, &["create", "--name", "test", "--scope", scope]).0;
    let secret = |said: String| said.lines().next().expect("a key").to_owned();
    let (publisher, admin) = (secret(made("publish")), secret(made("admin")));
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("closed"));
    let client = &client;
    let ticket = operation("POST", "/api/v1/sessions/{id}/tickets");
    let wish = good(client, &ticket, &fresh("other")).bearer_auth(&publisher);
    let issued = contract.answers(&ticket, wish, 201).await.expect("JSON");
    let elsewhere = issued["ticket"].as_str().expect("a ticket");
    let gated = |contract: &Contract, status: u16| -> Vec<Operation> {
        let operations = contract.operations().into_iter();
        operations.filter(|operation| contract.statuses(operation).contains(&status)).collect()
    };
    for operation in gated(contract, 401) {
        let request = || good(client, &operation, &session);
        contract.answers(&operation, request(), 401).await;
        let publishes = operation.method == "POST" && operation.path.starts_with("/api/v1/s");
        let administers = operation.path.starts_with("/api/admin") || operation.path == "/metrics";
        let wrong = if publishes {
            admin.as_str()
        } else if administers {
            &publisher
        } else {
            elsewhere
        };
        // Any ticket is good for the self-test.
        if contract.statuses(&operation).contains(&403) {
            contract.answers(&operation, request().bearer_auth(wrong), 403).await;
        }
    }
    eventually("guessing is slowed down", 5, async || {
        let guess = client.event(&session, 1).bearer_auth("sgk_no").send().await.expect("an answer");
        (guess.status() == 429).then_some(())
    })
    .await;
    for operation in gated(contract, 429) {
        contract.answers(&operation, good(client, &operation, &session).bearer_auth("sgk_no"), 429).await;
    }
}

/// A database that was never reached lets nobody in.
async fn keys_unknown(contract: &mut Contract) {
    let database = Database::alone();
    database.stop();
    let server = Launch::on(&database).start();
    let client = server.client();
    for operation in contract.operations() {
        if contract.statuses(&operation).contains(&503)
            && !["/readyz", "/healthz/alerting"].contains(&&*operation.path)
        {
            contract.answers(&operation, good(&client, &operation, "a").bearer_auth("a"), 503).await;
        }
    }
    database.start();
}
