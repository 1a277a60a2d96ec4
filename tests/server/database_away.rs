//! PostgreSQL stops for a while: streams go on, and what was measured is stored afterwards.

use crate::support::{Client, Database, Launch, eventually, fresh};
use sqlx::Row;

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
    assert!(notices.contains("PostgreSQL is away"), "{notices}");

    database.start();
    database_is(&client, "good").await;
    client.publish_all(&long, 31..=32).await;
    stored(&database, 38).await;
    assert_eq!(client.metrics().await["notices"], serde_json::json!([]));
    assert_eq!(row(&database, &long).await, ("running".into(), 32, Some("import".into())));
    assert_eq!(row(&database, &short).await, ("completed".into(), 6, None));
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
