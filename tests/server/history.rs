//! History of several nodes: one truth, without a hole shown as zero and without anything counted twice.

use crate::support::{Client, Database, Launch, Redis, Server, eventually, fresh};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row, types::Json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().cast_signed()
}

async fn row(connection: &mut PgConnection, node: &str, start: i64, counters: Value) {
    sqlx::query("SELECT metric_samples_partition(10, to_timestamp($1))")
        .bind(start as f64)
        .execute(&mut *connection)
        .await
        .expect("a partition");
    let insert = "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters) VALUES ($1, 10, to_timestamp($2), 1, $3)";
    sqlx::query(insert)
        .bind(node)
        .bind(start as f64)
        .bind(Json(counters))
        .execute(connection)
        .await
        .expect("a row");
}

async fn metrics(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/api/admin/metrics?{query}")).send().await.expect("an answer");
    // While the database is away there are none.
    answer.json::<Value>().await.expect("JSON")["rows"].as_array().cloned().unwrap_or_default()
}

async fn due(connection: &mut PgConnection) -> i64 {
    let closed = "SELECT count(*) FROM rollup_due WHERE bucket_start + make_interval(secs => resolution) < now() - interval '20 s'";
    sqlx::query(closed).fetch_one(connection).await.expect("a count").get(0)
}

#[tokio::test]
async fn nodes_are_merged_into_one_truth_and_late_rows_are_not_lost() {
    let database = Database::new().await;
    Launch::on(&database).flag("node", "maker").start().stop();
    let mut connection = database.connect().await;
    let from = now() / DAY * DAY - 2 * DAY;
    // Ten minutes of two nodes; the second one was there half of the time.
    for start in (from..from + 10 * MINUTE).step_by(10) {
        row(&mut connection, "a", start, json!({ "seconds": 10, "stream_seconds": 70, "published": 5 }))
            .await;
        if start < from + 5 * MINUTE {
            row(&mut connection, "b", start, json!({ "seconds": 10, "stream_seconds": 30, "published": 1 }))
                .await;
        }
    }
    let server = Launch::on(&database).flag("node", "reader").start();
    let client = server.client();
    let whole = format!("from={from}&to={}&step=86400", from + DAY);
    let minutes = format!("from={from}&to={}&step=60", from + 10 * MINUTE);
    let check = async |when: &str, published: u64| {
        let rows = metrics(&client, &whole).await;
        assert_eq!(rows.len(), 1, "{when}");
        assert_eq!(rows[0]["published"].as_u64(), Some(published), "{when}");
        let rows = metrics(&client, &minutes).await;
        assert_eq!(rows.len(), 10, "{when}");
        assert_eq!(
            (rows[0]["active_connections"].as_f64(), rows[9]["active_connections"].as_f64()),
            (Some(10.0), Some(7.0)),
            "{when}"
        );
    };
    // At any moment, whatever is merged by now, it is the same truth.
    check("before", 60 * 5 + 30).await;
    eventually("everything is merged", 30, async || {
        (due(&mut database.connect().await).await == 0).then_some(())
    })
    .await;
    check("merged", 60 * 5 + 30).await;
    let day: i64 = sqlx::query(
        "SELECT (counters->>'published')::bigint FROM metric_samples WHERE resolution = 86400 AND node = ''",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a day's row")
    .get(0);
    assert_eq!(day, 330);
    // A node that was cut off brings its rows late.
    row(&mut connection, "c", from + 20, json!({ "seconds": 10, "published": 1_000 })).await;
    check("late", 60 * 5 + 30 + 1_000).await;
    eventually("it is merged too", 30, async || {
        (due(&mut database.connect().await).await == 0).then_some(())
    })
    .await;
    check("late and merged", 60 * 5 + 30 + 1_000).await;
    // One node alone.
    let alone = metrics(&client, &format!("{whole}&node=b")).await;
    assert_eq!(
        (alone[0]["published"].as_u64(), alone[0]["active_connections"].as_f64()),
        (Some(30), Some(3.0))
    );
    server.stop();
}

#[tokio::test]
async fn histograms_that_an_earlier_version_stored_count_in_every_tier() {
    let database = Database::new().await;
    Launch::on(&database).flag("node", "maker").start().stop();
    let mut connection = database.connect().await;
    let from = now() / DAY * DAY - 2 * DAY;
    let mut histogram = Histogram::<u64>::new(2).expect("a histogram");
    histogram.record_n(5_000, 40).expect("recorded");
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).expect("serialized");
    for start in (from..from + HOUR).step_by(10) {
        row(&mut connection, "a", start, json!({ "seconds": 10 })).await;
    }
    // Such a version had a column for each, under names of before.
    let stored = sqlx::query("UPDATE metric_samples SET delivery = $1, probe_connect = $1 WHERE node = 'a'");
    assert_eq!(stored.bind(bytes).execute(&mut connection).await.expect("stored").rows_affected(), 360);
    let server = Launch::on(&database).flag("node", "reader").start();
    let client = server.client();
    eventually("everything is merged", 30, async || {
        (due(&mut database.connect().await).await == 0).then_some(())
    })
    .await;
    for (step, merged) in [(10, 1), (60, 6), (HOUR, 360), (DAY, 360)] {
        let to = from + step.max(MINUTE);
        let rows = metrics(&client, &format!("from={from}&to={to}&step={step}")).await;
        for name in ["delivery_latency", "probe_connection"] {
            assert_eq!(rows[0][format!("{name}_count")], f64::from(40 * merged), "{name}, {step} s");
            let p95 = rows[0][format!("{name}_p95_ms")].as_f64().expect("a percentile");
            assert!((p95 - 5.0).abs() < 0.05, "{name}, {step} s: {p95} ms");
        }
    }
    let merged =
        "SELECT count(*) FROM metric_samples WHERE histograms ? 'delivery_latency' AND delivery IS NULL";
    let merged: i64 = sqlx::query(merged).fetch_one(&mut connection).await.expect("a count").get(0);
    // Minutes, the hour and the day, of the node and of all nodes.
    assert_eq!(merged, 2 * (60 + 1 + 1), "what is merged from them has the new shape");
    server.stop();
}

