//! `docs/operations/prometheus-rules.yml` says the epic's five rules to Prometheus. It must say the same as the shipped ones.

use super::promtool::promtool;
use std::{fs, path::PathBuf};
use streamgauge_core::{
    alert::file::{
        condition::Comparison,
        rule::{Rule, Watch},
        shipped,
    },
    metric::notice::Severity,
};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/prometheus-rules.yml")
}

/// The lines of one alert.
fn alert(text: &str, name: &str) -> String {
    let start = text.find(&format!("- alert: {name}\n")).unwrap_or_else(|| panic!("{name} is missing"));
    let rest = &text[start + 2..];
    rest[..rest.find("- alert:").unwrap_or(rest.len())].to_owned()
}

/// In the units of Prometheus: shares and seconds. Where the comparison differs by what is counted it is the same one.
fn condition(rule: &Rule) -> Option<(String, String)> {
    let Watch::Condition { condition, duration, .. } = rule.watch else { return None };
    let comparison = match condition.comparison {
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
    };
    let base = if condition.threshold.unit.text == "%" { 100.0 } else { 1_000.0 };
    let threshold = condition.threshold.normalised().value() / base;
    Some((format!("{comparison} {threshold}"), duration.to_string()))
}

#[test]
fn prometheus_rules_have_the_names_thresholds_durations_and_severities_of_the_shipped_ones() {
    let text = fs::read_to_string(path()).expect("the file");
    let shipped = shipped::file().expect("no fault");
    let mut compared = Vec::new();
    for rule in &shipped.rules {
        let Some((condition, duration)) = condition(rule) else { continue };
        let alert = alert(&text, &rule.name);
        let severity = match rule.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        assert!(alert.contains(&condition), "{}: `{condition}` is not in\n{alert}", rule.name);
        assert!(
            alert.contains(&format!("for: {duration}\n")),
            "{}: {duration} is not in\n{alert}",
            rule.name
        );
        assert!(alert.contains(&format!("severity: {severity} ")), "{}: {severity}\n{alert}", rule.name);
        compared.push(rule.name.as_str());
    }
    assert_eq!(compared.len(), 5);
    let theirs: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(theirs, compared, "no alert more, and in the same order");
}

#[test]
fn prometheus_takes_the_rules_file() {
    let checked = promtool().args(["check", "rules"]).arg(path()).output().expect("promtool");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
