//! A scenario out of its YAML, or every fault with its line.

use super::{
    Expected, ExpectedAlert, Scenario, Test,
    event::{self, Event, What},
    samples::Grid,
    series::{self, MOST_POINTS, Part, Series, Source},
};
use crate::{
    alert::file::{
        AlertFile, Fault, Place, Rule,
        fault::unknown,
        links,
        number::Seconds,
        parse,
        reading::{Fields, Reading, Text},
        rule_fields, shipped,
        tree::{self, Node, Value},
    },
    page::alerts::RuleState,
    text::said::plainly,
};
use chrono::DateTime;

const MOST_FILES: usize = 32;
const MOST_RULES: usize = 500;
const MOST_TESTS: usize = 200;
const MOST_SERIES: usize = 500;
const MOST_ENTRIES: usize = 20_000;
/// Of one test.
const MOST_EVALUATIONS: i64 = 500_000;
/// As the rules that a new installation has.
const SHIPPED: &str = "shipped";
const SHORT: &str = "a duration, such as `10s` or `1m`, from 1s to 1h";

/// Where `rule_files` and the environment come from: reading files is the caller's.
pub trait Around {
    fn file(&self, name: &str) -> Result<String, String>;
    fn environment(&self, name: &str) -> Option<String>;
}

pub fn read(text: &str, around: &dyn Around) -> Result<Scenario, Vec<Fault>> {
    let root = tree::parse(text).map_err(|fault| vec![fault])?;
    let root =
        root.ok_or_else(|| vec![Fault::new(1, "", "empty; allowed: `alerts` or `rule_files`, and `tests`")])?;
    let environment = |name: &str| around.environment(name);
    let mut reading = Reading::new(&environment);
    let scenario = scenario(&mut reading, &root, around);
    let mut faults = reading.faults;
    faults.sort_by_key(|fault| fault.line);
    match scenario {
        Some(scenario) if faults.is_empty() => Ok(scenario),
        _ => Err(faults),
    }
}

/// A map, some of whose keys promtool knows and we do not.
fn fields<'n>(
    reading: &mut Reading<'_>,
    node: &'n Node,
    field: &str,
    known: &[&str],
    refused: &[(&str, &str)],
) -> Option<Fields<'n>> {
    let fields = reading.map(node, field)?;
    for entry in fields.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        match refused.iter().find(|(key, _)| *key == entry.key) {
            Some((key, why)) => reading.fault(entry.line, key, format!("promtool knows it; here {why}")),
            None => reading.fault(entry.line, field, unknown("field", &entry.key, known)),
        }
    }
    Some(fields)
}

fn scenario(reading: &mut Reading<'_>, root: &Node, around: &dyn Around) -> Option<Scenario> {
    let refused = [
        ("group_eval_order", "rules do not read each other's results: leave it out"),
        ("fuzzy_compare", "values are not compared: leave it out"),
    ];
    let known = ["rule_files", "alerts", "evaluation_interval", "tests"];
    let fields = fields(reading, root, "", &known, &refused)?;
    let step = reading.optional(fields, "evaluation_interval");
    let step = reading.meaning(step, "evaluation_interval", SHORT, short).unwrap_or(10);
    let rules = rules(reading, fields, around);
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    if rules.is_empty() && reading.faults.is_empty() {
        reading.fault(fields.line, "alerts", "missing; allowed: `alerts` with rules, or `rule_files`");
    }
    let nodes = fields.get("tests").map_or(&[][..], |node| reading.list(node, "tests", MOST_TESTS));
    if nodes.is_empty() {
        reading.fault(fields.line, "tests", "missing; allowed: a list of at least one test");
    }
    let tests = nodes.iter().filter_map(|node| test(reading, node, step, &names)).collect();
    Some(Scenario { rules, step, tests })
}

