//! The scenario files, which are the specification of alert rules; and promtool, Prometheus' own judge, beside them.
#![allow(clippy::expect_used, reason = "in a test, a panic is the message")]

mod prometheus_rules; // the rules file for Prometheus against the shipped rules
mod promtool; // literal mode against promtool over random series

use std::{fs, path::PathBuf};
use streamgauge_core::alert::scenario::command;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/alerts")
}

fn files() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder of scenarios");
    let mut files: Vec<String> = entries
        .map(|entry| entry.expect("a file").path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with(".yml"))
        .collect();
    files.sort();
    files
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| error.to_string())
}

#[test]
fn every_scenario_is_as_expected() {
    let files = files();
    assert!(files.len() >= 40, "{} files", files.len());
    let outcomes = in_parallel(&files);
    let failed: String =
        outcomes.iter().filter(|outcome| outcome.exit != 0).map(|outcome| outcome.text.as_str()).collect();
    assert!(failed.is_empty(), "\n{failed}");
}

fn in_parallel(files: &[String]) -> Vec<streamgauge_core::alert::scenario::Outcome> {
    let (one, other): (Vec<_>, Vec<_>) = files.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    let run = |files: Vec<(usize, &String)>| -> Vec<_> {
        files.into_iter().map(|(_, file)| command(std::slice::from_ref(file), &read, &|_| None)).collect()
    };
    std::thread::scope(|scope| {
        let half = scope.spawn(|| run(one));
        let mut all = run(other);
        all.extend(half.join().expect("no panic"));
        all
    })
}

/// Each state that a scenario expects is turned into another one: a scenario that still passes proves nothing.
#[test]
fn every_scenario_fails_with_a_wrong_state() {
    let swaps = [
        ("exp_state: ok", "exp_state: pending"),
        ("exp_state: pending", "exp_state: firing"),
        ("exp_state: firing", "exp_state: ok"),
        ("exp_incidents: 0", "exp_incidents: 1"),
        ("exp_incidents: 1", "exp_incidents: 2"),
        ("exp_incident: open", "exp_incident: resolved"),
    ];
    for file in files() {
        let text = read(&file).expect("a file");
        let (from, to) = swaps.iter().find(|(from, _)| text.contains(from)).expect("a state");
        let wrong = text.replacen(from, to, 1);
        let beside = |path: &str| if path == file { Ok(wrong.clone()) } else { read(path) };
        let outcome = command(std::slice::from_ref(&file), &beside, &|_| None);
        assert_eq!(outcome.exit, 1, "{}", outcome.text);
        assert!(outcome.text.contains(&format!("- {to}")), "{}", outcome.text);
    }
}

#[test]
fn the_example_of_the_documentation_runs() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/alerts-testing.md");
    let page = fs::read_to_string(path).expect("the page");
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let outcome = command(&["example.yml".into()], &|_| Ok(example.to_owned()), &|_| None);
    assert_eq!(outcome.exit, 0, "{}", outcome.text);
}
