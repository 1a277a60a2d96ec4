use super::{environment, read};
use crate::{
    alert::file::{
        AlertFile, Place,
        burn::OBJECTIVES,
        channel::Kind,
        number::{Number, Seconds},
        parse,
        rule::{CONFIDENCE, Mode, NotUsed, Rule, Watch},
        shipped,
        subject::{Over, Test},
    },
    metric::notice::Severity,
};

/// Every field that a file can have.
const DOCUMENTED: &str = r#"
channels:
  email:     { kind: email, smtp: "smtps://user:${SMTP_PASSWORD}@mail.example.com:465", from: "streamgauge@example.com", to: ["ops@example.com"] }  # or smtp://host:port
  slack:     { kind: slack, url: "${SLACK_WEBHOOK_URL}" }
  pagerduty: { kind: pagerduty, routing_key: "${PAGERDUTY_KEY}", webhook_secret: "${PAGERDUTY_SECRET}" }
  hook:      { kind: webhook, url: "https://hooks.example/a", secret: "${HOOK_SECRET}", send_resolved: true }
  teams:     { kind: teams, url: "${TEAMS_URL}" }
  telegram:  { kind: telegram, token: "${TELEGRAM_TOKEN}", chat: "123" }
heartbeat_url: "https://hc.example/ping"
escalation: [ { after: 5m, notification: pagerduty } ]
alerts:
  - name: SSE_High_Error_Rate
    condition: error_rate > 1%
    duration: 5m
    severity: critical
    notification: email, slack, pagerduty
    recover: 0.8%
    keep_firing_for: 5m
    mode: robust
    confidence: 99.99%
    eager: false
    depends_on: Error_Budget_Fast_Burn
    runbook: https://runbooks.example/errors
    description: Clients see errors.
    enabled: true
    node: a
    region: eu-west
  - name: Error_Budget_Fast_Burn
    budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }   # in place of condition and duration
    severity: critical
    notification: pagerduty
"#;

/// The epic's "Critical Alerts", word for word.
const EPIC: &str = "
alerts:
  - name: SSE_High_Error_Rate
    condition: error_rate > 1%
    duration: 5m
    severity: critical
    notification: email, slack, pagerduty

  - name: SSE_High_Latency
    condition: avg_latency > 500ms
    duration: 3m
    severity: warning
    notification: email, slack

  - name: SSE_Connection_Failure
    condition: connection_success_rate < 95%
    duration: 2m
    severity: critical
    notification: email, slack, pagerduty

  - name: Memory_Usage_High
    condition: memory_usage > 80%
    duration: 10m
    severity: warning
    notification: slack

  - name: Redis_Performance_Degradation
    condition: redis_latency > 100ms
    duration: 5m
    severity: warning
    notification: email, slack
";

fn documented() -> AlertFile {
    parse(DOCUMENTED, Place::File, environment).expect("a good file")
}

fn shipped() -> Vec<Rule> {
    shipped::file().expect("shipped rules").rules
}

#[test]
fn every_documented_field_is_read() {
    let file = documented();
    assert_eq!(file.channels.len(), 6);
    let Kind::Slack { url } = &file.channels[1].kind else { panic!("{:?}", file.channels[1]) };
    assert_eq!(url.reveal(), "https://hooks.slack.example/hunter2");
    let Kind::Email { smtp, from, to } = &file.channels[0].kind else { panic!("{:?}", file.channels[0]) };
    assert_eq!(smtp.reveal(), "smtps://user:hunter2@home@mail.example.com:465");
    assert_eq!(
        (from.as_str(), to.as_slice()),
        ("streamgauge@example.com", &["ops@example.com".to_owned()][..])
    );
    assert_eq!(
        (file.escalation[0].after, file.escalation[0].notification.as_str()),
        (Seconds(300), "pagerduty")
    );
    let [rule, burn] = file.rules.as_slice() else { panic!("{:?}", file.rules) };
    assert_eq!((rule.severity, rule.mode, rule.confidence), (Severity::Critical, Mode::Robust, CONFIDENCE));
    assert_eq!(rule.notification, ["email", "slack", "pagerduty"]);
    assert_eq!(rule.recover(), Number::parse("0.8"));
    assert_eq!(rule.depends_on.as_deref(), Some("Error_Budget_Fast_Burn"));
    assert_eq!((rule.node.as_deref(), rule.region.as_deref()), (Some("a"), Some("eu-west")));
    let Watch::Burn(burn) = burn.watch else { panic!("{burn:?}") };
    assert_eq!(
        (burn.factor, burn.long, burn.short),
        (Number::millionths(14_400_000), Seconds(3_600), Seconds(300))
    );
}

#[test]
fn no_secret_is_shown_or_exported() {
    let file = documented();
    let channels = serde_json::to_string(&file.channels).expect("JSON");
    for shown in [format!("{file:?}"), format!("{file:#?}"), channels, file.export()] {
        assert!(!shown.contains("hunter2") && !shown.contains("hc.example"), "{shown}");
    }
}