fn rules(reading: &mut Reading<'_>, of: Fields<'_>, around: &dyn Around) -> Vec<Rule> {
    let files = of.get("rule_files").map_or(&[][..], |node| reading.list(node, "rule_files", MOST_FILES));
    let mut rules = Vec::new();
    for node in files {
        let Some(name) = reading.text(node, "rule_files") else { continue };
        match rule_file(&name.text, around) {
            Ok(file) => rules.extend(file.rules),
            Err(faults) => faults.into_iter().for_each(|why| reading.fault(node.line, "rule_files", why)),
        }
    }
    let nodes = of.get("alerts").map_or(&[][..], |node| reading.list(node, "alerts", MOST_RULES));
    let (links, own): (Vec<_>, Vec<_>) = nodes.iter().map(|node| rule_fields::read(reading, node)).unzip();
    links::check(reading, &links, &[], Place::Database);
    rules.extend(own.into_iter().flatten());
    for (at, rule) in rules.iter().enumerate() {
        if rules[..at].iter().any(|other| other.name == rule.name) {
            reading.fault(
                of.line,
                "alerts",
                format!("`{}` is the name of two rules; allowed: one each", rule.name),
            );
        }
    }
    rules
}

fn rule_file(name: &str, around: &dyn Around) -> Result<AlertFile, Vec<String>> {
    let file = if name == SHIPPED {
        shipped::file()
    } else {
        let text = around.file(name).map_err(|why| vec![format!("{}: {why}", plainly(name))])?;
        parse(&text, Place::File, |name| around.environment(name))
    };
    file.map_err(|faults| faults.into_iter().map(|fault| format!("{}: {fault}", plainly(name))).collect())
}

fn test(reading: &mut Reading<'_>, node: &Node, step: i64, rules: &[&str]) -> Option<Test> {
    let refused = [
        ("promql_expr_test", "there is no PromQL: `exp_state: pending` says what `ALERTS` would"),
        ("external_labels", "no notification is made: leave it out"),
        ("external_url", "no notification is made: leave it out"),
    ];
    let known = ["name", "interval", "start_timestamp", "phi", "input_series", "alert_rule_test", "events"];
    let fields = fields(reading, node, "tests", &known, &refused)?;
    let name = reading.optional(fields, "name").map(|name| plainly(name.text)).unwrap_or_default();
    let interval = reading.optional(fields, "interval");
    let line = interval.as_ref().map_or(fields.line, |interval| interval.line);
    let interval = reading.meaning(interval, "interval", SHORT, short).unwrap_or(step);
    if interval % step != 0 {
        reading.fault(line, "interval", format!("allowed: a multiple of the evaluation interval, {step} s"));
        return None;
    }
    let start = reading.optional(fields, "start_timestamp");
    let start = reading.meaning(
        start,
        "start_timestamp",
        "Unix seconds, or a time such as 2026-03-29T00:00:00Z",
        |text| {
            let seconds =
                text.parse().ok().or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp()));
            seconds.filter(|seconds| (0..=1 << 40).contains(seconds))
        },
    );
    let phi = reading.optional(fields, "phi");
    let phi = reading.meaning(phi, "phi", "1 to 10, with at most two decimals", |text| {
        let hundredths = (text.parse::<f64>().ok()? * 100.0).round();
        (100.0..=1_000.0).contains(&hundredths).then_some(hundredths as u64)
    });
    let series = input(reading, fields);
    let events = events(reading, fields, rules);
    let expected = expected(reading, fields, rules);
    let ends = expected.iter().map(|of| of.at);
    let of_series = series.iter().map(|of| (of.points.len() as i64 - 1) * interval);
    let end = ends.chain(of_series).max().unwrap_or(0);
    if end / step > MOST_EVALUATIONS {
        reading.fault(
            fields.line,
            "tests",
            format!("allowed: at most {MOST_EVALUATIONS} evaluations in one test"),
        );
        return None;
    }
    let grid = Grid { interval, step };
    Some(Test { name, grid, start: start.unwrap_or(0), phi, series, events, expected, end })
}

