//! 10 s rows merged to minutes, minutes to hours; merging again changes nothing.

use crate::support::{Database, Launch, eventually};
use serde_json::json;
use sqlx::{Row, types::Json};
use std::time::{SystemTime, UNIX_EPOCH};

const HOUR: i64 = 3_600;

/// Start, counted `published`, and the whole row as text, of each row of a tier in `[from, to)`.
async fn rows(database: &Database, resolution: i32, from: i64, to: i64) -> Vec<(i64, i64, String)> {
    let query = sqlx::query(
        "SELECT extract(epoch FROM bucket_start)::bigint, (counters->>'published')::bigint, metric_samples::text
         FROM metric_samples
         WHERE resolution = $1 AND node = 'merged' AND bucket_start >= to_timestamp($2) AND bucket_start < to_timestamp($3)
         ORDER BY bucket_start",
    );
    let found = query
        .bind(resolution)
        .bind(from as f64)
        .bind(to as f64)
        .fetch_all(&mut database.connect().await)
        .await;
    found.expect("rows").into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn rows_are_merged_to_minutes_and_hours_once() {
    let database = Database::new().await;
    // It makes the tables, under another name.
    Launch::on(&database).flag("node", "maker").start().stop();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().cast_signed();
    let from = now / HOUR * HOUR - 3 * HOUR;
    let mut connection = database.connect().await;
    // Two hours; in the second one only each minute's first row, as of a node that was up and down.
    let mut expected = 0;
    for start in (from..from + 2 * HOUR).step_by(10) {
        if start >= from + HOUR && start % 60 != 0 {
            continue;
        }
        sqlx::query("SELECT metric_samples_partition(10, to_timestamp($1))")
            .bind(start as f64)
            .execute(&mut connection)
            .await
            .expect("a partition");
        let insert = "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters) VALUES ('merged', 10, to_timestamp($1), 1, $2)";
        let counters = json!({ "seconds": 10, "published": start - from + 1 });
        sqlx::query(insert)
            .bind(start as f64)
            .bind(Json(counters))
            .execute(&mut connection)
            .await
            .expect("a row");
        expected += start - from + 1;
    }
    let server = Launch::on(&database).flag("node", "merged").start();
    let hours = eventually("both hours are merged", 20, async || {
        let hours = rows(&database, 3_600, from, from + 2 * HOUR).await;
        (hours.len() == 2).then_some(hours)
    })
    .await;
    let minutes = rows(&database, 60, from, from + 2 * HOUR).await;
    assert_eq!(minutes.len(), 120);
    for (start, published, _) in &minutes {
        let offset = start - from;
        let sum = if offset < HOUR { (0..6).map(|n| offset + 10 * n + 1).sum() } else { offset + 1 };
        assert_eq!(*published, sum, "minute {}", offset / 60);
    }
    assert_eq!(hours.iter().map(|(_, published, _)| published).sum::<i64>(), expected);
    assert_eq!([hours[0].0, hours[1].0], [from, from + HOUR]);
    assert!(hours[0].2.contains(r#"""seconds"": 3600"#), "measured all the time: {}", hours[0].2);
    assert!(hours[1].2.contains(r#"""seconds"": 600"#), "ten seconds of each minute: {}", hours[1].2);
    server.stop();

    let again = Launch::on(&database).flag("node", "merged").start();
    eventually("it has merged again", 10, async || {
        let ready: serde_json::Value = again.client().get("/readyz").send().await.ok()?.json().await.ok()?;
        (ready["database"] == "good").then_some(())
    })
    .await;
    again.stop();
    assert_eq!(rows(&database, 60, from, from + 2 * HOUR).await, minutes);
    assert_eq!(rows(&database, 3_600, from, from + 2 * HOUR).await, hours);
}
