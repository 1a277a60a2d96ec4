//! Where followers are, by the operator's GeoIP file: a real MaxMind DB, a broken one, one that is replaced.

use crate::support::{Client, Database, Folder, Follower, Launch, Server, eventually, fresh, write_mmdb};
use serde_json::Value;
use std::{fs, path::PathBuf};

const NETWORKS: &[(&str, &str)] = &[
    ("81.2.69.0/24", "GB"),
    ("2.125.160.0/24", "GB"),
    ("89.160.20.0/24", "SE"),
    ("127.0.0.0/8", "DE"),
    ("2001:218::/32", "JP"),
];

fn file(folder: &Folder) -> PathBuf {
    let path = folder.path().join("countries.mmdb");
    write_mmdb(&path, NETWORKS);
    path
}

fn launch(database: &Database, folder: &Folder) -> Launch {
    Launch::on(database).flag("geoip-file", folder.path().join("countries.mmdb").display())
}

/// Follows as behind a proxy that says for whom.
async fn follow(client: &Client, session: &str, address: &str) -> Follower {
    Follower::open(client.stream(session).header("x-forwarded-for", address)).await
}

/// Streams that were opened in a region.
async fn opened(client: &Client, region: &str) -> u64 {
    let answer = client.get(&format!("/api/admin/metrics?range=1h&region={region}")).send().await;
    let metrics: Value = answer.expect("an answer").json().await.expect("JSON");
    let rows = metrics["rows"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["connect_established"].as_u64()).sum()
}

async fn check(server: &Server, expected: &[(&str, u64)]) {
    let client = server.client();
    for &(region, count) in expected {
        eventually(&format!("{count} streams of {region:?} are stored"), 40, async || {
            (opened(&client, region).await == count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_address_stands_in_the_operators_file() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    file(&folder);
    let server = launch(&database, &folder).start();
    let (client, session) = (server.client(), fresh("world"));
    client.create(&session).await;
    let mut followers = vec![client.follow(&session).await];
    for address in [
        "81.2.69.142",
        "2.125.160.7",
        "89.160.20.112",
        "2001:218::1",
        "::ffff:89.160.20.113",
        // What stands before the last address anybody could have written.
        "81.2.69.142, 89.160.20.114",
        // In no network of the file.
        "203.0.113.9",
        "2001:db8::1",
    ] {
        followers.push(follow(&client, &session, address).await);
    }
    client.publish(&session, 1).await;
    for follower in &mut followers {
        follower.numbers(1).await;
    }
    drop(followers);
    check(&server, &[("gb", 2), ("se", 3), ("jp", 1), ("de", 1), ("", 9)]).await;
    let page = client.get("/").send().await.expect("a page").text().await.expect("text");
    assert!(page.contains(">SE<"), "the Overview tells the regions");
    server.stop();
}

#[tokio::test]
async fn an_address_counts_only_from_a_trusted_proxy() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    file(&folder);
    let server = launch(&database, &folder).flag("trusted-proxies", "10.0.0.0/8").start();
    let (client, session) = (server.client(), fresh("untrusted"));
    client.publish(&session, 1).await;
    follow(&client, &session, "81.2.69.142").await.numbers(1).await;
    check(&server, &[("de", 1), ("gb", 0)]).await;
    server.stop();
}

#[tokio::test]
async fn a_broken_file_is_named_at_the_start() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    let path = file(&folder);
    let good = fs::read(&path).expect("a file");
    let marker = good.windows(14).position(|part| part == b"\xab\xcd\xefMaxMind.com").expect("a marker");
    // Cut in the tree, in the data, in the metadata; nothing at all; a tree that is missing.
    let cut = [marker / 4, marker - 10, marker + 14, good.len() - 3, 0].map(|end| good[..end].to_vec());
    for broken in cut.into_iter().chain([good[marker..].to_vec(), vec![0xff; 4_096]]) {
        fs::write(&path, &broken).expect("a file");
        let (code, said) = launch(&database, &folder).refused();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("streamgauge: geoip_file is") && said.contains("MaxMind DB file"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    fs::remove_file(&path).expect("a file");
    let (code, said) = launch(&database, &folder).refused();
    assert!(code == Some(1) && said.contains("countries.mmdb"), "{said}");
}

#[tokio::test]
async fn a_damaged_network_is_nowhere_and_the_stream_opens() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    let path = file(&folder);
    let mut damaged = fs::read(&path).expect("a file");
    let marker = damaged.windows(14).position(|part| part == b"\xab\xcd\xefMaxMind.com").expect("a marker");
    // The data of all networks; tree and metadata are whole.
    let data = damaged.windows(7).position(|part| part == b"country").expect("data") - 2;
    damaged[data..marker].fill(0xff);
    fs::write(&path, damaged).expect("a file");
    let server = launch(&database, &folder).start();
    let (client, session) = (server.client(), fresh("damaged"));
    client.publish(&session, 1).await;
    follow(&client, &session, "81.2.69.142").await.numbers(1).await;
    check(&server, &[("", 1), ("gb", 0)]).await;
    server.stop();
}

#[tokio::test]
async fn a_new_file_counts_after_a_restart() {
    let (database, folder) = (Database::new().await, Folder::new("geoip"));
    let path = file(&folder);
    let server = launch(&database, &folder).start();
    let session = fresh("replaced");
    server.client().publish(&session, 1).await;
    // Overwritten in place, the worst way: what was read at the start is not looked up in the file again.
    write_mmdb(&path, &[("81.2.69.0/24", "FR")]);
    follow(&server.client(), &session, "81.2.69.142").await.numbers(1).await;
    server.stop();
    let server = launch(&database, &folder).start();
    follow(&server.client(), &session, "81.2.69.142").await.numbers(1).await;
    check(&server, &[("gb", 1), ("fr", 1)]).await;
    server.stop();
}