fn input(reading: &mut Reading<'_>, fields: Fields<'_>) -> Vec<Series> {
    let nodes =
        fields.get("input_series").map_or(&[][..], |node| reading.list(node, "input_series", MOST_SERIES));
    let (mut all, mut points, mut lines): (Vec<Series>, usize, Vec<u32>) = Default::default();
    for node in nodes {
        let Some(fields) = reading.fields(node, "input_series", &["series", "values"]) else { continue };
        let name = reading.required(fields, "series", "a metric with its labels");
        let values = reading.required(fields, "values", "such as `0+10x5`");
        let (Some(name), Some(values)) = (name, values) else { continue };
        let of = series::name(&name.text).map_err(|why| reading.fault(name.line, "series", why));
        let values = series::values(&values.text, MOST_POINTS - points)
            .map_err(|why| reading.fault(values.line, "values", why));
        let (Ok(of), Ok(values)) = (of, values) else { continue };
        points += values.len();
        let same = |other: &&Series| {
            (other.source, other.part, &other.node, &other.region)
                == (of.source, of.part, &of.node, &of.region)
        };
        if all.iter().any(|other| same(&other)) {
            reading.fault(name.line, "series", "this series stands here twice");
        }
        all.push(Series { points: values, ..of });
        lines.push(name.line);
    }
    for (each, line) in all.iter().zip(&lines) {
        let has = |part| {
            let place = |other: &&Series| {
                other.source == each.source && other.node == each.node && other.region == each.region
            };
            all.iter().filter(place).any(|other| other.part == part)
        };
        match (each.source, each.part) {
            (Source::Ratio(_), Part::Errors) if !has(Part::Events) => {
                reading.fault(*line, "series", "needs its series with part=\"events\" as well");
            }
            (Source::Values(_), Part::Events) if !has(Part::Value) => {
                reading.fault(*line, "series", "needs its series without a part as well: the milliseconds");
            }
            _ => {}
        }
    }
    all
}