#[tokio::test]
async fn what_is_too_old_goes_with_its_partition() {
    let database = Database::new().await;
    Launch::on(&database).flag("node", "maker").start().stop();
    let mut connection = database.connect().await;
    let old = now() / DAY * DAY - 9 * DAY;
    row(&mut connection, "a", old, json!({ "seconds": 10, "published": 7 })).await;
    let name = format!(
        "to_regclass('metric_samples_10_' || to_char(to_timestamp({old}) AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NULL"
    );
    let server = Launch::on(&database).flag("node", "keeper").start();
    let client = server.client();
    // Merged first: nothing is lost but its grain.
    eventually("it is merged", 30, async || (due(&mut database.connect().await).await == 0).then_some(()))
        .await;
    server.stop();
    let server = Launch::on(&database).flag("node", "keeper").start();
    eventually("the partition is gone", 60, async || {
        let query = sqlx::AssertSqlSafe(format!("SELECT {name}"));
        let gone: bool =
            sqlx::query(query).fetch_one(&mut database.connect().await).await.expect("a row").get(0);
        gone.then_some(())
    })
    .await;
    drop(client);
    // Asked for as finely as it was measured, it is told in the finest steps that are left.
    for step in [3_600, 10] {
        let rows = metrics(&server.client(), &format!("from={old}&to={}&step={step}", old + HOUR)).await;
        assert_eq!((rows.len(), rows[0]["published"].as_u64()), (1, Some(7)), "{step}");
    }
    server.stop();
}

fn leads(server: &Server) -> bool {
    let said = server.log();
    let last = said.lines().rev().find(|line| line.contains("the leader"));
    last.is_some_and(|line| line.contains("became the leader"))
}

