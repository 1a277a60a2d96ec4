use super::{environment, read};
use crate::alert::file::{Place, parse, parse_bytes, tree};

const RULE: &str = "alerts:
  - name: A
    condition: error_rate > 1%
    duration: 5m
    severity: critical
    notification: email
";

/// Each fault as `line: field: a part of its sentence`.
#[track_caller]
fn check(text: &str, expected: &[(u32, &str, &str)]) {
    let faults = read(text).expect_err(text);
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), expected.len(), "{text}\n{said:#?}");
    for (fault, &(line, field, part)) in faults.iter().zip(expected) {
        assert_eq!((fault.line, fault.field.as_str()), (line, field), "{text}\n{said:#?}");
        assert!(fault.message.contains(part), "{fault}");
    }
}

/// The good rule with `lines` added.
#[track_caller]
fn with(lines: &str, expected: &[(u32, &str, &str)]) {
    check(&format!("{RULE}    {lines}\n"), expected);
}

/// The good rule with one of its fields changed.
#[track_caller]
fn changed(from: &str, to: &str, expected: &[(u32, &str, &str)]) {
    assert!(RULE.contains(from));
    check(&RULE.replace(from, to), expected);
}

#[test]
fn each_field_says_what_it_allows() {
    changed("name: A", "name: 7", &[(2, "name", "`7` is not allowed; allowed: a letter")]);
    changed("error_rate", "eror_rate", &[(3, "condition", "did you mean `error_rate`?")]);
    changed("1%", "1ms", &[(3, "condition", "`ms` does not fit `error_rate`; allowed: %")]);
    changed("5m", "9s", &[(4, "duration", "`9s` is not allowed; allowed: 10s to 24h")]);
    changed("5m", "25h", &[(4, "duration", "`25h` is not allowed")]);
    changed("5m", "5", &[(4, "duration", "`5` is not allowed")]);
    changed("5m", "[5m]", &[(4, "duration", "allowed: one value, not a list or map")]);
    changed(
        "critical",
        "page",
        &[(5, "severity", "unknown severity `page`; known: info, warning, critical")],
    );
    changed("critical", "criticl", &[(5, "severity", "did you mean `critical`?")]);
    changed(": email", ": emial", &[(6, "notification", "unknown channel `emial`; did you mean `email`?")]);
    changed(": email", ": email, email", &[(6, "notification", "`email` stands here twice")]);
    changed(": email", ":", &[(6, "notification", "[] for none")]);
    with("recover: 2%", &[(7, "recover", "`2%` still breaches; allowed: at most 1%")]);
    with("recover: 1", &[(7, "recover", "no unit does not fit")]);
    with("keep_firing_for: 25h", &[(7, "keep_firing_for", "allowed: 0s to 24h")]);
    with("mode: fast", &[(7, "mode", "known: robust, literal")]);
    with("confidence: 100%", &[(7, "confidence", "allowed: 90% to 99.9999%")]);
    with("eager: yes", &[(7, "eager", "allowed: true, false")]);
    with("enabled: 1", &[(7, "enabled", "allowed: true, false")]);
    with("runbook: ftp://x", &[(7, "runbook", "https://")]);
    with("description: \"\"", &[(7, "description", "1 to 500 characters")]);
    with("node: \"a\\nb\"", &[(7, "node", "1 to 64 characters on one line")]);
    with("durration: 5m", &[(7, "alerts", "unknown field `durration`; did you mean `duration`?")]);
    with("duration: 5m", &[(7, "duration", "stands here twice, first on line 4")]);
    with("depends_on: B", &[(7, "depends_on", "unknown rule `B`; did you mean `A`?")]);
    with("depends_on: A", &[(7, "depends_on", "A -> A")]);
    with("description: ${NOT_SET}", &[(7, "description", "`NOT_SET` is not set in the environment")]);
}

#[test]
fn a_field_that_would_change_nothing_is_a_fault() {
    changed(
        "duration: 5m",
        "duration: 5m\n    mode: literal\n    eager: true",
        &[(6, "eager", "Prometheus")],
    );
    let memory = RULE.replace("error_rate > 1%", "memory_usage > 80%");
    check(&format!("{memory}    confidence: 99%\n"), &[(7, "confidence", "share of its samples")]);
    check(&format!("{memory}    region: eu\n"), &[(7, "region", "`memory_usage` is not known by region")]);
}