fn events(reading: &mut Reading<'_>, fields: Fields<'_>, rules: &[&str]) -> Vec<Event> {
    let nodes = fields.get("events").map_or(&[][..], |node| reading.list(node, "events", MOST_ENTRIES));
    let mut events = Vec::new();
    for node in nodes {
        let Some(fields) = reading.fields(node, "events", &["at", "do", "rule"]) else { continue };
        let at = time(reading, fields, "at");
        let Some(text) = reading.required(fields, "do", event::ALLOWED) else { continue };
        let what = match (text.text.trim(), fields.get("rule")) {
            ("edit", Some(node)) => match rule_fields::read(reading, node).1 {
                Some(rule) if rules.contains(&rule.name.as_str()) && rule.enabled => {
                    Ok(What::Edit(Box::new(rule)))
                }
                Some(rule) if rule.enabled => Err(unknown("rule", &rule.name, rules)),
                Some(_) => Err("an edited rule must be enabled".to_owned()),
                None => continue,
            },
            ("edit", None) => Err("`edit` needs the new rule under `rule:`".to_owned()),
            (_, Some(_)) => Err("`rule:` belongs to `edit` alone".to_owned()),
            (words, None) => event::what(words, rules),
        };
        match (at, what) {
            (Some(at), Ok(what)) => events.push(Event { at, what }),
            (_, Err(why)) => reading.fault(text.line, "do", why),
            (None, Ok(_)) => {}
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

const CHECKS: [&str; 8] = [
    "exp_alerts",
    "exp_state",
    "exp_incidents",
    "exp_incident",
    "exp_triggers",
    "exp_resolves",
    "exp_reason",
    "exp_muted_by",
];

fn expected(reading: &mut Reading<'_>, fields: Fields<'_>, rules: &[&str]) -> Vec<Expected> {
    let nodes = fields
        .get("alert_rule_test")
        .map_or(&[][..], |node| reading.list(node, "alert_rule_test", MOST_ENTRIES));
    let mut known = vec!["eval_time", "alertname"];
    known.extend(CHECKS);
    let mut all = Vec::new();
    for node in nodes {
        let Some(fields) = reading.fields(node, "alert_rule_test", &known) else { continue };
        let at = time(reading, fields, "eval_time");
        let rule = reading.required(fields, "alertname", "the name of a rule");
        let rule = rule.and_then(|rule| {
            let is_known = rules.contains(&rule.text.as_str());
            if !is_known {
                reading.fault(rule.line, "alertname", unknown("rule", &rule.text, rules));
            }
            is_known.then_some(rule.text)
        });
        let mut one = Expected { line: fields.line, at: at.unwrap_or(0), ..Expected::default() };
        one.alerts = fields.get("exp_alerts").map(|node| alerts(reading, node));
        let state = reading.optional(fields, "exp_state");
        one.state = reading.meaning(
            state,
            "exp_state",
            "ok, pending, firing, recovering, each also with `blind` after it",
            state_of,
        );
        for (name, into) in [
            ("exp_incidents", &mut one.incidents),
            ("exp_triggers", &mut one.triggers),
            ("exp_resolves", &mut one.resolves),
        ] {
            let text = reading.optional(fields, name);
            *into = reading.meaning(text, name, "a count", |text| text.parse().ok());
        }
        one.reason = reading.optional(fields, "exp_reason").map(|text| text.text);
        one.incident = choice(reading, fields, "exp_incident", &["none", "open", "acknowledged", "resolved"]);
        one.muted_by =
            choice(reading, fields, "exp_muted_by", &["nothing", "silence", "maintenance", "dependency"]);
        if !CHECKS.iter().any(|name| fields.get(name).is_some()) {
            // As promtool has it: no alert is named, so none may fire.
            one.alerts = Some(Vec::new());
        }
        if let (Some(_), Some(rule)) = (at, rule) {
            one.rule = rule;
            all.push(one);
        }
    }
    all.sort_by_key(|of: &Expected| of.at);
    all
}

fn alerts(reading: &mut Reading<'_>, node: &Node) -> Vec<ExpectedAlert> {
    let mut all = Vec::new();
    for node in reading.list(node, "exp_alerts", MOST_RULES) {
        let Some(fields) = reading.fields(node, "exp_alerts", &["exp_labels", "exp_annotations"]) else {
            continue;
        };
        let mut pairs = |name: &str, known: &[&str]| -> Vec<(String, String)> {
            let Some(node) = fields.get(name) else { return Vec::new() };
            if matches!(&node.value, Value::Text(text) if text.is_empty()) {
                return Vec::new();
            }
            let Some(map) = reading.fields(node, name, known) else { return Vec::new() };
            let pair = |entry: &tree::Entry| {
                Some((entry.key.clone(), reading.text(&entry.value, name).map(|Text { text, .. }| text)?))
            };
            map.entries.iter().filter_map(pair).collect()
        };
        let labels = pairs("exp_labels", &["severity", "node", "region"]);
        let annotations = pairs("exp_annotations", &["summary", "description", "runbook_url"]);
        all.push(ExpectedAlert { labels, annotations });
    }
    all
}

fn choice(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    name: &str,
    allowed: &[&'static str],
) -> Option<&'static str> {
    let text = reading.optional(fields, name);
    let find = |text: &str| allowed.iter().find(|known| **known == text).copied();
    reading.meaning(text, name, &allowed.join(", "), find)
}

fn state_of(text: &str) -> Option<(RuleState, bool)> {
    let mut words = text.split_whitespace();
    let state = match words.next()? {
        "ok" => RuleState::Ok,
        "pending" => RuleState::Pending,
        "firing" => RuleState::Firing,
        "recovering" => RuleState::Recovering,
        _ => return None,
    };
    match (words.next(), words.next()) {
        (None, _) => Some((state, false)),
        (Some("blind"), None) => Some((state, true)),
        _ => None,
    }
}

/// Seconds from the start.
fn time(reading: &mut Reading<'_>, fields: Fields<'_>, name: &str) -> Option<i64> {
    let allowed = "a time from the start, such as `0`, `90s` or `1h30m`";
    let text = reading.required(fields, name, allowed);
    reading.meaning(text, name, allowed, |text| match text {
        "0" => Some(0),
        text => Seconds::parse(text).map(|seconds| i64::from(seconds.0)),
    })
}

fn short(text: &str) -> Option<i64> {
    Seconds::parse(text).map(|seconds| i64::from(seconds.0)).filter(|seconds| (1..=3_600).contains(seconds))
}
