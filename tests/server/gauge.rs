//! The gauge: the probe, regions, fallbacks and their patterns, timelines, annotations; and all its ways out agree.

use crate::support::{Client, Database, Launch, Redis, Scrape, Server, eventually, fresh};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

async fn get(client: &Client, path: &str) -> Value {
    let answer = client.get(path).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.json().await.expect("JSON")
}

/// The sum of a counter over the last hour, as the admin API has it.
async fn summed(client: &Client, counter: &str, whose: &str) -> u64 {
    let metrics = get(client, &format!("/api/admin/metrics?range=1h{whose}")).await;
    let rows = metrics["rows"].as_array().expect("rows").clone();
    rows.iter().map(|row| row[counter].as_u64().expect("a count")).sum()
}

#[tokio::test]
async fn the_probe_sees_the_service_and_is_no_traffic() {
    let (database, mut redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).env("STREAMGAUGE_PROBE_MS", "1000").start();
    let client = server.client();
    eventually("good probes are stored", 30, async || {
        (summed(&client, "probes_good", "").await >= 3).then_some(())
    })
    .await;
    let metrics = get(&client, "/api/admin/metrics?range=1h").await;
    let last = metrics["rows"].as_array().and_then(|rows| rows.last()).expect("a row").clone();
    for time in ["connection", "publish", "delivery"] {
        let ms = last[format!("probe_{time}_p50_ms")].as_f64();
        assert!(ms.is_some_and(|ms| ms < 5_000.0), "{time}: {last}");
    }
    for counter in [
        "published",
        "deliveries_due",
        "delivered",
        "connect_attempts",
        "stream_requests",
        "stream_bytes_out",
    ] {
        assert_eq!(summed(&client, counter, "").await, 0, "{counter}");
    }
    assert_eq!(last["active_connections"], 0.0);
    let list = get(&client, "/api/admin/panels").await;
    assert_eq!(list["levels"][2]["objective"], "uptime");

    // Its session is nobody else's.
    let foreign = client.event("~probe.x", 1).send().await.expect("an answer");
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(client.poll("~probe.x").await.status(), StatusCode::FORBIDDEN);

    // Redis goes: streams are refused, and the probe says so.
    redis.kill();
    eventually("the probe fails", 30, async || (summed(&client, "probes_bad", "").await > 0).then_some(()))
        .await;
    server.stop();
}

fn regional(database: &Database) -> Server {
    Launch::on(database).flag("region-header", "cf-ipcountry").start()
}