#[test]
fn what_is_missing_is_named() {
    check(
        "alerts:\n  - description: x\n",
        &[
            (2, "name", "missing; allowed: a letter"),
            (2, "notification", "missing; allowed: channels"),
            (2, "severity", "missing; allowed: info, warning, critical"),
            (2, "condition", "missing; allowed: a metric"),
            (2, "duration", "missing; allowed: 10s to 24h"),
        ],
    );
}

#[test]
fn a_burn_has_its_own_fields() {
    let burn = |fields: &str, expected: &[(u32, &str, &str)]| {
        let head = "alerts:\n  - name: A\n    severity: info\n    notification: []\n    budget_burn: ";
        check(&format!("{head}{fields}\n"), expected);
    };
    burn("{ factor: 1, long: 1h, short: 5m }", &[(5, "objective", "missing; allowed: connect, delivery")]);
    burn(
        "{ objective: error, factor: 1, long: 1h, short: 5m }",
        &[(5, "objective", "did you mean `errors`?")],
    );
    burn("{ objective: errors, factor: 0, long: 1h, short: 5m }", &[(5, "factor", "above 0")]);
    burn("{ objective: connect, factor: 20, long: 1h, short: 5m }", &[(5, "factor", "allowed: below 20")]);
    burn("{ objective: errors, factor: 1, long: 8d, short: 5m }", &[(5, "long", "allowed: 1m to 7d")]);
    burn("{ objective: errors, factor: 1, long: 1h, short: 1h }", &[(5, "short", "not shorter than long")]);
    burn("14.4", &[(5, "budget_burn", "a map")]);
    with(
        "budget_burn: { objective: errors, factor: 1, long: 1h, short: 5m }",
        &[(3, "condition", "not beside `budget_burn`"), (4, "duration", "not beside `budget_burn`")],
    );
}

#[test]
fn rules_agree_with_each_other() {
    let rule = |name: &str, parent: &str| {
        format!(
            "  - name: {name}\n    condition: cpu > 90%\n    duration: 5m\n    severity: info\n    notification: []\n    depends_on: {parent}\n"
        )
    };
    let all = |rules: &[(&str, &str)]| {
        let rules: Vec<String> = rules.iter().map(|(name, parent)| rule(name, parent)).collect();
        format!("alerts:\n{}", rules.concat())
    };
    check(&all(&[("A", "B"), ("B", "C"), ("C", "A")]), &[(7, "depends_on", "A -> B -> C -> A")]);
    check(&all(&[("D", "A"), ("A", "B"), ("B", "A")]), &[(13, "depends_on", "A -> B -> A")]);
    let twice = format!("{RULE}{}", RULE.trim_start_matches("alerts:\n"));
    check(&twice, &[(7, "name", "`A` is the name of the rule on line 2 as well")]);
}

#[test]
fn a_faulty_rule_is_still_known_to_others() {
    let other = "  - name: B\n    condition: cpu > 90%\n    duration: 5m\n    severity: info\n    notification: []\n    depends_on: A\n";
    check(
        &RULE.replace("5m", "5").replace("notification: email\n", &format!("notification: email\n{other}")),
        &[(4, "duration", "`5`")],
    );
}

#[test]
fn every_fault_is_reported_at_once_in_order() {
    let text = RULE.replace("error_rate", "x").replace("5m", "1s").replace("critical", "urgent");
    check(
        &text,
        &[
            (3, "condition", "unknown metric"),
            (4, "duration", "10s to 24h"),
            (5, "severity", "unknown severity"),
        ],
    );
}

#[test]
fn a_file_must_have_every_channel_and_a_database_the_first_three() {
    let faults = parse(RULE, Place::File, environment).expect_err("no channel");
    assert_eq!(faults[0].to_string(), "line 6: notification: unknown channel `email`; there is none");
    assert!(parse(RULE, Place::Database, environment).is_ok());
    changed(": email", ": teams", &[(6, "notification", "known: email, slack, pagerduty")]);
}

