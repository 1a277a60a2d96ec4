//! Starts that go no further: each leaves nothing behind, and its one sentence says what to do.

use crate::support::{Database, Folder, Launch, PrivateFolder, key_at, run_at};
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

/// What the command line says of the keys in a database that cannot be used.
fn key_list(url: &str) -> String {
    let (said, code) = key_at(url, &["list"]);
    assert_eq!(code, Some(1), "{said}");
    said
}

#[tokio::test]
async fn each_reason_not_to_use_postgresql_has_a_sentence_of_its_own() {
    let database = Database::alone();
    // Roles that PostgreSQL treats apart; the first line that fits counts.
    database
        .run(&[
            "CREATE ROLE by_password LOGIN PASSWORD 'right-one'",
            "CREATE ROLE by_tls LOGIN",
            "CREATE ROLE no_owner LOGIN",
            "CREATE ROLE stranger LOGIN",
            "CREATE DATABASE closed",
            "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
            "CREATE DATABASE newer",
            "CREATE DATABASE changed",
            "CREATE DATABASE frozen",
            "ALTER DATABASE frozen SET default_transaction_read_only = on",
        ])
        .await;
    database.let_in(
        "local all by_password scram-sha-256\n\
         hostssl all by_tls 127.0.0.1/32 trust\n\
         local all streamgauge,no_owner,stranger trust\n",
    );
    let url = |user: &str, name: &str| database.url_of(user, name);
    for name in ["newer", "changed"] {
        assert_eq!(key_at(&url("streamgauge", name), &["list"]).1, Some(0), "{name}");
    }
    let migrations = ["newer", "changed"].map(|name| url("streamgauge", name));
    run_at(&migrations[0], "INSERT INTO _sqlx_migrations SELECT 9999, 'x', now(), true, '', 0").await;
    run_at(&migrations[1], "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 3").await;

    let own = private_postgres::NAME;
    let require = url(own, own) + "&sslmode=require";
    let verify = url(own, own) + "&sslmode=verify-full";
    let nowhere = "postgres://me:right-one@127.0.0.1:1/db".to_owned();
    let table: [(&str, String, &[&str]); 11] = [
        ("a wrong password", url("by_password:wrong-one", own), &["refuses the user name or the password"]),
        ("TLS only", url("by_tls", own), &["only over TLS, which is not supported yet", "pg_hba.conf"]),
        ("no such database", url(own, "missing"), &["\"missing\" does not exist", "CREATE DATABASE"]),
        ("not let into the database", url("stranger", "closed"), &["may not connect", "GRANT CONNECT"]),
        ("no right to create tables", url("no_owner", own), &["may not create the tables", "GRANT CREATE"]),
        ("a replica", url(own, "frozen"), &["takes no changes", "the primary"]),
        ("a newer schema", url(own, "newer"), &["newer version of streamgauge", "migration 9999"]),
        ("a changed migration", url(own, "changed"), &["migration 3", "another build"]),
        ("sslmode=require", require, &["TLS, which is not supported for PostgreSQL yet", "stunnel"]),
        ("sslmode=verify-full", verify, &["TLS, which is not supported for PostgreSQL yet"]),
        ("unreachable", nowhere, &["PostgreSQL cannot be reached: Connection refused"]),
    ];
    for (name, url, words) in table {
        // On all addresses, since on loopback a server starts without a database that is only away.
        let launch = Launch::new().flag("listen", "0.0.0.0:0").flag("database-url", &url);
        for said in [refusal(launch), key_list(&url)] {
            for word in words {
                assert!(said.contains(word), "{name}: no {word:?} in: {said}");
            }
            assert!(!said.contains("right-one") && !said.contains("wrong-one"), "{name}: {said}");
        }
    }
}
