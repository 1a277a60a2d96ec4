//! A row that PostgreSQL can never take, for whatever reason, keeps no other from being stored.

use crate::support::{Database, Launch, Scrape, eventually, fresh};
use sqlx::{AssertSqlSafe, Row};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_refused_keeps_no_other_from_being_stored() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let bad = fresh("bad");
    for (table, column) in [("sessions", "id"), ("session_marks", "session")] {
        let rule = format!("ALTER TABLE {table} ADD CHECK ({column} <> '{bad}')");
        sqlx::query(AssertSqlSafe(rule)).execute(&mut database.connect().await).await.expect("a rule");
    }

    let sessions: Vec<_> = (0..20).map(|_| fresh("good")).collect();
    let mut follower = None;
    for number in 1..=3 {
        for session in sessions.iter().chain([&bad]) {
            client.publish(session, number).await;
        }
        if number == 1 {
            follower = Some(client.follow(&bad).await);
        }
    }
    let told = follower.expect("a follower").numbers(3).await;
    assert_eq!(told, [1, 2, 3], "its own followers hear of it all the same");

    let stored = "SELECT count(*) FROM sessions WHERE id LIKE 'good%' AND events = 3";
    eventually("the others are stored", 20, async || {
        let row = sqlx::query(stored).fetch_one(&mut database.connect().await).await.expect("a count");
        (row.get::<i64, _>(0) == 20).then_some(())
    })
    .await;
    let marked = "SELECT count(DISTINCT session) FROM session_marks WHERE session LIKE 'good%'";
    eventually("and what happened to them", 20, async || {
        let row = sqlx::query(marked).fetch_one(&mut database.connect().await).await.expect("a count");
        (row.get::<i64, _>(0) == 20).then_some(())
    })
    .await;
    eventually("and all that was measured", 30, async || {
        (database.counted("published").await == 63).then_some(())
    })
    .await;
    assert!(Scrape::of(client.get("/metrics")).await.get("streamgauge_notes_lost_total") >= 1.0);
    let ready: serde_json::Value =
        client.get("/readyz").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(ready["database"], "good", "the database is not at fault");
}
