//! `mode: literal` promises to be Prometheus' state machine. Prometheus itself says whether it is: promtool judges the same
//! rules over the same random series, and must find each alert in the very state that ours has at every evaluation.
//!
//! Left out on purpose is a series that nobody recorded (`_`). Prometheus takes it for the last value up to five minutes
//! long and for a resolve after that; here it stops every clock, and the alert stays. A value that ends while its node goes
//! on (`stale`) is the same for both and stands in the series.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{env, fmt::Write, fs, path::PathBuf, process::Command};
use streamgauge_core::{
    alert::scenario::{Around, read},
    page::alerts::RuleState,
};

const SERIES: usize = 240;
const EVALUATIONS: usize = 60;
const SEED: u64 = 28;

/// One rule over one series.
struct Pair {
    comparison: &'static str,
    threshold: u32,
    /// Seconds.
    duration: u32,
    keep: u32,
    values: Vec<String>,
}

fn pairs(chance: &mut ChaCha8Rng, step: u32) -> Vec<Pair> {
    let pair = |_| {
        let threshold = chance.random_range(20..80);
        // Few spells, many, and values just at the threshold.
        let change = [0.05, 0.2, 0.5][chance.random_range(0..3)];
        let mut kind = chance.random_range(0..8);
        let mut values = Vec::new();
        for _ in 0..EVALUATIONS {
            if chance.random_bool(change) {
                kind = chance.random_range(0..8);
            }
            let value = match kind {
                0..=2 => chance.random_range(threshold + 1..=100).to_string(),
                3..=5 => chance.random_range(0..threshold).to_string(),
                6 => threshold.to_string(),
                _ => "stale".to_owned(),
            };
            values.push(value);
        }
        Pair {
            comparison: [">", ">=", "<", "<="][chance.random_range(0..4)],
            threshold,
            duration: step * [1, 1, 2, 3, 5, 8][chance.random_range(0..6)],
            keep: step * [0, 0, 1, 2, 4, 7][chance.random_range(0..6)],
            values,
        }
    };
    (0..SERIES).map(pair).collect()
}

struct Nothing;