#[tokio::test]
async fn followers_are_told_apart_by_region() {
    let database = Database::new().await;
    let server = regional(&database);
    let (client, session) = (server.client(), fresh("world"));
    client.create(&session).await;
    let from = |country: &'static str| client.stream(&session).header("cf-ipcountry", country);
    let mut german = crate::support::Follower::open(from("DE")).await;
    let mut french = crate::support::Follower::open(from("FR")).await;
    let mut unknown = crate::support::Follower::open(from("XX")).await;
    client.publish_all(&session, 1..=30).await;
    for follower in [&mut german, &mut french, &mut unknown] {
        follower.numbers(30).await;
    }
    drop(french);
    let panels = eventually("both regions are stored", 40, async || {
        let panels = get(&client, "/api/admin/panels").await;
        (panels["health"].as_array().expect("health").len() == 2).then_some(panels)
    })
    .await;
    let names: Vec<&str> =
        panels["regions"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(names, ["de", "fr"]);
    eventually("all is stored", 40, async || {
        let german = summed(&client, "delivered", "&region=de").await;
        let closed = summed(&client, "streams_closed", "&region=fr").await;
        (german == 30 && closed == 1).then_some(())
    })
    .await;
    assert_eq!(summed(&client, "delivered", "").await, 90);
    assert_eq!(summed(&client, "connect_established", "&region=fr").await, 1);
    let page = client.get("/?region=de").send().await.expect("a page").text().await.expect("text");
    assert!(page.contains("Connection health") && page.contains(">DE<"), "{page}");
    server.stop();
}

#[tokio::test]
async fn a_probe_that_could_not_run_is_unknown_and_not_down() {
    let database = Database::new().await;
    let server = Launch::on(&database).env("STREAMGAUGE_PROBE_MS", "1000").start();
    let client = server.client();
    let probes = async |result: &str| {
        let scrape = Scrape::of(client.get("/metrics")).await;
        scrape.get(&format!("streamgauge_probes_total{{result=\"{result}\"}}"))
    };
    eventually("it is probed", 20, async || (probes("good").await >= 2.0).then_some(())).await;
    assert_eq!(probes("unknown").await, 0.0);
    server.freeze();
    sleep(Duration::from_millis(4_500)).await;
    server.thaw();
    let before = probes("good").await;
    eventually("it is probed again", 20, async || (probes("good").await >= before + 2.0).then_some(())).await;
    let unknown = probes("unknown").await;
    assert!((2.0..=5.0).contains(&unknown), "{unknown} of 4.5 s");
    assert_eq!(probes("bad").await, 0.0);
}

/// What is told within 0.4 s of the last event waits, and that wait is the server's: so both ends of a percentile are
/// known, and not only that it is not above what was seen outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_is_from_acceptance_to_the_last_byte() {
    const WAIT: f64 = 400.0;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client
        .patch("/api/admin/limits")
        .json(&json!({ "batch_ms": WAIT as u64 }))
        .send()
        .await
        .expect("an answer");
    let session = fresh("waits");
    client.create(&session).await;
    let mut follower = client.follow(&session).await;
    let mut waited = Vec::new();
    for n in 0..20 {
        client.publish(&session, 2 * n).await;
        assert_eq!(follower.numbers(1).await, [2 * n]);
        let sent = Instant::now();
        client.publish(&session, 2 * n + 1).await;
        assert_eq!(follower.numbers(1).await, [2 * n + 1]);
        waited.push(sent.elapsed().as_secs_f64() * 1e3);
        // The next one comes at once.
        sleep(Duration::from_millis(WAIT as u64 + 50)).await;
    }
    waited.sort_by(f64::total_cmp);
    let metrics = client.metrics().await;
    let p95 = metrics["kpis"][0]["value"].as_f64().expect("enough deliveries");
    // The 18th of the 20 that waited is the p95 of all 40, whose other half came at once.
    let seen = waited[17];
    assert!((seen - 60.0..=seen * 1.01).contains(&p95), "{p95} ms by the server, {seen} ms here: {waited:?}");
    let mean = metrics["averageLatency"].as_f64().expect("deliveries");
    let half = waited.iter().sum::<f64>() / 40.0;
    assert!((half - 60.0..=half + 20.0).contains(&mean), "mean {mean} ms by the server, {half} ms here");
}