#[tokio::test]
async fn another_node_leads_within_fifteen_seconds() {
    let (database, redis) = (Database::new().await, Redis::start());
    let start = |name: &str| Launch::on(&database).redis(&redis).flag("node", name).start();
    let (a, b, c) = (start("a"), start("b"), start("c"));
    let mut nodes = vec![a, b, c];
    for kill in [true, false] {
        let leader = eventually("one of them leads", 15, async || nodes.iter().position(leads)).await;
        assert_eq!(nodes.iter().filter(|node| leads(node)).count(), 1);
        let gone = nodes.remove(leader);
        let since = Instant::now();
        // Dead, or hanging with all its sockets open.
        if kill {
            gone.kill();
        } else {
            gone.freeze();
            nodes.push(gone);
        }
        let others = if kill { nodes.len() } else { nodes.len() - 1 };
        eventually("another one leads", 15, async || nodes[..others].iter().any(leads).then_some(())).await;
        assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    }
    nodes.last().expect("the frozen one").thaw();
    let frozen = nodes.last().expect("the frozen one");
    eventually("the one that hung knows", 15, async || (!leads(frozen)).then_some(())).await;
}

#[tokio::test]
async fn two_nodes_a_kill_and_a_missing_database_leave_one_truth() {
    let (database, redis) = (Database::alone(), Redis::start());
    let start = |name: &str| Launch::on(&database).redis(&redis).flag("node", name).start();
    let (a, b) = (start("a"), start("b"));
    let (session, from) = (fresh("truth"), now() / 10 * 10);
    a.client().create(&session).await;
    let _follower = b.client().follow(&session).await;
    a.client().publish_all(&session, 1..=20).await;
    b.client().publish_all(&session, 21..=50).await;
    database.stop();
    // Published while nobody can store it.
    b.client().publish_all(&session, 51..=90).await;
    tokio::time::sleep(Duration::from_secs(62)).await;
    database.start();
    b.client().publish_all(&session, 91..=100).await;
    // b is killed once its rows are stored; what it counted stays counted, once.
    let published = async |client: &Client| {
        let rows = metrics(client, &format!("from={from}&to={}&step=10", now() + 10 + MINUTE)).await;
        (rows.iter().map(|row| row["published"].as_u64().expect("a count")).sum::<u64>(), rows)
    };
    eventually("all is stored", 40, async || (published(&a.client()).await.0 == 100).then_some(())).await;
    // What b handed in long after its time is on a's live board too.
    eventually("a has heard it", 40, async || {
        let delivered = a.client().metrics().await["messagesDelivered"].as_u64();
        (delivered == Some(100)).then_some(())
    })
    .await;
    b.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let whole = async |client: &Client, expected: u64| {
        let (sum, rows) = published(client).await;
        assert_eq!(sum, expected);
        // While PostgreSQL was away, and whichever was killed, the other measured on: no step is missing, and none has
        // a hole.
        let starts: Vec<i64> = rows.iter().map(|row| row["at"].as_i64().expect("a time")).collect();
        assert!(starts.windows(2).all(|two| two[1] - two[0] == 10), "{starts:?}");
        let covered: u64 = rows.iter().map(|row| row["covered_seconds"].as_u64().expect("seconds")).sum();
        // The first and the last step may be told in part.
        assert!(covered + 20 >= 10 * rows.len() as u64, "{covered} s in {} steps", rows.len());
        assert!(covered <= (now() - from) as u64 + 1, "two nodes cover a second once: {covered}");
    };
    whole(&a.client(), 100).await;
    // The other way round: b is back, and a, which led, is killed.
    let b = start("b");
    b.client().publish_all(&session, 101..=120).await;
    a.client().publish_all(&session, 121..=140).await;
    eventually("all is stored", 40, async || (published(&b.client()).await.0 == 140).then_some(())).await;
    a.kill();
    tokio::time::sleep(Duration::from_secs(12)).await;
    whole(&b.client(), 140).await;
    b.stop();
}
