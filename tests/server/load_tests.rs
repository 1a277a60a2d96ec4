//! Results of load tests: posted, kept within bounds, listed, shown.

use crate::support::{Client, Database, Launch, eventually, key, load_test};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

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
