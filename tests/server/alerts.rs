//! Alert rules: they fire, and what fired is neither lost nor doubled, whatever ends in between.

use crate::support::{Client, Database, Launch, Server, body, eventually};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use sqlx::{Connection, Row, types::Json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Fires at the second bad bucket of 10 s, and resolves at the first good one.
const LITERAL: &str = "name: Fast\ncondition: error_rate > 1%\nduration: 10s\nkeep_firing_for: 0s\nmode: literal\nseverity: critical\nnotification: slack\n";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().cast_signed()
}

/// Rows of a node that is nowhere else, a bucket each from `from` on: the counters that the letters of `pattern` stand for.
/// `.`: no row.
async fn rows(database: &Database, from: i64, pattern: &str) {
    let mut connection = database.connect().await;
    for (letter, start) in pattern.chars().zip((from..).step_by(10)) {
        let counters = match letter {
            'b' => json!({ "connect_attempts": 100, "connect_failed": 50, "stream_seconds": 100 }),
            'g' => json!({ "connect_attempts": 100, "stream_seconds": 0 }),
            _ => continue,
        };
        let mut counters = counters;
        counters["seconds"] = 10.into();
        counters["covered_seconds"] = 10.into();
        sqlx::query("SELECT metric_samples_partition(10, to_timestamp($1))")
            .bind(start as f64)
            .execute(&mut connection)
            .await
            .expect("a partition");
        sqlx::query(
            "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters) VALUES ('ghost', 10, to_timestamp($1), 1, $2)",
        )
        .bind(start as f64)
        .bind(Json(counters))
        .execute(&mut connection)
        .await
        .expect("a row");
    }
}

async fn sent(request: RequestBuilder, expected: StatusCode) -> Response {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    assert_eq!(status, expected, "{}", answer.text().await.unwrap_or_default());
    answer
}

