//! Starts that go no further: each leaves nothing behind, and its one sentence says what to do.

use crate::support::{Folder, Launch, PrivateFolder, run_at};
use sqlx::{Connection, PgConnection};
use std::{fs, time::Duration};

/// The sentence of a start that must be refused.
pub fn refusal(launch: Launch) -> String {
    let (code, said) = launch.refused();
    let sentences: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("streamgauge: ")).collect();
    assert_eq!((code, sentences.len()), (Some(1), 1), "{said}");
    sentences[0].to_owned()
}

#[tokio::test]
async fn a_refused_start_leaves_no_private_postgresql_running() {
    let (folder, files) = (PrivateFolder::new(), Folder::new("geoip"));
    let geoip = files.path().join("countries.mmdb");
    fs::write(&geoip, "no database").expect("a file");
    let check = |name: &str, launch: Launch, words: &str| {
        let sentence = refusal(launch);
        assert!(sentence.contains(words), "{name}: {sentence}");
        assert!(!folder.postgres().is_running(), "{name}: PostgreSQL still runs");
    };
    let private = || Launch::private(&folder);
    let on_all = || Launch::new().flag("listen", "0.0.0.0:0").flag("data-dir", folder.data_dir().display());
    check("no key", on_all(), "without a key");
    check("Redis", private().flag("redis-url", "redis://host:99999"), "redis_url");
    check("GeoIP", private().flag("geoip-file", geoip.display()), "geoip_file");

    // Left over from a server that was killed.
    folder.postgres().start().expect("PostgreSQL starts");
    check("adopted", on_all(), "without a key");

    folder.postgres().start().expect("PostgreSQL starts");
    run_at(&folder.postgres().url(), "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1")
        .await;
    check("a changed migration", private(), "migration 1");
}

#[tokio::test]
async fn a_signal_during_the_start_stops_the_private_postgresql() {
    let folder = PrivateFolder::new();
    folder.postgres().start().expect("PostgreSQL starts");
    let mut connection = PgConnection::connect(&folder.postgres().url()).await.expect("the database");
    // The server's migration waits for whether this table will be there.
    let table = "BEGIN; CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY)";
    sqlx::raw_sql(table).execute(&mut connection).await.expect("a table");
    let mut server = Launch::private(&folder).begin();
    server.logged("adopted the private PostgreSQL").await;
    server.terminate();
    let status = server.exit_within(Duration::from_secs(4)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(server.log().contains("stopped before it listened"), "{}", server.log());
    assert!(!folder.postgres().is_running());
}