impl Around for Nothing {
    fn file(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
}

fn ours(pairs: &[Pair], step: u32) -> Vec<(i64, Vec<RuleState>)> {
    let (mut rules, mut series) = (String::new(), String::new());
    for (at, pair) in pairs.iter().enumerate() {
        let Pair { comparison, threshold, duration, keep, values } = pair;
        writeln!(
            rules,
            "  - {{ name: A{at}, severity: info, notification: [], condition: memory_usage {comparison} {threshold}%, duration: {duration}s, keep_firing_for: {keep}s, mode: literal, node: n{at} }}"
        )
        .expect("text");
        writeln!(
            series,
            "      - {{ series: 'memory_usage{{node=\"n{at}\"}}', values: {} }}",
            values.join(" ")
        )
        .expect("text");
    }
    let text = format!("alerts:\n{rules}evaluation_interval: {step}s\ntests:\n  - input_series:\n{series}");
    let scenario = read(&text, &Nothing).unwrap_or_else(|faults| panic!("{faults:?}"));
    scenario.states()
}

/// A rules file and a test file that expects what ours found.
fn theirs(pairs: &[Pair], step: u32, states: &[(i64, Vec<RuleState>)]) -> (String, String) {
    let mut rules = format!("groups:\n  - name: literal\n    interval: {step}s\n    rules:\n");
    let mut tests = format!(
        "rule_files: [rules.yml]\nevaluation_interval: {step}s\ntests:\n  - interval: {step}s\n    input_series:\n"
    );
    for (at, pair) in pairs.iter().enumerate() {
        let Pair { comparison, threshold, duration, keep, values } = pair;
        writeln!(
            rules,
            "      - {{ alert: A{at}, expr: 'memory_usage{{node=\"n{at}\"}} {comparison} {threshold}', for: {duration}s, keep_firing_for: {keep}s }}"
        )
        .expect("text");
        writeln!(
            tests,
            "      - {{ series: 'memory_usage{{node=\"n{at}\"}}', values: '{}' }}",
            values.join(" ")
        )
        .expect("text");
    }
    let (mut firing, mut pending) = (String::new(), String::new());
    for (second, states) in states {
        let of = |wanted: &dyn Fn(RuleState) -> bool| -> Vec<usize> {
            states.iter().enumerate().filter(|(_, state)| wanted(**state)).map(|(at, _)| at).collect()
        };
        for (at, state) in states.iter().enumerate() {
            let fires = matches!(state, RuleState::Firing | RuleState::Recovering);
            let alerts = if fires { format!("[{{ exp_labels: {{ node: n{at} }} }}]") } else { "[]".into() };
            writeln!(firing, "      - {{ eval_time: {second}s, alertname: A{at}, exp_alerts: {alerts} }}")
                .expect("text");
        }
        let samples: Vec<String> = of(&|state| state == RuleState::Pending)
            .into_iter()
            .map(|at| {
                let labels = format!("ALERTS{{alertname=\"A{at}\", alertstate=\"pending\", node=\"n{at}\"}}");
                format!("{{ labels: '{labels}', value: 1 }}")
            })
            .collect();
        writeln!(
            pending,
            "      - {{ expr: 'ALERTS{{alertstate=\"pending\"}}', eval_time: {second}s, exp_samples: [{}] }}",
            samples.join(", ")
        )
        .expect("text");
    }
    write!(tests, "    alert_rule_test:\n{firing}    promql_expr_test:\n{pending}").expect("text");
    (rules, tests)
}

pub fn promtool() -> Command {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join("promtool").is_file());
    assert!(
        found,
        "promtool is missing: install Debian's package `prometheus`, or Homebrew's of the same name; `cargo xtask ci` does it by itself where it may"
    );
    Command::new("promtool")
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn literal_mode_is_prometheus_at_every_evaluation_of_random_series() {
    for (step, seed) in [(60, SEED), (10, SEED + 1)] {
        let pairs = pairs(&mut ChaCha8Rng::seed_from_u64(seed), step);
        let states = ours(&pairs, step);
        assert_eq!(states.len(), EVALUATIONS);
        let seen = |state| states.iter().flat_map(|(_, states)| states).filter(|of| **of == state).count();
        let all = [RuleState::Ok, RuleState::Pending, RuleState::Firing, RuleState::Recovering];
        assert!(all.into_iter().all(|state| seen(state) > 500), "the series are too easy to prove anything");
        let (rules, tests) = theirs(&pairs, step, &states);
        let folder = folder(&format!("promtool-{step}"));
        fs::write(folder.join("rules.yml"), rules).expect("a file");
        fs::write(folder.join("tests.yml"), tests).expect("a file");
        let judged =
            promtool().args(["test", "rules", "tests.yml"]).current_dir(&folder).output().expect("promtool");
        let said = String::from_utf8_lossy(&judged.stderr);
        let first: Vec<&str> = said.lines().take(40).collect();
        assert!(judged.status.success(), "promtool differs:\n{}", first.join("\n"));
    }
}

/// An oracle that agrees with everything is none.
#[test]
fn promtool_finds_a_state_that_is_wrong() {
    let pairs = pairs(&mut ChaCha8Rng::seed_from_u64(SEED), 60);
    let right = ours(&pairs, 60);
    let check = |from: fn(RuleState) -> bool, to, name: &str| {
        let mut wrong = right.clone();
        let state =
            wrong.iter_mut().flat_map(|(_, states)| states).find(|state| from(**state)).expect("a state");
        *state = to;
        let (rules, tests) = theirs(&pairs, 60, &wrong);
        let folder = folder(&format!("promtool-{name}"));
        fs::write(folder.join("rules.yml"), rules).expect("a file");
        fs::write(folder.join("tests.yml"), tests).expect("a file");
        let judged =
            promtool().args(["test", "rules", "tests.yml"]).current_dir(&folder).output().expect("promtool");
        assert!(!judged.status.success(), "{name}");
    };
    check(|state| state == RuleState::Pending, RuleState::Ok, "pending");
    check(|state| state == RuleState::Firing, RuleState::Ok, "firing");
    check(|state| state == RuleState::Ok, RuleState::Firing, "ok");
}