#[test]
fn the_epics_five_rules_are_shipped_as_they_stand_there() {
    let epic = read(EPIC).expect("the epic's file").rules;
    let mut shipped = shipped();
    shipped.truncate(5);
    for rule in &mut shipped {
        if let Watch::Condition { recover, .. } = &mut rule.watch {
            let expected = (rule.name == "Memory_Usage_High").then(|| Number::whole(75));
            assert_eq!(recover.take().map(|recover| recover.normalised()), expected);
        }
    }
    assert_eq!(shipped, epic);
    let check = |index: usize, condition: &str, duration, severity, test| {
        let rule: &Rule = &epic[index];
        let Watch::Condition { condition: found, duration: lasts, .. } = rule.watch else {
            panic!("{rule:?}")
        };
        assert_eq!((found.to_string().as_str(), lasts.0), (condition, duration));
        assert_eq!((rule.severity, rule.test(true)), (severity, Ok(test)));
    };
    use Severity::{Critical, Warning};
    let node = |percent| Test::Share { percent, over: Over::EachNode };
    check(0, "error_rate > 1%", 300, Critical, Test::Ratio);
    check(1, "avg_latency > 500ms", 180, Warning, Test::Mean);
    check(2, "connection_success_rate < 95%", 120, Critical, Test::Ratio);
    check(3, "memory_usage > 80%", 600, Warning, node(90));
    check(4, "redis_latency > 100ms", 300, Warning, node(80));
}

#[test]
fn each_objective_has_a_fast_and_a_slow_burn() {
    let burns = shipped();
    for (name, objective) in OBJECTIVES {
        let of = burns.iter().filter_map(|rule| match rule.watch {
            Watch::Burn(burn) if burn.objective == objective => Some((burn, rule)),
            _ => None,
        });
        let [(fast, critical), (slow, warning)] = of.collect::<Vec<_>>().try_into().expect(name);
        assert_eq!((fast.factor.value(), fast.long.0, fast.short.0), (14.4, 3_600, 300), "{name}");
        assert_eq!((slow.factor.value(), slow.long.0, slow.short.0), (1.0, 259_200, 21_600), "{name}");
        assert_eq!((critical.severity, warning.severity), (Severity::Critical, Severity::Warning));
        assert_eq!(warning.depends_on.as_deref(), Some(critical.name.as_str()));
    }
    assert_eq!(burns.len(), 15);
}

#[test]
fn a_rule_that_cannot_be_judged_is_not_used() {
    let rules = shipped();
    let check = |rule: &Rule, redis, test| assert_eq!(rule.test(redis), test, "{}", rule.name);
    check(&rules[4], false, Err(NotUsed::NoRedis));
    check(&rules[0], false, Ok(Test::Ratio));
    check(&rules[5], false, Ok(Test::BudgetBurn));
    check(&Rule { enabled: false, ..rules[0].clone() }, true, Err(NotUsed::Disabled));
}

#[test]
fn a_rule_stays_firing_for_its_duration_and_five_minutes_at_least() {
    let rules = shipped();
    let holds: Vec<u32> = rules.iter().map(|rule| rule.hold().0).take(7).collect();
    assert_eq!(holds, [300, 300, 300, 600, 300, 300, 21_600]);
    assert_eq!(Rule { mode: Mode::Literal, ..rules[0].clone() }.hold(), Seconds(0));
    assert_eq!(Rule { keep_firing_for: Some(Seconds(60)), ..rules[0].clone() }.hold(), Seconds(60));
}

#[test]
fn a_channel_that_is_not_set_up_is_named() {
    let mut file = shipped::file().expect("shipped rules");
    assert!(file.not_set_up().into_iter().eq(["email", "pagerduty", "slack"]));
    file.channels = documented().channels;
    assert!(file.not_set_up().is_empty());
}

#[test]
fn an_empty_file_has_no_rules() {
    for text in ["", "\n# a comment\n", "---\n", "alerts:\n", "channels:\nalerts: []\n", "{}"] {
        assert_eq!(read(text), Ok(AlertFile::default()), "{text:?}");
    }
}

#[test]
fn a_file_written_back_is_equal() {
    let text = r#"
alerts:
  - name: A
    condition: uptime < 99.50%
    recover: 99.9%
    duration: 90s
    confidence: 99.9%
    eager: true
    severity: info
    notification: []
    enabled: false
    runbook: "https://runbooks.example/a?b=${HOOK_SECRET}#c"
    description: "One: \"two\" \\ $${THREE}\n#four é \U0001f600"
"#;
    let quoted = read(text).expect("a good file");
    assert!(matches!(quoted.rules[0].watch, Watch::Condition { eager: true, recover: Some(_), .. }));
    let description = "One: \"two\" \\ ${THREE}\n#four é 😀";
    assert_eq!(quoted.rules[0].description.as_deref(), Some(description));
    assert_eq!(quoted.rules[0].confidence, Number::millionths(99_900_000));
    for file in [documented(), shipped::file().expect("shipped rules"), quoted] {
        let set = |name: &str| match name {
            "HOOK_URL" => Some("https://hooks.example/a".into()),
            "HEARTBEAT_URL" => Some("https://hc.example/ping".into()),
            name => environment(name),
        };
        assert_eq!(parse(&file.export(), Place::Database, set), Ok(file.clone()), "{}", file.export());
    }
}

#[test]
fn two_secrets_never_become_one_variable() {
    let text = r#"
channels:
  a-b:       { kind: slack, url: "https://one" }
  a_b:       { kind: slack, url: "https://two" }
  c:         { kind: slack, url: "${A_B_URL_2}" }
  heartbeat: { kind: slack, url: "https://three" }
heartbeat_url: "https://four"
"#;
    let written = |name: &str| (name == "A_B_URL_2").then(|| "https://five".to_owned());
    let file = parse(text, Place::File, written).expect("a good file");
    let exported = |name: &str| {
        let value = match name {
            "A_B_URL" => "https://one",
            "A_B_URL_3" => "https://two",
            "A_B_URL_2" => "https://five",
            "HEARTBEAT_URL" => "https://three",
            "HEARTBEAT_URL_2" => "https://four",
            _ => return None,
        };
        Some(value.to_owned())
    };
    assert_eq!(parse(&file.export(), Place::File, exported), Ok(file));
}
