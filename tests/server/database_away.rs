//! PostgreSQL stops for a while: streams go on, and what was measured is stored afterwards.

use crate::support::{Client, Database, Launch, eventually, fresh};
use serde_json::Value;
use sqlx::Row;
use std::time::{Duration, Instant};

/// What `/readyz` says of the database; the node itself stays ready.
async fn database_is(client: &Client, expected: &str) {
    eventually(&format!("the database is {expected}"), 15, async || {
        let ready = client.get("/readyz").send().await.expect("an answer");
        assert_eq!(ready.status(), 200);
        let ready: serde_json::Value = ready.json().await.expect("JSON");
        (ready["database"] == expected).then_some(())
    })
    .await;
}

async fn stored(database: &Database, published: i64) {
    eventually(&format!("{published} events stand in the samples"), 30, async || {
        (database.counted("published").await == published).then_some(())
    })
    .await;
}

async fn row(database: &Database, session: &str) -> (String, i64, Option<String>) {
    let row = sqlx::query("SELECT state, events, kind FROM sessions WHERE id = $1").bind(session);
    let row = row.fetch_one(&mut database.connect().await).await.expect("a row");
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_go_on_and_everything_is_stored_afterwards() {
    let database = Database::alone();
    let server = Launch::on(&database).start();
    let client = server.client();
    let (long, short) = (fresh("long"), fresh("short"));
    let create = serde_json::json!({ "id": long, "kind": "import" });
    client.post("/api/v1/sessions").json(&create).send().await.expect("an answer");
    let mut follower = client.follow(&long).await;
    client.publish_all(&long, 1..=10).await;
    database_is(&client, "good").await;

    database.stop();
    client.publish_all(&long, 11..=20).await;
    assert_eq!(follower.numbers(20).await, (1..=20).collect::<Vec<_>>());
    database_is(&client, "away").await;
    client.publish_all(&long, 21..=30).await;
    client.publish_all(&short, 1..=5).await;
    client.complete(&short).await;
    assert_eq!(follower.numbers(10).await, (21..=30).collect::<Vec<_>>());
    let mut newcomer = client.follow(&long).await;
    assert_eq!(newcomer.numbers(1).await, [30], "new streams open too");
    let notices = client.metrics().await["notices"].to_string();
    assert!(notices.contains("PostgreSQL has been unreachable since"), "{notices}");

    database.start();
    database_is(&client, "good").await;
    client.publish_all(&long, 31..=32).await;
    stored(&database, 38).await;
    assert_eq!(client.metrics().await["notices"], serde_json::json!([]));
    assert_eq!(row(&database, &long).await, ("running".into(), 32, Some("import".into())));
    assert_eq!(row(&database, &short).await, ("completed".into(), 6, None));
}

/// The admin API's rows of the last hour, by a step.
async fn told(client: &Client, step: u64) -> Vec<Value> {
    let answer = client.get(&format!("/api/admin/metrics?range=1h&step={step}")).send().await;
    let metrics: Value = answer.expect("an answer").json().await.expect("JSON");
    metrics["rows"].as_array().expect("rows").clone()
}

fn sum(rows: &[Value], counter: &str) -> u64 {
    rows.iter().map(|row| row[counter].as_u64().expect("a count")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_away_is_no_hole_and_counts_once() {
    let database = Database::alone();
    let server = Launch::on(&database).env("STREAMGAUGE_PROBE_MS", "1000").start();
    let (client, session) = (server.client(), fresh("minute"));
    client.publish(&session, 1).await;
    let mut follower = client.follow(&session).await;
    follower.numbers(1).await;
    database_is(&client, "good").await;
    let flag = serde_json::json!({ "kind": "deploy", "text": "v9 is out" });
    client.post("/api/admin/annotations").json(&flag).send().await.expect("an answer");
    let flagged = async || {
        let page = client.get("/").send().await.expect("a page").text().await.expect("text");
        page.contains("<title>v9 is out</title>")
    };
    eventually("the deploy is flagged", 20, async || flagged().await.then_some(())).await;

    database.stop();
    database_is(&client, "away").await;
    assert!(flagged().await, "flags stay while the database is away");
    let (since, mut last) = (Instant::now(), 1);
    while since.elapsed() < Duration::from_secs(61) {
        last += 1;
        client.publish(&session, last).await;
        assert_eq!(follower.numbers(1).await, [last]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    database.start();
    database_is(&client, "good").await;
    stored(&database, last.cast_signed()).await;

    // As measured, and once the minutes are merged, it is the same.
    eventually("the outage's minutes are merged", 90, async || {
        let merged =
            "SELECT count(*) FROM metric_samples WHERE resolution = 60 AND node = '' AND region = ''";
        let minutes: i64 =
            sqlx::query(merged).fetch_one(&mut database.connect().await).await.expect("a count").get(0);
        (minutes >= 2).then_some(())
    })
    .await;
    for step in [10, 60] {
        let rows = told(&client, step).await;
        assert_eq!(sum(&rows, "published"), last, "by {step} s");
        assert_eq!(sum(&rows, "delivered"), last, "by {step} s");
        for fault in ["probes_bad", "connect_failed", "publish_failed", "dropped_slow", "gaps"] {
            assert_eq!(sum(&rows, fault), 0, "{fault} by {step} s");
        }
    }
    let rows = told(&client, 10).await;
    let first = rows.iter().position(|row| row["published"] != 0).expect("a row");
    let busy = &rows[first..=rows.iter().rposition(|row| row["published"] != 0).expect("a row")];
    for two in busy.windows(2) {
        let at = |row: &Value| row["at"].as_i64().expect("a time");
        assert_eq!(at(&two[1]) - at(&two[0]), 10, "no step is missing");
        assert!(two.iter().all(|row| row["published"].as_u64() > Some(0)), "a hole shown as zero: {two:?}");
    }
    assert!(busy.len() >= 6, "{busy:?}");
    assert_eq!(client.metrics().await["notices"], serde_json::json!([]));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_without_its_database_and_catches_up() {
    let database = Database::alone();
    database.stop();
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("early"));
    database_is(&client, "starting").await;
    // Whether access is open stands in the database: until it has been asked, nobody is let in.
    let refused = client.event(&session, 1).send().await.expect("an answer");
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    database.start();
    database_is(&client, "good").await;
    eventually("access is known", 10, async || (client.poll(&session).await.status() == 404).then_some(()))
        .await;
    client.publish_all(&session, 1..=3).await;
    assert_eq!(client.follow(&session).await.numbers(1).await, [3]);
    stored(&database, 3).await;
    assert_eq!(row(&database, &session).await, ("running".into(), 3, None));
}

/// Whether a session of that id has ended cannot be asked then: nobody waits for the answer, and nothing is spoilt by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_taken_while_postgresql_is_stopped_gives_an_ended_session_no_second_life() {
    let database = Database::alone();
    let start = || Launch::on(&database).flag("history-ms", 1_000).flag("abandon-after-ms", 1_000).start();
    let (before, over) = (start(), fresh("over"));
    before.client().publish(&over, 1).await;
    before.client().complete(&over).await;
    before.stop();
    assert_eq!(row(&database, &over).await.0, "completed");
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let server = start();
    let (client, seen, shows) = (server.client(), fresh("seen"), fresh("shows"));
    database_is(&client, "good").await;
    assert_eq!(client.event(&over, 2).send().await.expect("an answer").status(), 409);
    client.publish_all(&seen, 1..=2).await;
    client.complete(&seen).await;
    client.publish(&shows, 1).await;
    eventually("sessions are forgotten", 25, async || {
        (client.poll(&shows).await.status() == 404).then_some(())
    })
    .await;
    database.stop();
    database_is(&client, "away").await;
    // What this node saw end itself, it remembers.
    assert_eq!(client.event(&seen, 3).send().await.expect("an answer").status(), 409);
    let since = Instant::now();
    client.publish(&over, 3).await;
    client.publish_all(&fresh("new"), 1..=5).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    let mut early = client.follow(&fresh("early")).await;
    assert_eq!(early.next().await.expect("a sign of life").name, "ping");

    database.start();
    database_is(&client, "good").await;
    let after = fresh("after");
    client.publish(&after, 1).await;
    eventually("what came since is stored", 10, async || {
        let row = sqlx::query("SELECT state FROM sessions WHERE id = $1").bind(&after);
        row.fetch_optional(&mut database.connect().await).await.expect("rows").map(drop)
    })
    .await;
    for session in [&over, &seen] {
        assert_eq!(row(&database, session).await.0, "completed", "{session}");
    }
    assert_eq!(row(&database, &over).await.1, 2, "events of its one life");
}
