//! Flags over environment over file; a bad value earns one sentence and status 64.

use crate::support::{Database, Folder, Launch, PrivateFolder, fresh};
use std::{fs, net::TcpListener, process::Command};
use streamgauge_core::settings::table::SETTINGS;

const USAGE: Option<i32> = Some(64);

/// The start is refused with this status, in one sentence that has all of these words.
fn check(launch: Launch, status: Option<i32>, words: &[&str]) {
    let (code, said) = launch.refused();
    let sentence: Vec<&str> = said.lines().filter(|line| line.starts_with("streamgauge: ")).collect();
    assert_eq!((code, sentence.len()), (status, 1), "{said}");
    for word in words {
        assert!(sentence[0].contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn a_bad_value_earns_one_sentence() {
    let flag = |name, value| Launch::new().flag(name, value);
    check(
        flag("listen", "3000"),
        USAGE,
        &["listen", "\"3000\"", "the command line", "an address and a port"],
    );
    check(flag("max-connections", "0"), USAGE, &["max_connections", "\"0\"", "from 1 to 1000000"]);
    check(flag("demo", "perhaps"), USAGE, &["demo", "\"perhaps\"", "true or false"]);
    check(flag("redis-url", "http://a"), USAGE, &["redis_url", "redis://"]);
    check(
        Launch::new().env("STREAMGAUGE_HEARTBEAT_MS", "1"),
        USAGE,
        &["heartbeat_ms", "\"1\"", "the environment"],
    );
    check(flag("config", "/nowhere.toml"), USAGE, &["config", "\"/nowhere.toml\"", "TOML"]);

    let folder = Folder::new("settings");
    let file = folder.path().join("bad.toml");
    let with = |text: &str| {
        fs::write(&file, text).expect("a file");
        Launch::new().flag("config", file.display())
    };
    check(with("history_events = -4"), USAGE, &["history_events", "\"-4\"", "bad.toml", "from 1 to 10000"]);
    check(with("colour = \"red\""), USAGE, &["colour", "bad.toml", "listen"]);
    check(with("listen = "), USAGE, &["config", "bad.toml"]);
    let (code, said) = flag("colour", "red").refused();
    assert_eq!(code, USAGE, "{said}");
}

#[test]
fn help_shows_each_setting_with_its_range_unit_and_default() {
    let mut help = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    let help = help.args(["serve", "--help"]).output().expect("the program runs");
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).expect("text");
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = plain(&help);
    for setting in SETTINGS {
        let flag = format!("--{} ", setting.flag());
        assert!(
            help.contains(&flag) && help.contains(&plain(&setting.help_text())),
            "{}: {help}",
            setting.name
        );
    }
    assert!(help.contains("--batch-ms <MS>") && help.contains("[0 to 1000 ms; default: 0]"), "{help}");
}

#[tokio::test]
async fn a_geoip_file_that_is_none_is_named() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    let file = folder.path().join("countries.mmdb");
    fs::write(&file, "no database").expect("a file");
    let launch = Launch::on(&database).flag("geoip-file", file.display());
    check(launch, Some(1), &["geoip_file", "countries.mmdb", "MaxMind DB"]);
}

#[test]
fn a_password_is_not_repeated() {
    let (code, said) = Launch::new().flag("database-url", "mysql://me:secret@host/db").refused();
    assert_eq!(code, USAGE);
    assert!(said.contains("database_url") && !said.contains("secret"), "{said}");
}

#[tokio::test]
async fn flags_override_the_environment_which_overrides_the_file() {
    let (database, folder) = (Database::new().await, Folder::new("settings"));
    let file = folder.path().join("streamgauge.toml");
    fs::write(&file, "poll_interval_ms = 1000\nnode = \"file\"\nhistory_events = 2\n").expect("a file");
    let launch = Launch::on(&database).flag("config", file.display());
    let launch = launch.env("STREAMGAUGE_NODE", "environment").env("STREAMGAUGE_POLL_INTERVAL_MS", "5000");
    let server = launch.flag("poll-interval-ms", 7000).in_folder(folder.path()).start();
    let (client, session) = (server.client(), fresh("settings"));
    let created: serde_json::Value = client.create(&session).await.json().await.expect("JSON");
    assert_eq!(created["poll_interval_ms"], 7000, "the flag");
    assert_eq!(client.metrics().await["origin"]["node"], "environment");
    let first = client.publish(&session, 1).await;
    client.publish_all(&session, 2..=4).await;
    let gap = client.resume(&session, &first).await.news().await.expect("a gap");
    assert_eq!(gap.data["reason"], "evicted", "the file's short history");
}

#[tokio::test]
async fn what_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    check(Launch::new().flag("listen", &address), Some(1), &["cannot listen on", &address]);

    let folder = PrivateFolder::new();
    let first = Launch::private(&folder).start();
    let data_dir = folder.data_dir().display().to_string();
    check(Launch::private(&folder), Some(1), &[&data_dir, "in use by another streamgauge", "--data-dir"]);
    assert_eq!(first.client().get("/readyz").send().await.expect("an answer").status(), 200);
    first.stop();
}
