//! What is written to PostgreSQL, what that costs there, and what it refuses.

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_a_running_session_writes_no_index() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let sessions: Vec<_> = (0..30).map(|_| fresh("busy")).collect();
    let mut number = 0;
    let (updates, in_place) = eventually("rows are written again and again", 60, async || {
        number += 1;
        for session in &sessions {
            client.publish(session, number).await;
        }
        let asked = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'";
        let row = sqlx::query(asked).fetch_one(&mut database.connect().await).await.expect("statistics");
        let (updates, in_place): (i64, i64) = (row.get(0), row.get(1));
        (updates >= 300).then_some((updates, in_place))
    })
    .await;
    assert!(in_place * 4 >= updates * 3, "{in_place} of {updates} updates took the old row's place");
}
