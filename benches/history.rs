//! `cargo bench --bench history`: the seven-day page over ten million base rows: 165 nodes, a row each every ten seconds
//! for a week. The rows are written by PostgreSQL itself, and so are the hours that the elected node would have merged
//! from them (a roll-up of all would take an hour, and is not what is timed); the last hour is left to be read from its
//! minutes, as on any server. Each request asks for another week, so that nothing is answered from memory.
//!
//! `NODES` and `ROUNDS` change it. It takes some 5 GB of disk for a few minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on should say where")]

mod server;

use private_postgres::Postgres;
use reqwest::Client;
use server::{Folder, Server, setting};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const HOUR: i64 = 3_600;
const WEEK: i64 = 7 * 86_400;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (nodes, rounds) = (setting("NODES", 165), setting("ROUNDS", 30) as i64);
    let folder = Folder::new();
    // The first start makes the database; it goes on while the rows are written.
    let mut first = Server::start(&folder, &["--keep-samples-days", "30"]).await;
    let url = Postgres::at(&folder.data_dir().join("postgres")).expect("PostgreSQL").url();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().cast_signed();
    let to = now / HOUR * HOUR;
    let from = to - WEEK - rounds * HOUR;
    let mut database = PgConnection::connect(&url).await.expect("the database");
    let began = Instant::now();
    let rows = fill(&mut database, from, to, to - WEEK, nodes).await;
    println!("{rows} base rows of {nodes} nodes written in {:.0} s", began.elapsed().as_secs_f64());
    first.stop();
    let server = Server::start(&folder, &["--keep-samples-days", "30", "--probe-ms", "0"]).await;
    let client = Client::new();
    let mut times = Vec::new();
    for back in 0..rounds {
        let end = to - back * HOUR;
        let page = format!("{}/?range={}-{end}", server.base, end - WEEK);
        let began = Instant::now();
        let answer = client.get(&page).send().await.expect("a page");
        assert_eq!(answer.status(), 200);
        let whole = answer.text().await.expect("text");
        times.push(began.elapsed());
        let told: Vec<&str> =
            whole.match_indices("n = ").map(|(at, _)| &whole[at..(at + 40).min(whole.len())]).collect();
        assert!(whole.contains("n = 168 of 168 steps of 1 h"), "the page is of these rows: {told:?}");
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    let good = at(0.95) < 100.0 && rows >= 9_900_000;
    println!(
        "{}: the seven-day page over {rows} base rows: p50 {:.0} ms, p95 {:.0} ms (under 100), max {:.0} ms",
        if good { "pass" } else { "FAIL" },
        at(0.5),
        at(0.95),
        at(1.0)
    );
    drop(database);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Base rows for the last week, hours for all of it. Every row has a histogram that a server really wrote.
async fn fill(database: &mut PgConnection, from: i64, to: i64, base_from: i64, nodes: u64) -> i64 {
    let template = "SELECT counters, delivery, connect FROM metric_samples WHERE resolution = 10 AND region = '' ORDER BY bucket_start DESC LIMIT 1";
    let began = Instant::now();
    while database.fetch_optional(template).await.expect("an answer").is_none() {
        assert!(began.elapsed() < Duration::from_secs(40), "a row is stored");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut run =
        async |sql: String| database.execute(AssertSqlSafe(sql)).await.expect("written").rows_affected();
    run("ALTER TABLE metric_samples DISABLE TRIGGER metric_samples_mark".into()).await;
    run(format!("CREATE TABLE template AS {template}")).await;
    for tier in [10, 3_600] {
        run(format!(
            "SELECT metric_samples_partition({tier}, moment) FROM generate_series(to_timestamp({from}), to_timestamp({to}), interval '1 day') AS moment"
        ))
        .await;
    }
    let insert = |resolution: i64, from: i64, nodes: &str| {
        format!(
            "INSERT INTO metric_samples (node, resolution, bucket_start, run, counters, delivery, connect)
             SELECT names.node, {resolution}, moment, 0, counters, delivery, connect FROM template,
                    ({nodes}) AS names (node),
                    generate_series(to_timestamp({from}), to_timestamp({to} - {resolution}), interval '{resolution} s') AS moment
             ON CONFLICT DO NOTHING"
        )
    };
    let all = format!("SELECT 'node-' || n FROM generate_series(1, {nodes}) AS n");
    run(insert(10, base_from, &all)).await;
    run(insert(3_600, from, &all)).await;
    run(insert(3_600, from, "SELECT ''")).await;
    run("DELETE FROM rollup_due".into()).await;
    run("ALTER TABLE metric_samples ENABLE TRIGGER metric_samples_mark".into()).await;
    run("ANALYZE metric_samples".into()).await;
    let count = "SELECT count(*) FROM metric_samples WHERE resolution = 10 AND run = 0";
    database.fetch_one(count).await.expect("a count").get(0)
}