#[tokio::test]
async fn fallbacks_become_patterns_and_marks() {
    let database = Database::new().await;
    let server = regional(&database);
    let client = server.client();
    let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36";
    let mut streaming = Vec::new();
    for n in 0..80 {
        let session = format!("{}-{n}", fresh("fall"));
        let created: Value = client.create(&session).await.json().await.expect("JSON");
        if created["cohort"] != "stream" {
            continue;
        }
        let (region, fallbacks) = match n {
            0..20 => ("IN", json!([{ "reason": "watchdog", "at_ms": 5 }])),
            20..22 => ("DE", json!([{ "reason": "watchdog", "at_ms": 5 }])),
            _ => ("DE", json!([])),
        };
        let beacon = json!({ "v": 1, "session": session, "page": "p-1", "seq": 0, "mode": "poll", "first_update_ms": 120,
                             "latencies_ms": [10, 30, 20], "fallbacks": fallbacks });
        let sent = client.post("/api/v1/beacons").header("cf-ipcountry", region).header("user-agent", chrome);
        let sent =
            sent.header("referer", "https://app.example/meetings/8f3a91/notes").body(beacon.to_string());
        assert_eq!(sent.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
        streaming.push((session, n < 22));
    }
    let fell = streaming.iter().filter(|(_, fell)| *fell).count() as u64;
    let panels = eventually("fallbacks are stored", 40, async || {
        let panels = get(&client, "/api/admin/panels").await;
        (panels["fallback"]["fellBack"].as_u64() == Some(fell)).then_some(panels)
    })
    .await;
    let fallback = &panels["fallback"];
    assert_eq!(fallback["sessions"].as_u64(), Some(streaming.len() as u64));
    assert_eq!(fallback["byReason"], json!([["watchdog", fell]]));
    assert_eq!(fallback["byBrowser"], json!([["Chrome", fell]]));
    assert_eq!(fallback["byRoute"], json!([["/meetings/:id/notes", fell]]));
    assert_eq!(fallback["patterns"][0]["value"], "in", "{fallback}");
    let page = client.get("/").send().await.expect("a page").text().await.expect("text");
    assert!(page.contains("times likelier in IN than elsewhere"), "the pattern stands on the page");

    // One session's story.
    let (session, _) = &streaming[0];
    client.publish_all(session, 1..=3).await;
    client.complete(session).await;
    let story = eventually("its story is stored", 20, async || {
        let page = client.get(&format!("/sessions/{session}")).send().await.expect("a page");
        let text = page.text().await.expect("text");
        text.contains("Fallback: Watchdog").then_some(text)
    })
    .await;
    assert!(
        story.contains("Latency: Chrome, median 20 ms")
            && story.contains("First update: Chrome, after 120 ms")
    );

    // And it is found among all.
    eventually("it is found", 20, async || {
        let found = client.get(&format!("/search?q={session}&state=completed")).send().await.expect("a page");
        found.text().await.expect("text").contains(&format!("/sessions/{session}\"")).then_some(())
    })
    .await;
    let none = client.get("/search?q=100%25_").send().await.expect("a page").text().await.expect("text");
    assert!(none.contains("No session matches."), "a pattern's letters are letters");
    server.stop();
}

/// Polls and silence: what a session is whose follower and publisher do not stream.
#[tokio::test]
async fn polls_and_silence_are_told() {
    let database = Database::new().await;
    let launch = Launch::on(&database).flag("poll-interval-ms", 1_000).flag("abandon-after-ms", 8_000);
    let server = launch.start();
    let (client, session, goes_on) = (server.client(), fresh("silent"), fresh("goes-on"));
    client.publish(&session, 1).await;
    for _ in 0..3 {
        let path = format!("/api/v1/sessions/{session}/status");
        assert_eq!(client.get(&path).send().await.expect("an answer").status(), StatusCode::OK);
    }
    // Once nobody has polled for two intervals, its polls stand on its timeline.
    eventually("its polls are told", 20, async || {
        let page = client.get(&format!("/sessions/{session}")).send().await.expect("a page");
        page.text().await.expect("text").contains("3 polls within a minute").then_some(())
    })
    .await;
    let found = async |state: &str, id: &str| {
        let page = client.get(&format!("/search?q={id}&state={state}")).send().await.expect("a page");
        page.text().await.expect("text").contains(&format!("/sessions/{id}\""))
    };
    // One that is told something now and then runs, however long ago it began.
    let mut number = 0;
    eventually("it is abandoned", 40, async || {
        number += 1;
        client.publish(&goes_on, number).await;
        found("abandoned", &session).await.then_some(())
    })
    .await;
    assert!(found("running", &goes_on).await && !found("abandoned", &goes_on).await);
    // To the gauge it ended without success.
    client.complete(&goes_on).await;
    eventually("one of two was completed", 30, async || {
        let ended = ["sessions_completed", "sessions_abandoned", "sessions_failed"];
        let [completed, abandoned, failed] = ended.map(|counter| summed(&client, counter, ""));
        ((completed.await, abandoned.await, failed.await) == (1, 1, 0)).then_some(())
    })
    .await;
    // It is forgotten. If it goes on, who follows it hears of that.
    assert_eq!(client.poll(&session).await.status(), StatusCode::NOT_FOUND);
    let mut follower = client.follow(&session).await;
    client.publish(&session, 1).await;
    assert_eq!(follower.numbers(1).await, [1]);
    server.stop();
}

#[tokio::test]
async fn what_happens_around_is_flagged() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("node", "flagged").start();
    let client = server.client();
    let posted =
        client.post("/api/admin/annotations").json(&json!({ "kind": "deploy", "text": "api <v2.3>" }));
    let posted = posted.send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::CREATED);
    let id = posted.json::<Value>().await.expect("JSON")["id"].as_i64().expect("an id");
    let bad = client.post("/api/admin/annotations").json(&json!({ "kind": "restart", "text": "x" }));
    let bad = bad.send().await.expect("an answer");
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.json::<Value>().await.expect("JSON")["field"], "kind");
    client.patch("/api/admin/limits").json(&json!({ "batch_ms": 250 })).send().await.expect("an answer");
    let flags = eventually("all three are there", 20, async || {
        let flags = get(&client, "/api/admin/annotations").await;
        (flags.as_array().expect("flags").len() == 3).then_some(flags)
    })
    .await;
    let texts: Vec<&str> =
        flags.as_array().expect("flags").iter().filter_map(|flag| flag["text"].as_str()).collect();
    for expected in ["flagged started, v", "api <v2.3>", "batch_ms = 250 on flagged"] {
        assert!(texts.iter().any(|text| text.starts_with(expected)), "{texts:?}");
    }
    let page = client.get("/").send().await.expect("a page").text().await.expect("text");
    assert!(page.contains("api &lt;v2.3&gt;") && !page.contains("api <v2.3>"));
    let gone = client.delete(&format!("/api/admin/annotations/{id}")).send().await.expect("an answer");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let again = client.delete(&format!("/api/admin/annotations/{id}")).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    server.stop();
}