#[test]
fn a_channel_says_what_it_needs_and_never_its_secret() {
    let channel = |fields: &str, expected: &[(u32, &str, &str)]| {
        check(&format!("channels:\n  c: {fields}\n"), expected)
    };
    channel(
        "{ url: x }",
        &[(2, "kind", "missing; allowed: email, slack, pagerduty, webhook, teams, telegram")],
    );
    channel("{ kind: slak }", &[(2, "kind", "did you mean `slack`?")]);
    channel("{ kind: slack }", &[(2, "url", "missing; allowed: an address")]);
    channel("{ kind: slack, url: hunter2 }", &[(2, "url", "the value, not shown here, is not allowed")]);
    channel("{ kind: slack, url: \"https://x\", token: a }", &[(2, "c", "unknown field `token`")]);
    channel("{ kind: slack, url: \"${SLACK}\" }", &[(2, "url", "`SLACK` is not set in the environment")]);
    channel(
        "{ kind: email, smtp: mail, from: a, to: [] }",
        &[(2, "smtp", "smtps://"), (2, "from", "name@host"), (2, "to", "0 addresses; allowed: 1 to 20")],
    );
    channel(
        "{ kind: telegram, token: \"a b\", chat: \"!\" }",
        &[(2, "token", "without spaces"), (2, "chat", "@name")],
    );
    channel("{ kind: pagerduty, routing_key: \"\" }", &[(2, "routing_key", "1 to 512 characters")]);
    channel("7", &[(2, "c", "a map")]);
    check("channels:\n  a b: { kind: slack, url: \"https://x\" }\n", &[(2, "channels", "a channel's name")]);
    check("heartbeat_url: hunter2\n", &[(1, "heartbeat_url", "not shown here")]);
}

#[test]
fn a_value_of_the_environment_is_not_quoted() {
    for (from, to) in [
        ("A", "\"${HOOK_SECRET} \""),
        ("error_rate", "${HOOK_SECRET}"),
        (": email", ": ${HOOK_SECRET}"),
        ("1%", "${HOOK_SECRET}"),
        ("critical", "${HOOK_SECRET}"),
        ("5m", "${HOOK_SECRET}"),
    ] {
        let text = RULE.replace(from, to);
        match read(&text) {
            Ok(_) => assert_eq!(from, "A"),
            Err(faults) => {
                assert!(faults.iter().all(|fault| !fault.to_string().contains("hunter2")), "{faults:?}")
            }
        }
    }
}

#[test]
fn escalation_rises_and_names_channels() {
    let step =
        |steps: &str, expected: &[(u32, &str, &str)]| check(&format!("escalation: [{steps}]\n"), expected);
    step("{ after: 5s, notification: email }", &[(1, "after", "1m to 24h")]);
    step("{ after: 5m, notification: pager }", &[(1, "notification", "unknown channel `pager`")]);
    step("{ after: 5m }", &[(1, "notification", "missing; allowed: one channel")]);
    step(
        "{ after: 5m, notification: email }, { after: 5m, notification: slack }",
        &[(1, "after", "`5m` is not later than 5m")],
    );
}

#[test]
fn yaml_itself_has_limits() {
    check("alert: []\n", &[(1, "", "unknown field `alert`; did you mean `alerts`?")]);
    check("- a\n", &[(1, "", "a map")]);
    check("alerts: 7\n", &[(1, "alerts", "a list")]);
    check("alerts: [\n", &[(1, "", "not YAML")]);
    check("a: &x 1\nb: *x\n", &[(1, "", "anchors")]);
    check("a: !!int 1\n", &[(1, "", "tags")]);
    check("alerts: []\n---\nalerts: []\n", &[(3, "", "one document a file")]);
    check("? [a]\n: b\n", &[(1, "", "a key must be a text")]);
    check(&"[".repeat(10_000), &[(1, "", "")]);
    check(&format!("alerts: [{}]", "a,".repeat(tree::MAX_VALUES)), &[(1, "", "more than 20000 values")]);
    check(&" ".repeat(tree::MAX_BYTES + 1), &[(1, "", "larger than 256 KiB")]);
    let faults = parse_bytes(b"alerts:\n\xff", Place::File, environment).expect_err("bytes");
    assert_eq!(faults[0].to_string(), "line 2: not UTF-8");
}
