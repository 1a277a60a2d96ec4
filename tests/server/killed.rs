//! kill -9: the next start finds everything, but at most the last ten seconds of what was measured.

use crate::support::{Launch, PrivateFolder, eventually, fresh};
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::Connection;
use std::fs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_server_takes_up_where_it_was() {
    let folder = PrivateFolder::new();
    let server = Launch::private(&folder).start();
    let client = server.client();
    let (running, ended, silent) = (fresh("running"), fresh("ended"), fresh("silent"));
    client.create(&silent).await;
    client.publish_all(&running, 1..=29).await;
    eventually("the first sample is stored", 20, async || {
        (folder.counted("published").await == 29).then_some(())
    })
    .await;
    let last = client.publish(&running, 30).await;
    client.publish_all(&ended, 1..=5).await;
    client.complete(&ended).await;
    is_stored(&folder, &ended, 6).await;
    is_stored(&folder, &running, 30).await;
    server.kill();
    assert!(folder.postgres().is_running(), "PostgreSQL is an orphan now");

    let server = Launch::private(&folder).start();
    assert!(server.log().contains("adopted the private PostgreSQL"), "{}", server.log());
    let client = server.client();
    let stored = folder.counted("published").await;
    assert!((29..=36).contains(&stored), "{stored}: only what came after the last sample may be missing");
    let polled: serde_json::Value = client.poll(&running).await.json().await.expect("JSON");
    assert_eq!((&polled["state"], &polled["data"]), (&json!("running"), &json!(30)));
    assert_eq!(
        client.poll(&silent).await.status(),
        StatusCode::OK,
        "a session without an event is known too"
    );
    let mut follower = client.resume(&running, &last).await;
    let gap = follower.news().await.expect("a gap");
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("epoch")));
    assert_eq!(follower.numbers(1).await, [30]);
    client.publish(&running, 31).await;
    assert_eq!(follower.numbers(1).await, [31]);
    let end = client.follow(&ended).await.news().await.expect("the end");
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!("completed")));
    assert_eq!(client.event(&ended, 6).send().await.expect("an answer").status(), StatusCode::CONFLICT);

    // Now both, as when the machine is switched off.
    eventually("the new status is stored", 10, async || {
        let stored = stored_data(&folder, &running).await;
        (stored == json!(31)).then_some(())
    })
    .await;
    server.kill();
    let noted = fs::read_to_string(folder.data_dir().join("postgres/postmaster.pid")).expect("a pid file");
    let pid = noted.lines().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::KILL).expect("PostgreSQL runs");
    let server = Launch::private(&folder).start();
    let polled: serde_json::Value = server.client().poll(&running).await.json().await.expect("JSON");
    assert_eq!(polled["data"], json!(31));
    server.stop();
    assert!(!folder.postgres().is_running());
}

async fn is_stored(folder: &PrivateFolder, session: &str, events: i64) {
    eventually(&format!("{session} is stored"), 10, async || {
        let url = folder.postgres().url();
        let mut connection = sqlx::PgConnection::connect(&url).await.expect("PostgreSQL");
        let query = sqlx::query_scalar::<_, i64>("SELECT events FROM sessions WHERE id = $1").bind(session);
        let stored = query.fetch_optional(&mut connection).await.expect("a query");
        (stored == Some(events)).then_some(())
    })
    .await;
}

async fn stored_data(folder: &PrivateFolder, session: &str) -> serde_json::Value {
    let mut connection = sqlx::PgConnection::connect(&folder.postgres().url()).await.expect("PostgreSQL");
    let query = sqlx::query_scalar("SELECT last_event->'data' FROM sessions WHERE id = $1").bind(session);
    query.fetch_one(&mut connection).await.expect("a row")
}