#[tokio::test]
async fn the_history_is_there_for_others() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    eventually("a row is stored", 30, async || {
        let metrics = get(&client, "/api/admin/metrics?range=1h").await;
        (!metrics["rows"].as_array().expect("rows").is_empty()).then_some(())
    })
    .await;
    let csv = client.get("/api/admin/metrics?range=1h&step=60").header("accept", "text/csv");
    let csv = csv.send().await.expect("an answer");
    assert!(csv.headers()["content-type"].to_str().expect("text").starts_with("text/csv"));
    let text = csv.text().await.expect("text");
    let mut lines = text.lines();
    let columns = lines.next().expect("a header").split(',').count();
    assert!(columns > 60 && lines.next().expect("a row").split(',').count() == columns);
    for (query, field) in [
        ("step=7", "step"),
        ("range=1y", "range"),
        ("from=5&to=4", "from"),
        ("from=1795440000", "from"),
        ("range=30d&step=10", "step"),
    ] {
        let bad = client.get(&format!("/api/admin/metrics?{query}")).send().await.expect("an answer");
        assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(bad.json::<Value>().await.expect("JSON")["field"], field);
    }
    for chart in ["latency", "connections", "throughput", "resources", "reduction", "errors"] {
        let svg =
            client.get(&format!("/api/admin/charts/{chart}.svg?range=24h")).send().await.expect("an answer");
        assert_eq!(svg.headers()["content-type"], "image/svg+xml", "{chart}");
        assert!(svg.text().await.expect("text").starts_with("<svg xmlns="));
    }
    let none = client.get("/api/admin/charts/nothing.svg").send().await.expect("an answer");
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    server.stop();
}
