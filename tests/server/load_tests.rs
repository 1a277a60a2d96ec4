//! Results of load tests: posted, kept within bounds, listed, shown.

use crate::support::{Client, Database, Folder, Launch, eventually, key, load_test, load_test_by};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::fs;

const ROUTE: &str = "/api/admin/load-tests";

/// What the tool posts, in short.
pub fn document(scenario: &str, p95: f64) -> Value {
    let times =
        json!({ "samples": 5_000, "p50_ms": 4.0, "p95_ms": p95, "p99_ms": p95 * 2.0, "max_ms": p95 * 3.0 });
    json!({
        "version": 1, "scenario": scenario, "title": "A <test>", "url": "http://127.0.0.1:3000",
        "time_scale": 1.0, "started_at": 1_795_442_700_000_i64, "interrupted": false, "passed": true,
        "findings": [{
            "name": "Message delivery latency", "target": "< 100 ms p95", "measured": p95, "unit": "ms",
            "samples": 5_000, "samples_of": "deliveries", "verdict": "pass", "note": null
        }],
        "figures": {
            "streams_asked": 50, "sessions_asked": 50, "peak_streams": 50, "seconds": 12,
            "counts": { "delivered": 5_000, "lost": 3 },
            "latency": times, "latency_sent": times, "last_delivery": times, "connect": times,
            "connect_began": times, "answer": times, "server": null,
            "tool": { "threads": 1, "cpu_mean_core_percent": 3.0, "lag": times }, "steps": []
        },
        "timeline": []
    })
}

fn post(client: &Client, document: &Value) -> RequestBuilder {
    client.post(ROUTE).json(document)
}

async fn sent(request: RequestBuilder, expected: StatusCode) -> Response {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), expected);
    answer
}

