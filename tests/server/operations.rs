//! What docs/operations hands to Prometheus and Grafana exists.

use crate::support::{Database, Launch, Redis, Scrape, eventually};
use serde_json::Value;
use std::{collections::HashSet, fs, path::Path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_in_the_operations_files_exists() {
    let (database, redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).flag("otlp-endpoint", "http://127.0.0.1:9").start();
    let client = server.client();
    let scrape = eventually("Redis is probed", 20, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        let names = scrape.names();
        let probed = ["streamgauge_redis_latency_seconds_count", "streamgauge_redis_memory_bytes"];
        probed.iter().all(|name| names.contains(name)).then_some(scrape)
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
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    check_dashboard(&dashboard);
    let queries = panels(&dashboard).iter().flat_map(queries).map(str::to_owned);
    let selected: Vec<_> = queries.chain([rules.clone()]).flat_map(|query| selectors(&query)).collect();
    assert!(selected.len() >= 6, "only {selected:?} were found");
    for (name, label) in selected {
        let found = scrape.series.keys().any(|series| series.starts_with(&name) && series.contains(&label));
        assert!(found, "no series of {name} has {label}");
    }
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("panels")
}

fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|target| target["expr"].as_str().expect("a query"))
}

/// `name{label="value"}`: which values of a label a query asks for. Patterns match nothing just as well.
fn selectors(query: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in query.match_indices('{') {
        let name =
            query[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        if !name.starts_with("streamgauge_") {
            continue;
        }
        let inside = query[at + 1..].split('}').next().unwrap_or_default();
        let exact = inside.split(',').map(str::trim).filter(|label| label.contains("=\""));
        found.extend(exact.map(|label| (name.to_owned(), label.to_owned())));
    }
    found
}

/// What Grafana would not say on import: panels that lie on each other, or that tell neither unit nor meaning.
fn check_dashboard(dashboard: &Value) {
    let mut ids = HashSet::new();
    let mut taken = HashSet::new();
    for panel in panels(dashboard) {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64()), "the id of {title} is another's too");
        assert!(
            panel["description"].as_str().is_some_and(|words| words.len() > 10),
            "{title} says what it is"
        );
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has a unit");
        let mut names = HashSet::new();
        let targets = panel["targets"].as_array().expect("targets");
        assert!(targets.iter().all(|target| names.insert(target["refId"].as_str())), "{title}");
        let place = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title} lies on another, or beyond the edge");
            }
        }
    }
}
