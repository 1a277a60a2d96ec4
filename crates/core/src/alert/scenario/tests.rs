//! What a file must say, and that a wrong expectation fails.

use super::{Outcome, command};

const HEAD: &str = "\
alerts:
  - { name: A, severity: critical, notification: [], condition: active_connections > 50, duration: 1m, mode: literal }
  - { name: B, severity: info, notification: [], condition: published > 50, duration: 1m, mode: literal }
evaluation_interval: 1m
tests:
  - name: one
    input_series:
      - { series: active_connections, values: 75x5 }
";

fn run(text: &str) -> Outcome {
    let text = text.to_owned();
    command(
        &["a/s.yml".into()],
        &|path| if path == "a/s.yml" { Ok(text.clone()) } else { Err("no such file".into()) },
        &|_| None,
    )
}

fn entry(entry: &str) -> Outcome {
    run(&format!("{HEAD}    alert_rule_test:\n      - {{ {entry} }}\n"))
}

#[test]
fn what_is_as_expected_exits_with_zero() {
    let outcome = entry(
        "eval_time: 1m, alertname: A, exp_state: firing, exp_alerts: [{ exp_labels: { severity: critical } }]",
    );
    assert_eq!(outcome, Outcome { text: "a/s.yml: 1 tests, 4 checks, all as expected\n".into(), exit: 0 });
}

#[test]
fn a_wrong_expectation_fails_with_a_difference() {
    let check = |what: &str, lines: &[&str]| {
        let outcome = entry(what);
        assert_eq!(outcome.exit, 1, "{what}: {}", outcome.text);
        for line in lines {
            assert!(outcome.text.contains(line), "{what}: {}", outcome.text);
        }
    };
    check(
        "eval_time: 1m, alertname: A, exp_state: pending",
        &["line 10: one: A at 1m", "- exp_state: pending", "+ exp_state: firing"],
    );
    check("eval_time: 1m, alertname: A, exp_state: firing blind", &["- exp_state: firing blind"]);
    check("eval_time: 1m, alertname: A", &["- exp_alerts: 0", "+ exp_alerts: 1"]);
    check("eval_time: 1m, alertname: A, exp_alerts: []", &["- exp_alerts: 0"]);
    check("eval_time: 0, alertname: A, exp_alerts: [{}]", &["- exp_alerts: 1", "+ exp_alerts: 0"]);
    check("eval_time: 1m, alertname: A, exp_alerts: [{}, {}]", &["- exp_alerts: 2"]);
    check(
        "eval_time: 1m, alertname: A, exp_alerts: [{ exp_labels: { severity: info } }]",
        &["- severity: info"],
    );
    check(
        "eval_time: 1m, alertname: A, exp_alerts: [{ exp_annotations: { summary: no } }]",
        &["+ summary: Active connections are above 50"],
    );
    check("eval_time: 1m, alertname: A, exp_incidents: 2", &["- exp_incidents: 2", "+ exp_incidents: 1"]);
    check("eval_time: 1m, alertname: A, exp_triggers: 0", &["+ exp_triggers: 1"]);
    check("eval_time: 1m, alertname: A, exp_resolves: 1", &["+ exp_resolves: 0"]);
    check("eval_time: 1m, alertname: A, exp_incident: resolved", &["+ exp_incident: open"]);
    check("eval_time: 1m, alertname: A, exp_muted_by: silence", &["+ exp_muted_by: nothing"]);
    check(
        "eval_time: 1m, alertname: A, exp_reason: cheese",
        &["- exp_reason: cheese", "+ exp_reason: 75 over"],
    );
}

#[test]
fn an_alert_that_the_file_does_not_name_is_a_failure() {
    let outcome = entry("eval_time: 1m, alertname: B, exp_state: ok blind");
    assert_eq!(outcome.exit, 1);
    assert!(
        outcome.text.contains("A at 1m\n  - no alert: the test does not name the rule\n  + fires"),
        "{}",
        outcome.text
    );
}

#[test]
fn a_file_that_cannot_be_used_exits_with_64_and_says_each_line() {
    let check = |text: &str, message: &str| {
        let outcome = run(text);
        assert_eq!(outcome.exit, 64, "{text}: {}", outcome.text);
        assert!(outcome.text.contains(message), "{text}: {}", outcome.text);
    };
    check("", "a/s.yml: line 1: empty");
    check("tests: []", "line 1: alerts: missing");
    check("rule_files: [none.yml]\ntests: [{}]", "line 1: rule_files: none.yml: no such file");
    check(
        "rule_files: [shipped]\nalerts: [{ name: Memory_Usage_High, severity: info, notification: [], condition: cpu > 5%, duration: 1m }]\ntests: [{}]",
        "the name of two rules",
    );
    check("alerts: [{ name: A }]\ntests: [{}]", "severity: missing");
    let test = |lines: &str| format!("rule_files: [shipped]\ntests:\n  - {lines}\n");
    check(
        &test("promql_expr_test: []"),
        "line 3: promql_expr_test: promtool knows it; here there is no PromQL",
    );
    check(&test("external_labels: {}"), "external_labels: promtool knows it");
    check(&test("input_seris: []"), "did you mean `input_series`?");
    check(&test("interval: 15s"), "allowed: a multiple of the evaluation interval, 10 s");
    check(&test("interval: 2h"), "allowed: a duration");
    check(&test("input_series: [{ series: eror_rate, values: 1 }]"), "did you mean `error_rate`?");
    check(&test("input_series: [{ series: memory_usage, values: 1y }]"), "`1y` is no value");
    check(
        &test("input_series: [{ series: memory_usage, values: 1 }, { series: memory_usage, values: 1 }]"),
        "twice",
    );
    check(
        &test("input_series: [{ series: 'error_rate{part=\"errors\"}', values: 1 }]"),
        "part=\"events\" as well",
    );
    check(&test("alert_rule_test: [{ eval_time: 1m, alertname: Nobody }]"), "unknown rule `Nobody`");
    check(
        &test("alert_rule_test: [{ eval_time: soon, alertname: SSE_High_Latency }]"),
        "`soon` is not allowed",
    );
    check(
        &test("alert_rule_test: [{ eval_time: 1m, alertname: SSE_High_Latency, exp_state: blind }]"),
        "exp_state: `blind` is not allowed",
    );
    check(
        &test("alert_rule_test: [{ eval_time: 9999d, alertname: SSE_High_Latency }]"),
        "at most 500000 evaluations",
    );
    check(&test("events: [{ at: 1m, do: explode }]"), "`explode` is not allowed; allowed: restart");
    check(&test("events: [{ at: 1m, do: edit }]"), "needs the new rule");
    check(
        "group_eval_order: []\nrule_files: [shipped]\ntests: [{}]",
        "line 1: group_eval_order: promtool knows it",
    );
}

#[test]
fn one_bad_file_of_several_decides_the_exit_code() {
    let read = |path: &str| match path {
        "good.yml" => Ok("rule_files: [shipped]\ntests: [{ name: nothing happens }]\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let outcome = command(&["good.yml".into(), "bad.yml".into()], &read, &|_| None);
    assert_eq!(outcome.exit, 64);
    assert_eq!(outcome.text, "good.yml: 1 tests, 15 checks, all as expected\nbad.yml: no such file\n");
}