async fn json_of(request: RequestBuilder, expected: StatusCode) -> Value {
    sent(request, expected).await.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_kept_listed_and_shown() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("node", "here").start();
    let client = &server.client();
    client.stored().await;

    let answer = sent(post(client, &document("burst", 9.0)), StatusCode::CREATED).await;
    let location = answer.headers()["location"].to_str().expect("text").to_owned();
    let added: Value = answer.json().await.expect("JSON");
    assert_eq!(added["url"], json!(location));
    sent(post(client, &document("ramp", 7.0)), StatusCode::CREATED).await;
    sent(post(client, &document("burst", 90.0)), StatusCode::CREATED).await;

    let list = json_of(client.get(ROUTE), StatusCode::OK).await;
    let scenarios: Vec<&str> = list["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["scenario"].as_str().expect("text"))
        .collect();
    assert_eq!((scenarios, &list["kept"]), (vec!["burst", "ramp", "burst"], &json!(3)));
    let row = &list["rows"][2];
    assert_eq!((&row["id"], &row["delivery_p95_ms"], &row["lost"]), (&added["id"], &json!(9.0), &json!(3)));
    assert_eq!(
        (&row["server_version"], &row["memory_mb_per_100_streams"]),
        (&json!(env!("CARGO_PKG_VERSION")), &Value::Null)
    );

    let burst =
        json_of(client.get(ROUTE).query(&[("scenario", "burst"), ("limit", "1")]), StatusCode::OK).await;
    assert_eq!((burst["rows"].as_array().map(Vec::len), &burst["kept"]), (Some(1), &json!(2)));
    for (name, value) in [("limit", "0"), ("limit", "101"), ("scenario", "")] {
        let problem =
            json_of(client.get(ROUTE).query(&[(name, value)]), StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["field"], name);
    }

    let newest = list["rows"][0]["id"].as_i64().expect("a number");
    let one = json_of(client.get(&format!("{ROUTE}/{newest}")), StatusCode::OK).await;
    assert_eq!((&one["row"], &one["before"]), (&list["rows"][0], &list["rows"][2]));
    assert_eq!(one["outcome"]["findings"][0]["measured"], json!(90.0));
    for nowhere in ["99999", "x", "%ff", "99999999999999999999"] {
        let problem = json_of(client.get(&format!("{ROUTE}/{nowhere}")), StatusCode::NOT_FOUND).await;
        assert_eq!(problem["status"], json!(404));
    }

    let page = sent(client.get("/load-tests"), StatusCode::OK).await.text().await.expect("HTML");
    assert!(page.contains("81 ms worse") && page.contains(&location), "{page}");
    assert!(!page.contains("wasm"), "it is never hydrated");
    let foot = page.split_once("class=\"foot\"").expect("a foot").1.replace("<!>", "");
    let expected = concat!("><p>node <b>here</b><br>v", env!("CARGO_PKG_VERSION"), "</p>");
    assert!(foot.starts_with(expected), "{foot}");
    let page = sent(client.get(&location), StatusCode::OK).await.text().await.expect("HTML");
    assert!(page.contains("A &lt;test&gt;") && page.contains("Message delivery latency"), "{page}");
    for nowhere in ["/load-tests/99999", "/load-tests/x", "/load-tests/99999999999999999999"] {
        sent(client.get(nowhere), StatusCode::NOT_FOUND).await;
    }
    // A scenario that cannot be has no runs; it is no mistake of the server's.
    sent(client.get("/load-tests?scenario=%00"), StatusCode::OK).await;
}

/// The tool and the server as they are, on a small scale: each stream is held, told everything, and told of the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tool_measures_and_the_server_keeps_it() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = &server.client();
    client.stored().await;
    let idle = [
        "idle",
        "--streams",
        "500",
        "--sessions",
        "50",
        "--arrivals",
        "200",
        "--rate",
        "1",
        "--duration",
        "5s",
    ];
    let (said, code) = load_test(&server, &idle).await;
    let list = json_of(client.get(ROUTE), StatusCode::OK).await;
    let row = &list["rows"][0];
    // How quick a machine is that builds and tests at once is not the question here.
    assert_eq!(code, Some(i32::from(row["passed"] != json!(true))), "{said}");
    let run = json_of(client.get(&format!("{ROUTE}/{}", row["id"])), StatusCode::OK).await;
    let figures = &run["outcome"]["figures"];
    let counts = &figures["counts"];
    assert_eq!(
        (&counts["established"], &counts["ended"], &figures["peak_streams"]),
        (&json!(500), &json!(500), &json!(500))
    );
    for none in ["lost", "repeated", "connect_refused", "connect_failed", "end_missing", "unsent"] {
        assert_eq!(counts[none], json!(0), "{none}: {said}");
    }
    assert!(counts["delivered"].as_u64() >= Some(1_000), "{said}");
    assert!(figures["server"]["peak_rss_mb"].as_f64() > Some(1.0), "its memory was read: {said}");

    // What is let in nowhere is no success.
    let few = client.patch("/api/admin/limits").json(&json!({ "max_connections": 1 }));
    sent(few, StatusCode::OK).await;
    let (said, code) =
        load_test(&server, &["idle", "--streams", "20", "--sessions", "1", "--duration", "1s"]).await;
    assert_eq!(code, Some(1), "{said}");
    let refused = said.lines().find(|line| line.starts_with("Streams refused"));
    assert!(refused.is_some_and(|line| line.contains("FAIL")), "{said}");
    server.stop();
}

