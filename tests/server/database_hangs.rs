//! PostgreSQL takes connections and answers no more: a server that is told to stop does, and what was stored counts once.

use crate::support::{Database, Launch, Proxy, Server, eventually, fresh};
use sqlx::{Connection, Row};
use std::time::Duration;

/// Longer than the drain, the writer's patience and what follows it.
const LIMIT: Duration = Duration::from_secs(12);

/// With ten events that are stored.
async fn start(database: &Database) -> (Server, Proxy) {
    let (proxy, url) = database.by_proxy();
    let server = Launch::new().flag("listen", "127.0.0.1:0").flag("database-url", url).start();
    server.client().publish_all(&fresh("before"), 1..=10).await;
    stored(database, 10).await;
    (server, proxy)
}

async fn stored(database: &Database, published: i64) {
    eventually(&format!("{published} events stand in the samples"), 30, async || {
        (database.counted("published").await == published).then_some(())
    })
    .await;
}

async fn ends(mut server: Server) -> String {
    server.terminate();
    let status = tokio::task::spawn_blocking(move || (server.exit_within(LIMIT), server.log()));
    let (status, said) = status.await.expect("the end");
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    said
}

/// Another one, beside whatever PostgreSQL still holds of the first.
async fn counts_once(database: &Database) {
    let server = Launch::on(database).start();
    server.client().publish_all(&fresh("after"), 1..=7).await;
    stored(database, 17).await;
    server.stop();
    assert_eq!(database.counted("published").await, 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_in_time_while_nothing_is_answered() {
    let database = Database::alone();
    let (server, proxy) = start(&database).await;
    proxy.falls_silent();
    server.client().publish_all(&fresh("lost"), 1..=5).await;
    let said = ends(server).await;
    assert!(said.contains("PostgreSQL took no more before the end"), "{said}");
    counts_once(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_in_time_in_the_middle_of_a_write() {
    let database = Database::alone();
    let (server, proxy) = start(&database).await;
    let mut connection = database.connect().await;
    let mut holder = connection.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE rollup_due IN EXCLUSIVE MODE").execute(&mut *holder).await.expect("a lock");
    server.client().publish_all(&fresh("lost"), 1..=5).await;
    eventually("a row is being written", 20, async || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO metric_samples%'";
        let waits: i64 =
            sqlx::query(waits).fetch_one(&mut database.connect().await).await.expect("a count").get(0);
        (waits > 0).then_some(())
    })
    .await;
    // What it was told before, PostgreSQL does; what it says, nobody hears.
    proxy.falls_silent();
    let said = ends(server).await;
    assert!(said.contains("PostgreSQL took no more before the end"), "{said}");
    holder.rollback().await.expect("no lock");
    counts_once(&database).await;
}