/// Expects the status, then the JSON.
async fn json_of(request: RequestBuilder, expected: StatusCode) -> Value {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("text");
    assert_eq!(status, expected, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn put(client: &Client, rule: &str) -> RequestBuilder {
    let name = rule.split_once("name: ").and_then(|(_, rest)| rest.lines().next()).expect("a name");
    client.request(Method::PUT, &format!("/api/admin/alerts/{name}")).json(&json!({ "rule": rule }))
}

async fn rule(client: &Client, name: &str) -> Value {
    let alerts = json_of(client.get("/api/admin/alerts"), StatusCode::OK).await;
    let rules = alerts["rules"].as_array().expect("rules").iter();
    rules.into_iter().find(|rule| rule["name"] == name).cloned().unwrap_or_default()
}

/// Saves the rule, and waits until it was judged.
async fn judged(client: &Client, database: &Database, text: &str) {
    sent(put(client, text), StatusCode::CREATED).await;
    let name = text.split_once("name: ").and_then(|(_, rest)| rest.lines().next()).expect("a name");
    let mut connection = database.connect().await;
    eventually("the rule is judged", 40, async || {
        let stored = sqlx::query("SELECT FROM alert_state WHERE rule = $1").bind(name);
        stored.fetch_optional(&mut connection).await.expect("an answer")
    })
    .await;
}

/// What the rule became, in the order in which it was stored.
async fn changes(database: &Database, name: &str) -> Vec<String> {
    let mut connection = database.connect().await;
    let rows = sqlx::query("SELECT kind FROM alert_transitions WHERE rule = $1 ORDER BY id").bind(name);
    let rows = rows.fetch_all(&mut connection).await.expect("rows");
    // This is asked many times a second: PostgreSQL must not run out of places.
    connection.close().await.expect("an end");
    rows.iter().map(|row| row.get("kind")).collect()
}

/// The start of the bucket after the next one.
fn soon() -> i64 {
    (now() / 10 + 2) * 10
}

/// Waits until `count` changes are stored, and a moment longer for one too many.
async fn all_changes(database: &Database, name: &str, count: usize, seconds: u64) -> Vec<String> {
    eventually("all changes are stored", seconds, async || {
        (changes(database, name).await.len() >= count).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    changes(database, name).await
}

/// A fault of two buckets and a good one, four times.
const FAULTS: &str = "gbbgbbgbbgbbgggggggggggg";
const OF_FAULTS: [&str; 3] = ["pending", "fired", "resolved"];

/// Every fault is one incident, with each of its lines once.
async fn each_fault_is_one_incident(database: &Database, client: &Client) {
    assert_eq!(all_changes(database, "Fast", 12, 180).await, OF_FAULTS.repeat(4));
    let list = json_of(client.get("/api/admin/incidents?rule=Fast"), StatusCode::OK).await;
    let list = list["rows"].as_array().expect("rows");
    assert_eq!(list.len(), 4, "{list:?}");
    for incident in list {
        assert_eq!(incident["state"], "resolved");
        let one = client.get(&format!("/api/admin/incidents/{}", incident["id"]));
        let one = json_of(one, StatusCode::OK).await;
        let kinds: Vec<&str> = one["timeline"]
            .as_array()
            .expect("lines")
            .iter()
            .filter_map(|line| line["kind"].as_str())
            .collect();
        let kinds: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "restart").collect();
        assert_eq!(kinds, ["pending", "fired", "resolved"], "{one}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_opened_acknowledged_silenced_resolved_and_judged() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    judged(&client, &database, LITERAL).await;
    rows(&database, soon(), "gbbbbbbbggggg").await;
    let open = eventually("the rule fires", 60, async || {
        let list = json_of(client.get("/api/admin/incidents?state=open"), StatusCode::OK).await;
        list["rows"][0].is_object().then(|| list["rows"][0].clone())
    })
    .await;
    assert_eq!(
        (&open["rule"], &open["rule_state"], &open["value"]),
        (&json!("Fast"), &json!("firing"), &json!(50.0))
    );
    let here = format!("/api/admin/incidents/{}", open["id"]);
    let act = |what: &str, body: Value| client.post(&format!("{here}/{what}")).json(&body);
    let acknowledged =
        json_of(act("acknowledge", json!({ "note": "I look.", "remind_after": 3_600 })), StatusCode::OK)
            .await;
    assert_eq!(
        (&acknowledged["state"], &acknowledged["acknowledged_by"]),
        (&json!("acknowledged"), &json!("local user"))
    );
    assert!(acknowledged["remind_at"].is_i64());
    json_of(act("note", json!({ "text": "The proxy was restarted." })), StatusCode::OK).await;
    let silence = json!({ "rule": "Fast", "until_resolved": true, "reason": "known" });
    let silence = json_of(client.post("/api/admin/silences").json(&silence), StatusCode::CREATED).await;
    assert_eq!(silence["mutes"], json!(["Fast"]));
    assert_eq!(rule(&client, "Fast").await["muted_by"]["kind"], "silence");
    let resolved = eventually("the incident is resolved", 90, async || {
        let one = json_of(client.get(&here), StatusCode::OK).await;
        (one["state"] == "resolved").then_some(one)
    })
    .await;
    let lines: Vec<(&str, &str)> = resolved["timeline"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| (line["kind"].as_str().expect("a kind"), line["actor"].as_str().expect("an actor")))
        .filter(|(kind, _)| *kind != "restart")
        .collect();
    let person = "local user";
    for expected in [
        ("pending", ""),
        ("fired", ""),
        ("acknowledged", person),
        ("note", person),
        ("silence", person),
        ("silence", ""),
        ("resolved", ""),
    ] {
        assert!(lines.contains(&expected), "{expected:?} in {lines:?}");
    }
    // The silence was to last until then.
    let left = json_of(client.get("/api/admin/silences?active=true"), StatusCode::OK).await;
    assert_eq!(left["rows"], json!([]));
    json_of(act("outcome", json!({ "outcome": "real" })), StatusCode::OK).await;
    json_of(act("publish", json!({ "text": "Some streams failed." })), StatusCode::OK).await;
    let conflict = json_of(act("acknowledge", json!({})), StatusCode::CONFLICT).await;
    assert_eq!(conflict["status"], 409);
    let alerts = eventually("the outcome is counted", 5, async || {
        let alerts = json_of(client.get("/api/admin/alerts"), StatusCode::OK).await;
        (alerts["precision"]["real"] == 1).then_some(alerts)
    })
    .await;
    assert_eq!(alerts["evaluator"], rule_node(&client).await);
    let text = sent(client.get(&format!("{here}.md")), StatusCode::OK).await;
    assert_eq!(text.headers()["content-type"], "text/markdown; charset=utf-8");
    let text = text.text().await.expect("text");
    assert!(text.contains("- Outcome: real") && text.contains("The proxy was restarted."), "{text}");
    sent(client.get("/healthz/alerting"), StatusCode::OK).await;
    let audit = json_of(client.get("/api/admin/audit"), StatusCode::OK).await;
    let actions: Vec<&str> =
        audit["rows"].as_array().expect("rows").iter().filter_map(|row| row["action"].as_str()).collect();
    for action in [
        "alert_rule.add",
        "incident.acknowledge",
        "incident.note",
        "silence.add",
        "incident.judge",
        "incident.publish",
    ] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

/// The name of the node.
async fn rule_node(client: &Client) -> Value {
    client.metrics().await["origin"]["node"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transition_is_lost_or_doubled_when_the_evaluator_is_killed_at_random_moments() {
    let database = Database::new().await;
    let launch = || Launch::on(&database).flag("node", "here");
    let mut server = launch().start();
    server.client().stored().await;
    judged(&server.client(), &database, LITERAL).await;
    let from = soon();
    rows(&database, from, FAULTS).await;
    // A different moment of the turn each time: seven and a half buckets of kills.
    let mut pause = 2_300;
    while now() < from + 100 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        pause = 1_500 + (pause * 7 + 1_913) % 15_000;
        server.kill();
        server = launch().start();
    }
    each_fault_is_one_incident(&database, &server.client()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_frozen_while_another_evaluated_writes_nothing_when_it_wakes() {
    let database = Database::new().await;
    let first = Launch::on(&database).flag("node", "first").start();
    first.client().stored().await;
    judged(&first.client(), &database, LITERAL).await;
    let second = Launch::on(&database).flag("node", "second").start();
    second.client().stored().await;
    let from = soon();
    rows(&database, from, FAULTS).await;
    let evaluator = async |client: &Client| {
        json_of(client.get("/api/admin/alerts"), StatusCode::OK).await["evaluator"].clone()
    };
    eventually("the first node has fired", 60, async || {
        (changes(&database, "Fast").await.len() >= 2).then_some(())
    })
    .await;
    first.freeze();
    eventually("the second node evaluates", 60, async || {
        (evaluator(&second.client()).await == "second").then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.thaw();
    each_fault_is_one_incident(&database, &second.client()).await;
    // What is shown is the same everywhere.
    let shown = rule(&first.client(), "Fast").await;
    assert_eq!((&shown["state"], &shown["incident"]), (&json!("ok"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_loses_and_doubles_no_transition() {
    let database = Database::alone();
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    judged(&client, &database, LITERAL).await;
    rows(&database, soon(), FAULTS).await;
    eventually("a fault has fired", 60, async || (changes(&database, "Fast").await.len() >= 2).then_some(()))
        .await;
    database.stop();
    tokio::time::sleep(Duration::from_secs(15)).await;
    // What was read last is shown meanwhile.
    assert_eq!(rule(&client, "Fast").await["name"], "Fast");
    sent(put(&client, LITERAL), StatusCode::SERVICE_UNAVAILABLE).await;
    database.start();
    each_fault_is_one_incident(&database, &client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_keeps_its_clock_and_firing_stays_firing_over_a_kill() {
    let database = Database::new().await;
    let launch = || Launch::on(&database).flag("node", "here");
    let server = launch().start();
    server.client().stored().await;
    judged(&server.client(), &database, &LITERAL.replace("duration: 10s", "duration: 60s")).await;
    let from = soon();
    rows(&database, from, "gbbbbbbbbbbbbbgggg").await;
    eventually("the rule is pending", 60, async || {
        (changes(&database, "Fast").await == ["pending"]).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    server.kill();
    let server = launch().start();
    eventually("the rule fires", 90, async || {
        (changes(&database, "Fast").await == ["pending", "fired"]).then_some(())
    })
    .await;
    let list = json_of(server.client().get("/api/admin/incidents"), StatusCode::OK).await;
    // Six buckets after the first bad one, which ended at `from` + 20.
    assert_eq!(list["rows"][0]["opened_at"], (from + 80) * 1_000);
    server.kill();
    let server = launch().start();
    assert_eq!(all_changes(&database, "Fast", 3, 200).await, OF_FAULTS);
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_ended_while_the_server_was_down_is_resolved_and_says_so() {
    let database = Database::new().await;
    let launch = || Launch::on(&database).flag("node", "here");
    let server = launch().start();
    server.client().stored().await;
    let level = "name: Level\ncondition: active_connections > 5\nduration: 10s\nkeep_firing_for: 10s\nseverity: warning\nnotification: slack\n";
    judged(&server.client(), &database, level).await;
    let from = soon();
    rows(&database, from, "gbbbbb").await;
    eventually("the rule fires", 60, async || {
        changes(&database, "Level").await.iter().any(|kind| kind == "fired").then_some(())
    })
    .await;
    server.kill();
    rows(&database, from + 140, "gggggggggg").await;
    tokio::time::sleep(Duration::from_secs((from + 140 - now()).max(0).unsigned_abs())).await;
    let server = launch().start();
    let client = server.client();
    let resolved = eventually("the incident is resolved", 120, async || {
        let list = json_of(client.get("/api/admin/incidents?state=resolved"), StatusCode::OK).await;
        list["rows"][0].is_object().then(|| list["rows"][0].clone())
    })
    .await;
    let how = resolved["resolution"].as_str().expect("words");
    assert!(how.starts_with("ended while Streamgauge was down, between"), "{how}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_people_who_edit_a_rule_at_once_one_is_told_to_load_it_again() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    let created = json_of(put(&client, LITERAL).header("if-match", "\"0\""), StatusCode::CREATED).await;
    assert_eq!(created, json!({ "name": "Fast", "version": 1 }));
    let edit = |threshold: &str| {
        put(&client, &LITERAL.replace("> 1%", threshold)).header("if-match", "\"1\"").send()
    };
    let (one, other) = tokio::join!(edit("> 2%"), edit("> 3%"));
    let mut statuses = [one.expect("an answer").status(), other.expect("an answer").status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
    let history = json_of(client.get("/api/admin/alerts/Fast/history"), StatusCode::OK).await;
    let versions: Vec<&Value> =
        history["rows"].as_array().expect("rows").iter().map(|row| &row["version"]).collect();
    assert_eq!(versions, [2, 1]);
    assert_eq!(history["rows"][0]["actor"], "local user");
    // A deleted rule keeps its history, and one of the same name goes on counting.
    sent(
        client.delete("/api/admin/alerts/Fast").header("if-match", "\"1\""),
        StatusCode::PRECONDITION_FAILED,
    )
    .await;
    sent(client.delete("/api/admin/alerts/Fast").header("if-match", "\"2\""), StatusCode::NO_CONTENT).await;
    assert_eq!(rule(&client, "Fast").await, Value::Null);
    let again = json_of(put(&client, LITERAL), StatusCode::CREATED).await;
    assert_eq!(again["version"], 4);
    // The shipped rules came once.
    let names = async || {
        json_of(client.get("/api/admin/alerts"), StatusCode::OK).await["rules"]
            .as_array()
            .expect("rules")
            .len()
    };
    eventually("the shipped rules are there", 20, async || (names().await == 16).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_of_a_file_are_read_only_and_a_bad_file_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("alerts.yml");
    let file = "channels:\n  slack: { kind: slack, url: \"https://example.com/hook\" }\nalerts:\n  - name: Mine\n    condition: error_rate > 1%\n    duration: 5m\n    severity: info\n    notification: slack\n";
    std::fs::write(&path, file).expect("a file");
    let database = Database::new().await;
    let server = Launch::on(&database).flag("alerts", path.display()).start();
    let client = server.client();
    client.stored().await;
    let alerts = json_of(client.get("/api/admin/alerts"), StatusCode::OK).await;
    assert_eq!(
        (alerts["rules"].as_array().map(Vec::len), &alerts["file"]),
        (Some(1), &json!(path.display().to_string()))
    );
    let refused = json_of(put(&client, LITERAL), StatusCode::CONFLICT).await;
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("read-only")), "{refused}");
    json_of(client.delete("/api/admin/alerts/Mine"), StatusCode::CONFLICT).await;
    eventually("the file's rule is judged", 40, async || {
        (!rule(&client, "Mine").await["reason"].as_str().unwrap_or_default().is_empty()).then_some(())
    })
    .await;

    std::fs::write(&path, file.replace("error_rate", "eror_rate").replace("5m", "5 apples")).expect("a file");
    let (code, said) = Launch::on(&database).flag("alerts", path.display()).refused();
    assert_eq!(code, Some(64), "{said}");
    for words in ["line 5: condition", "did you mean `error_rate`?", "line 6: duration"] {
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_refused_with_a_problem_document() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    let week = (now() + 8 * 86_400) * 1_000;
    let soon = (now() + 3_600) * 1_000;
    let post = |path: &str, body: Value| client.post(&format!("/api/admin/{path}")).json(&body);
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let cases = [
        (post("alerts", json!({ "rule": "name: A" })), bad),
        (post("alerts", json!({ "rule": "x".repeat(9_000) })), bad),
        (post("alerts", json!({})), bad),
        (post("alerts", json!({ "rule": LITERAL.replace("Fast", "backtest") })), bad),
        (put(&client, &LITERAL.replace("error_rate", "no_metric")), bad),
        (client.request(Method::PUT, "/api/admin/alerts/Other").json(&json!({ "rule": LITERAL })), bad),
        (put(&client, LITERAL).header("if-match", "new"), StatusCode::BAD_REQUEST),
        (put(&client, LITERAL).header("if-match", "7"), StatusCode::PRECONDITION_FAILED),
        (client.delete("/api/admin/alerts/None"), StatusCode::NOT_FOUND),
        (client.get("/api/admin/alerts/Fast/history?limit=0"), bad),
        (client.get("/api/admin/incidents?limit=101"), bad),
        (client.get("/api/admin/incidents?before=0"), bad),
        (client.get("/api/admin/incidents?state=closed"), bad),
        (client.get("/api/admin/incidents?outcome=maybe"), bad),
        (client.get("/api/admin/incidents/7"), StatusCode::NOT_FOUND),
        (client.get("/api/admin/incidents/x.md"), StatusCode::NOT_FOUND),
        (post("incidents/7/acknowledge", json!({})), StatusCode::NOT_FOUND),
        (post("incidents/7/acknowledge", json!({ "remind_after": 1 })), bad),
        (post("incidents/7/note", json!({ "text": "" })), bad),
        (post("incidents/7/note", json!({ "text": "a\u{7}" })), bad),
        (post("incidents/7/outcome", json!({ "outcome": "test" })), bad),
        (post("incidents/7/resolve", json!({ "force": true })), bad),
        (post("incidents/7/publish", json!({ "text": "x".repeat(1_001) })), bad),
        (post("silences", json!({ "rule": "None", "ends_at": soon, "reason": "x" })), bad),
        (post("silences", json!({ "rule": "*", "ends_at": week, "reason": "x" })), bad),
        (post("silences", json!({ "rule": "*", "ends_at": 1, "reason": "x" })), bad),
        (post("silences", json!({ "rule": "*", "ends_at": soon, "reason": " " })), bad),
        (post("silences", json!({ "rule": "*", "until_resolved": true, "reason": "x" })), bad),
        (client.delete("/api/admin/silences/9"), StatusCode::NOT_FOUND),
        (post("maintenance", json!({ "rule": "*", "reason": "x" })), bad),
        (post("maintenance", json!({ "rule": "*", "reason": "x", "starts_at": soon, "ends_at": soon })), bad),
        (post("maintenance", json!({ "rule": "*", "reason": "x", "cron": "0 2 * * 0", "duration": 5 })), bad),
        (post("maintenance", json!({ "rule": "*", "reason": "x", "cron": "often", "duration": "1h" })), bad),
        (
            post(
                "maintenance",
                json!({ "rule": "*", "reason": "x", "cron": "0 2 * * 0", "duration": "1h", "zone": "Mars/Base" }),
            ),
            bad,
        ),
        (client.delete("/api/admin/maintenance/none"), StatusCode::NOT_FOUND),
        (post("alerts/backtest", json!({ "rule": LITERAL, "from": soon, "to": 1 })), bad),
        (
            client.post("/api/admin/silences").header("content-type", "text/plain").body("{}"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ];
    for (index, (request, status)) in cases.into_iter().enumerate() {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "case {index}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "case {index}");
        let problem = body(answer).await;
        assert_eq!(problem["status"], status.as_u16(), "case {index}: {problem}");
    }
}

fn without_redirects() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().expect("a client")
}

async fn form(server: &Server, path: &str, fields: &[(&str, &str)], expected: StatusCode) -> Response {
    let url = format!("http://127.0.0.1:{}/api/admin/{path}", server.port);
    let encoded: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value
                    .replace('%', "%25")
                    .replace('\n', "%0A")
                    .replace('&', "%26")
                    .replace('+', "%2B")
                    .replace(' ', "+")
            )
        })
        .collect();
    let form = without_redirects().post(url).header("content-type", "application/x-www-form-urlencoded");
    sent(form.body(encoded.join("&")), expected).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_pages_do_the_same_and_lead_back_to_a_page_of_this_server() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    let back = ("back", "/alerts/rules");
    let led = |answer: &Response| answer.headers()["location"].to_str().expect("text").to_owned();
    let answer =
        form(&server, "alerts", &[("yaml", LITERAL), ("version", "0"), back], StatusCode::SEE_OTHER).await;
    assert_eq!(led(&answer), "/alerts/rules");
    assert_eq!(rule(&client, "Fast").await["version"], 1);
    // What cannot be saved is shown again, with what is wrong.
    let answer = form(
        &server,
        "alerts",
        &[("yaml", "name: Fast"), ("name", "Fast"), ("version", "1"), back],
        StatusCode::SEE_OTHER,
    )
    .await;
    assert!(led(&answer).starts_with("/alerts/rules/Fast?yaml=name"), "{}", led(&answer));
    let until = ((now() + 3_600) * 1_000).to_string();
    let fields =
        [("rule", "Fast"), ("until", &*until), ("reason", "a deploy"), ("back", "https://evil.example/")];
    let answer = form(&server, "silences", &fields, StatusCode::SEE_OTHER).await;
    assert_eq!(led(&answer), "/", "never to another site");
    let list = json_of(client.get("/api/admin/silences?active=true"), StatusCode::OK).await;
    assert_eq!((&list["rows"][0]["rule"], &list["rows"][0]["reason"]), (&json!("Fast"), &json!("a deploy")));
    let path = format!("silences/{}/end", list["rows"][0]["id"]);
    form(&server, &path, &[back], StatusCode::SEE_OTHER).await;
    form(&server, &path, &[back], StatusCode::NOT_FOUND).await;
    let fields = [
        ("rule", "*"),
        ("cron", "0 2 * * 0"),
        ("duration", "1h"),
        ("zone", "Europe/Berlin"),
        ("reason", "backup"),
        back,
    ];
    form(&server, "maintenance", &fields, StatusCode::SEE_OTHER).await;
    let list = json_of(client.get("/api/admin/maintenance"), StatusCode::OK).await;
    let one = &list["rows"][0];
    assert_eq!((&one["duration"], &one["zone"]), (&json!(3_600), &json!("Europe/Berlin")));
    assert!(one["next_from"].as_i64().is_some_and(|from| from > now() * 1_000), "{one}");
    form(&server, &format!("maintenance/{}/end", one["id"]), &[back], StatusCode::SEE_OTHER).await;
    form(&server, "alerts/Fast/end", &[("version", "1"), back], StatusCode::SEE_OTHER).await;
    // Another site's page cannot send them.
    let forged = without_redirects().post(format!("http://127.0.0.1:{}/api/admin/silences", server.port));
    let forged = forged
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://evil.example");
    sent(forged.body("rule=*&until=resolved&reason=x"), StatusCode::FORBIDDEN).await;
}

#[test]
fn scenario_files_run_by_the_command_and_a_wrong_expectation_is_a_diff() {
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/core/scenarios/alerts");
    let run = |file: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_streamgauge"));
        let output = program.args(["alerts", "test", file]).output().expect("the command runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let good = format!("{scenarios}/whole-rule-fires.yml");
    let (status, said) = run(&good);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("all as expected"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let text = std::fs::read_to_string(&good).expect("a scenario");
    let (status, said) = run(&written("wrong.yml", &text.replace("exp_state: firing", "exp_state: ok")));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("not as expected"), "{said}");
    let (status, said) = run(&written("bad.yml", "tests: 7\n"));
    assert_eq!(status, Some(64), "{said}");
}
