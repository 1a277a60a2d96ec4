//! `cargo bench --bench search`: the list of all sessions at 100,000 of them: the first page, a page in the middle, the
//! search for an id, for a user, and for what is not there.
//!
//! `SESSIONS` and `ROUNDS` change it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on should say where")]

mod server;

use private_postgres::Postgres;
use reqwest::Client;
use server::{Folder, Server, setting};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (sessions, rounds) = (setting("SESSIONS", 100_000), setting("ROUNDS", 40));
    let folder = Folder::new();
    let server = Server::start(&folder, &["--probe-ms", "0"]).await;
    let url = Postgres::at(&folder.data_dir().join("postgres")).expect("PostgreSQL").url();
    let mut database = PgConnection::connect(&url).await.expect("the database");
    let fill = format!(
        "INSERT INTO sessions (id, kind, region, \"user\", cohort, state, started_at, last_event_at, events)
         SELECT 'tr-' || md5(n::text), 'transcription', 'eu-central', 'u' || n % 5000, 'stream', 'completed',
                now() - n * interval '20 s', now() - n * interval '20 s' + interval '5 min', 40
         FROM generate_series(1, {sessions}) AS n"
    );
    database.execute(AssertSqlSafe(fill)).await.expect("sessions");
    let fell = format!(
        "INSERT INTO fallbacks (at, session, node, reason, browser, region, route)
         SELECT now() - n * interval '20 s', 'tr-' || md5(n::text), 'a', 'watchdog', 'Chrome',
                CASE n % 20 WHEN 0 THEN 'de' ELSE 'us' END, '/'
         FROM generate_series(1, {sessions}) AS n"
    );
    database.execute(AssertSqlSafe(fell)).await.expect("fallbacks");
    database.execute("ANALYZE sessions").await.expect("statistics");
    let middle = "SELECT (extract(epoch FROM started_at) * 1000)::bigint || '~' || id FROM sessions ORDER BY started_at DESC OFFSET $1 LIMIT 1";
    let middle: String = sqlx::query_scalar(middle)
        .bind((sessions / 2).cast_signed())
        .fetch_one(&mut database)
        .await
        .expect("a session");
    let client = Client::new();
    let mut good = true;
    for (name, query) in [
        ("first page", String::new()),
        ("a page in the middle", format!("after={middle}")),
        ("an id", "q=tr-c4ca4238".into()),
        ("a user", "q=u4321".into()),
        ("nothing", "q=nobody".into()),
        ("a state", "state=failed".into()),
        ("fallbacks of a region", "fallback=watchdog&fell_in=de".into()),
    ] {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            let answer = client.get(format!("{}/search?{query}", server.base)).send().await.expect("a page");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("a body");
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let p95 = times[(times.len() - 1) * 95 / 100];
        good &= p95 < 100.0;
        println!("{name}: p50 {:.1} ms, p95 {p95:.1} ms", times[times.len() / 2]);
    }
    println!("{}: every page of {sessions} sessions under 100 ms", if good { "pass" } else { "FAIL" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