/// A run of two seconds: twenty streams, a session each, ten messages a second in each.
const SHORT: [&str; 11] =
    ["idle", "--streams", "20", "--sessions", "20", "--arrivals", "100", "--rate", "10", "--duration", "2s"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tool_writes_its_result_to_files() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    server.client().stored().await;
    let folder = Folder::new("load-test");
    let [in_json, in_html, nowhere] =
        ["a.json", "a.html", "none/a.json"].map(|name| folder.path().join(name).display().to_string());
    let (said, code) =
        load_test(&server, &[&SHORT[..], &["--json", &in_json, "--html", &in_html]].concat()).await;
    let outcome = fs::read(&in_json).expect("a file");
    let outcome: Value = serde_json::from_slice(&outcome).expect("JSON");
    assert_eq!(code, Some(i32::from(outcome["passed"] != json!(true))), "{said}");
    // The server keeps the same.
    let run = json_of(server.client().get(&format!("{ROUTE}/1")), StatusCode::OK).await;
    assert_eq!(run["outcome"], outcome);

    let findings = outcome["findings"].as_array().expect("findings");
    for finding in findings {
        let verdict = finding["verdict"].as_str().expect("a verdict");
        assert!(["pass", "fail", "not_enough_data", "not_measured"].contains(&verdict), "{finding}");
        assert!(finding["target"].as_str().is_some_and(|target| !target.is_empty()), "{finding}");
    }
    let figures = &outcome["figures"];
    let counted = [("latency", "delivered"), ("latency_sent", "delivered"), ("connect", "established")];
    for (histogram, counter) in counted {
        assert_eq!(figures[histogram]["samples"], figures["counts"][counter], "{histogram}");
        let percentiles = ["p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"]
            .map(|name| &figures[histogram][name]);
        let percentiles = percentiles.map(|value| value.as_f64().expect("milliseconds"));
        assert!(percentiles.is_sorted() && percentiles[0] > 0.0, "{histogram}: {percentiles:?}");
    }
    let seconds = outcome["timeline"].as_array().expect("a timeline");
    let at: Vec<_> = seconds.iter().map(|second| second["at_s"].as_u64().expect("seconds")).collect();
    assert!(at.len() >= 2 && at.windows(2).all(|two| two[1] == two[0] + 1), "{at:?}");
    assert!(seconds.iter().any(|second| second["streams"] == json!(20)), "{seconds:?}");

    let page = fs::read_to_string(&in_html).expect("a file");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
    for foreign in ["src=", "href=", "url(", "@import", "<script", "<link", "://"] {
        let own = if foreign == "://" {
            page.matches(&format!("http://127.0.0.1:{}", server.port)).count()
        } else {
            0
        };
        assert_eq!(page.matches(foreign).count(), own, "{foreign} in {page}");
    }
    assert!(page.matches("<svg ").count() >= 3, "{page}");
    for finding in findings {
        let row = format!("<th scope=\"row\">{}</th>", finding["name"].as_str().expect("a name"));
        assert!(page.contains(&row) && said.contains(finding["name"].as_str().expect("a name")), "{row}");
    }

    let (said, code) = load_test(&server, &[&SHORT[..], &["--no-post", "--json", &nowhere]].concat()).await;
    assert!(code == Some(73) && said.contains(&format!("{nowhere} cannot be written")), "{said}");
    assert_eq!(json_of(server.client().get(ROUTE), StatusCode::OK).await["kept"], json!(1), "{said}");
    let (said, code) = load_test(&server, &["idle", "--streams", "0"]).await;
    assert!(code == Some(64) && said.contains("streams is \"0\""), "{said}");
    let (said, code) = load_test(&server, &["idle", "--follow-url", "http://127.0.0.1:1"]).await;
    assert!(code == Some(69) && said.contains("http://127.0.0.1:1 cannot be reached"), "{said}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tool_shows_its_key_where_access_is_by_key() {
    let database = Database::new().await;
    let made =
        |scopes: &[&str]| key(&database, &[&["create", "--name", "test", "--scope"], scopes].concat()).0;
    let secret = |said: String| said.lines().next().expect("a key").to_owned();
    let (both, publisher) = (secret(made(&["publish", "admin"])), secret(made(&["publish"])));
    let server = Launch::on(&database).start();
    let client = &server.client();
    client.stored().await;
    let kept = async || json_of(client.get(ROUTE).bearer_auth(&both), StatusCode::OK).await;

    let (said, _) = load_test_by(&both, &server, &SHORT).await;
    assert!(said.contains("The server keeps the result: ") && !said.contains(&both), "{said}");
    let row = kept().await["rows"][0].clone();
    let run = client.get(&format!("{ROUTE}/{}", row["id"])).bearer_auth(&both);
    let counts = json_of(run, StatusCode::OK).await["outcome"]["figures"]["counts"].clone();
    assert_eq!(
        (&counts["established"], &counts["ended"], &counts["lost"]),
        (&json!(20), &json!(20), &json!(0))
    );
    assert!(counts["delivered"].as_u64() > Some(100) && counts["publish_failed"] == json!(0), "{counts}");

    // A key that only publishes is enough to measure.
    let (said, _) = load_test_by(&publisher, &server, &SHORT).await;
    assert!(said.contains("that takes a key with the scope admin beside publish"), "{said}");
    let (admin, unknown) = (secret(made(&["admin"])), format!("sgk_{}_{}", "0".repeat(16), "a".repeat(43)));
    for (wrong, what) in
        [("", "STREAMGAUGE_API_KEY"), (&unknown, "no such key"), (&admin, "without the scope publish")]
    {
        let (said, code) = load_test_by(wrong, &server, &SHORT).await;
        assert!(code == Some(77) && said.lines().count() == 1 && said.contains(what), "{code:?}: {said}");
    }
    assert_eq!(kept().await["kept"], json!(1));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_five_hundred_are_kept() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = &server.client();
    client.stored().await;
    sent(post(client, &document("burst", 9.0)), StatusCode::CREATED).await;
    let many = "INSERT INTO load_tests (scenario, options, title, started_at, node, server_version, time_scale, passed,
                    interrupted, missed, unjudged, peak_streams, deliveries, connects, lost, repeated, document)
                SELECT scenario, options, title, started_at, node, server_version, time_scale, passed, interrupted,
                    missed, unjudged, peak_streams, deliveries, connects, lost, repeated, document
                FROM load_tests, generate_series(1, 520)";
    sqlx::query(many).execute(&mut database.connect().await).await.expect("rows");
    let newest = json_of(post(client, &document("ramp", 9.0)), StatusCode::CREATED).await;
    let list = json_of(client.get(ROUTE), StatusCode::OK).await;
    assert_eq!((&list["kept"], &list["rows"][0]["id"]), (&json!(500), &newest["id"]));
    assert_eq!(list["rows"].as_array().map(Vec::len), Some(100));
    sent(client.get("/load-tests/1"), StatusCode::NOT_FOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_document_earns_a_problem_that_names_the_field() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = &server.client();
    client.stored().await;
    let wrong = async |pointer: &str, value: Value, field: &str| {
        let mut document = document("burst", 9.0);
        *document.pointer_mut(pointer).expect(pointer) = value;
        let problem = json_of(post(client, &document), StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["field"], field, "{problem}");
    };
    wrong("/version", json!(2), "version").await;
    wrong("/scenario", json!("a\u{0}"), "scenario").await;
    wrong("/figures/latency/p95_ms", json!("fast"), "figures.latency.p95_ms").await;
    wrong("/findings/0/note", json!("x".repeat(301)), "findings[0].note").await;
    wrong("/passed", json!(false), "passed").await;

    let text = |text: String| client.post(ROUTE).header("content-type", "application/json").body(text);
    sent(text("{".into()), StatusCode::BAD_REQUEST).await;
    sent(client.post(ROUTE).body("{}"), StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    // Larger than other routes take, and good; then too large.
    let padded = |to: usize| document("burst", 9.0).to_string() + &" ".repeat(to);
    sent(text(padded(300 * 1024)), StatusCode::CREATED).await;
    sent(text(padded(520 * 1024)), StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(json_of(client.get(ROUTE), StatusCode::OK).await["kept"], json!(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_admin_posts_and_reads() {
    let database = Database::new().await;
    let secret = |scope| key(&database, &["create", "--name", "test", "--scope", scope]).0;
    let [publisher, admin] =
        ["publish", "admin"].map(|scope| secret(scope).lines().next().expect("a key").to_owned());
    let server = Launch::on(&database).start();
    let client = &server.client();
    let body = document("burst", 9.0);
    for request in [|client: &Client, _: &Value| client.get(ROUTE), post] {
        sent(request(client, &body), StatusCode::UNAUTHORIZED).await;
        sent(request(client, &body).bearer_auth(&publisher), StatusCode::FORBIDDEN).await;
    }
    sent(post(client, &body).bearer_auth(&admin), StatusCode::CREATED).await;
    for page in ["/load-tests", "/load-tests/1"] {
        let answer = sent(client.get(page), StatusCode::OK).await;
        assert_eq!(answer.url().path(), "/login", "{page}");
        sent(client.get(page).bearer_auth(&admin), StatusCode::OK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_the_server_says_so() {
    let database = Database::alone();
    let server = Launch::on(&database).start();
    let client = &server.client();
    client.stored().await;
    database.stop();
    let body = document("burst", 9.0);
    for request in [post(client, &body), client.get(ROUTE)] {
        let answer = sent(request, StatusCode::SERVICE_UNAVAILABLE).await;
        assert!(answer.headers().contains_key("retry-after"));
    }
    sent(client.get("/load-tests"), StatusCode::SERVICE_UNAVAILABLE).await;
    database.start();
    eventually("it is kept", 20, async || {
        let answer = post(client, &body).send().await.expect("an answer");
        (answer.status() == StatusCode::CREATED).then_some(())
    })
    .await;
}
