//! What docs/operations hands to Prometheus and Grafana exists.

use crate::support::{Database, Launch, Redis, Scrape, eventually};
use std::{collections::HashSet, fs, path::Path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_in_the_operations_files_exists() {
    let (database, redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).flag("otlp-endpoint", "http://127.0.0.1:9").start();
    let client = server.client();
    let scrape = eventually("Redis is probed", 20, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        scrape.names().contains("streamgauge_redis_latency_seconds").then_some(scrape)
    })
    .await;
    let known = scrape.names();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let rules = read("prometheus-rules.yml");
    let recorded: HashSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let mut looked_at = 0;
    for file in ["prometheus-rules.yml", "prometheus.yml", "grafana-dashboard.json", "README.md"] {
        let text = read(file);
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':') {
            let found = match word {
                _ if word.starts_with("job:") => recorded.contains(word),
                _ if word.starts_with("streamgauge_") || word.starts_with("process_") => known.contains(word),
                _ => continue,
            };
            assert!(found, "{word} in {file} does not exist");
            looked_at += 1;
        }
    }
    assert!(looked_at > 70, "only {looked_at} names were found");
    let dashboard: serde_json::Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let ids: HashSet<u64> = dashboard["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .filter_map(|panel| panel["id"].as_u64())
        .collect();
    assert_eq!(
        ids.len(),
        dashboard["panels"].as_array().map_or(0, Vec::len),
        "each panel has an id of its own"
    );
}
