//! The past that a demo makes up: whole after any restart, told apart from what is measured, removed by one command.

use crate::support::{Client, Launch, PrivateFolder, Server, eventually};
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};
use std::process::Command;

/// A debug build next to all other tests is slow.
const PATIENCE: u64 = 240;

fn start(folder: &PrivateFolder) -> Server {
    Launch::new()
        .flag("listen", "127.0.0.1:0")
        .flag("data-dir", folder.around().display())
        .flag("demo", true)
        .start()
}

fn remove(folder: &PrivateFolder) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    let output =
        command.args(["demo", "remove", "--data-dir"]).arg(folder.around()).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text"))
}

/// Days that are written.
async fn days(folder: &PrivateFolder) -> i64 {
    let Ok(mut connection) = PgConnection::connect(&folder.postgres().url()).await else { return 0 };
    let days = "SELECT coalesce(max(extract(day FROM until - written_from)), 0)::bigint FROM demo_past";
    sqlx::query(days).fetch_one(&mut connection).await.map_or(0, |row| row.get(0))
}

async fn counts(folder: &PrivateFolder) -> Vec<i64> {
    let mut connection = PgConnection::connect(&folder.postgres().url()).await.expect("PostgreSQL");
    let mut counts = Vec::new();
    for query in [
        "SELECT count(*) FROM metric_samples WHERE node = 'seeded' AND region = '' AND resolution = 10",
        "SELECT count(*) FROM metric_samples WHERE node = 'seeded' AND region = '' AND resolution = 60",
        "SELECT count(*) FROM metric_samples WHERE node = 'seeded' AND region = '' AND resolution = 3600",
        "SELECT count(*) FROM metric_samples WHERE node = 'seeded' AND region = '' AND resolution = 86400",
        "SELECT count(*) FROM sessions WHERE id LIKE 'seeded-%'",
        "SELECT count(*) FROM fallbacks WHERE session LIKE 'seeded-%'",
        "SELECT count(*) FROM annotations WHERE text LIKE '%made up%'",
        "SELECT count(*) FROM incidents WHERE seeded",
    ] {
        counts.push(sqlx::query(query).fetch_one(&mut connection).await.expect(query).get(0));
    }
    counts
}

/// Of a range's steps, the share that has a figure.
async fn filled(client: &Client, range: &str) -> f64 {
    let answer = client.get(&format!("/api/admin/metrics?range={range}")).send().await.expect("an answer");
    let page: Value = answer.json().await.expect("JSON");
    let rows = page["rows"].as_array().expect("rows");
    let (from, to, step) = (&page["from"], &page["to"], &page["step"]);
    let steps = (to.as_i64().expect("to") - from.as_i64().expect("from")) / step.as_i64().expect("a step");
    let with = rows.iter().filter(|row| row["delivered"].as_u64().is_some_and(|delivered| delivered > 0));
    with.count() as f64 / steps as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_whole_after_a_kill_in_its_middle_and_goes_by_one_command() {
    let folder = PrivateFolder::of_demo();
    let server = start(&folder);
    eventually("some days are written", PATIENCE, async || (days(&folder).await >= 5).then_some(())).await;
    server.kill();
    let before = days(&folder).await;
    let server = start(&folder);
    assert!(before < 89, "killed in the middle");
    eventually("all days are written", PATIENCE, async || (days(&folder).await >= 89).then_some(())).await;
    let whole = counts(&folder).await;
    let [tens, minutes, hours, of_days, sessions, fallbacks, flags, incidents] = whole[..] else {
        panic!("{whole:?}")
    };
    // The last day ends when the demo began.
    assert!((2 * 8_640..=3 * 8_640).contains(&tens), "{tens}");
    assert!((34 * 1_440..=35 * 1_440 + 60).contains(&minutes), "{minutes}");
    assert!((89 * 24..=90 * 24).contains(&hours), "{hours}");
    assert_eq!(of_days, 90);
    assert!(sessions > 1_000 && fallbacks > 100 && flags >= 9, "{whole:?}");
    assert_eq!(incidents, 3, "once, though it was started twice");

    let client = server.client();
    for range in ["7d", "30d"] {
        let filled = filled(&client, range).await;
        assert!(filled >= 0.9, "{range}: {filled}");
    }
    let page = client.get("/").send().await.expect("an answer").text().await.expect("text");
    assert!(page.contains("are made up"), "the Overview says so");

    let (done, said) = remove(&folder);
    assert!(!done && said.contains("in use"), "{said}");
    drop(server);
    // A server that is killed leaves its PostgreSQL behind.
    let (done, said) = remove(&folder);
    assert!(done, "{said}");
    assert!(!folder.data_dir().exists());
    let (done, said) = remove(&folder);
    assert!(done && said.contains("nothing to delete"), "{said}");
}
