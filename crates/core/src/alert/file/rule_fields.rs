//! A rule out of its fields.

use super::{
    burn::{BudgetBurn, OBJECTIVES},
    channel::is_url,
    condition::{Condition, Quantity},
    fault::unknown,
    links::{Links, Name},
    number::{Number, Seconds},
    reading::{Fields, Reading, Text},
    rule::{CONFIDENCE, Mode, Rule, Watch},
    subject::{Subject, Test},
    tree::{Node, Value},
};
use crate::{
    metric::notice::Severity,
    text::{is_label, is_prose},
};

const KNOWN: [&str; 17] = [
    "name",
    "condition",
    "budget_burn",
    "duration",
    "severity",
    "notification",
    "recover",
    "keep_firing_for",
    "mode",
    "confidence",
    "eager",
    "depends_on",
    "runbook",
    "description",
    "enabled",
    "node",
    "region",
];

pub const NAME: &str = "a letter, then up to 63 letters, digits, `_`, `-` and `.`";
const DURATION: &str = "10s to 24h, such as 5m";
const NOTIFICATION: &str = "channels, separated by commas; [] for none";
const LABEL: &str = "1 to 64 characters on one line";
const CHANNELS: usize = 32;

pub fn is_name(text: &str) -> bool {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    text.len() <= 64
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(good)
}

/// What it says of others is known even where the rest is faulty, so that one slip is not reported twice.
pub fn read(reading: &mut Reading<'_>, node: &Node) -> (Links, Option<Rule>) {
    let Some(fields) = reading.fields(node, "alerts", &KNOWN) else { return (Links::default(), None) };
    let name = reading.required(fields, "name", NAME);
    let name = named(reading, name, "name");
    let depends_on = reading.optional(fields, "depends_on");
    let depends_on = named(reading, depends_on, "depends_on");
    let notification = channels(reading, fields);
    let links = Links { name, depends_on, notification: notification.clone() };
    let rule = rule(reading, fields, &links);
    (links, rule)
}

fn rule(reading: &mut Reading<'_>, fields: Fields<'_>, links: &Links) -> Option<Rule> {
    let severities =
        [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];
    let severity = choice(reading, fields, "severity", &severities);
    if severity.is_none() && fields.get("severity").is_none() {
        reading.fault(fields.line, "severity", "missing; allowed: info, warning, critical");
    }
    let mode = choice(reading, fields, "mode", &[("robust", Mode::Robust), ("literal", Mode::Literal)]);
    let mode = mode.unwrap_or(Mode::Robust);
    let watch = match fields.get("budget_burn") {
        Some(node) => burn(reading, fields, node),
        None => condition(reading, fields),
    };
    check_mode(reading, fields, mode, watch);
    let keep = reading.optional(fields, "keep_firing_for");
    let keep_firing_for =
        reading.meaning(keep, "keep_firing_for", "0s to 24h", |text| between(text, 0, 86_400));
    let confidence = reading.optional(fields, "confidence");
    let confidence = reading.meaning(confidence, "confidence", "90% to 99.9999%", |text| {
        let bounds = Number::whole(90)..=Number::millionths(99_999_900);
        Number::parse(text.strip_suffix('%')?.trim()).filter(|number| bounds.contains(number))
    });
    let mut text = |name: &str, allowed: &str, is_good: &dyn Fn(&str) -> bool| {
        let text = reading.optional(fields, name);
        reading.meaning(text, name, allowed, |text| is_good(text).then(|| text.to_owned()))
    };
    let runbook = text("runbook", "an address that begins with https:// or http://", &is_url);
    let prose = |text: &str| !text.is_empty() && is_prose(text, 500);
    let description = text("description", "1 to 500 characters", &prose);
    let label = |text: &str| is_label(text, 64);
    let (node, region) = (text("node", LABEL, &label), text("region", LABEL, &label));
    if let (Some(at), Some(watch)) = (fields.get("region"), watch)
        && let Some(name) = not_by_region(watch)
    {
        reading.fault(at.line, "region", format!("`{name}` is not known by region; leave `region` out"));
    }
    Some(Rule {
        name: links.name.clone()?.text,
        watch: watch?,
        severity: severity?,
        notification: links.notification.iter().map(|name| name.text.clone()).collect(),
        keep_firing_for,
        mode,
        confidence: confidence.unwrap_or(CONFIDENCE),
        depends_on: links.depends_on.clone().map(|name| name.text),
        runbook,
        description,
        enabled: reading.switch(fields, "enabled", true),
        node,
        region,
    })
}

fn condition(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Watch> {
    let allowed =
        "a metric, one of > >= < <=, a number and its unit, such as `error_rate > 1%`; or budget_burn";
    let text = reading.required(fields, "condition", allowed);
    let duration = reading.required(fields, "duration", DURATION);
    let duration = reading.meaning(duration, "duration", DURATION, |text| between(text, 10, 86_400));
    let eager = reading.switch(fields, "eager", false);
    let text = text?;
    let condition = match Condition::parse(text.text.trim()) {
        Ok(condition) => condition,
        Err(message) => {
            reading.fault(text.line, "condition", message);
            return None;
        }
    };
    let recover = reading.optional(fields, "recover").and_then(|text| {
        let side = if condition.comparison.is_upward() { "at most" } else { "at least" };
        let found = Quantity::parse(text.text.trim(), condition.subject).and_then(|recover| {
            let good = condition.is_recovered_at(recover).then_some(recover);
            good.ok_or_else(|| format!("`{recover}` still breaches; allowed: {side} {}", condition.threshold))
        });
        found.map_err(|message| reading.fault(text.line, "recover", message)).ok()
    });
    Some(Watch::Condition { condition, duration: duration?, recover, eager })
}

fn burn(reading: &mut Reading<'_>, fields: Fields<'_>, node: &Node) -> Option<Watch> {
    for name in ["condition", "duration", "recover", "eager"] {
        if let Some(node) = fields.get(name) {
            reading.fault(node.line, name, "not beside `budget_burn`, which stands in its place");
        }
    }
    let fields = reading.fields(node, "budget_burn", &["objective", "factor", "long", "short"])?;
    let objective = choice(reading, fields, "objective", &OBJECTIVES);
    if objective.is_none() && fields.get("objective").is_none() {
        let allowed = OBJECTIVES.map(|(name, _)| name).join(", ");
        reading.fault(fields.line, "objective", format!("missing; allowed: {allowed}"));
    }
    let factor = reading.required(fields, "factor", "a number above 0, such as 14.4");
    let line = factor.as_ref().map_or(fields.line, |factor| factor.line);
    let factor = reading.meaning(factor, "factor", "a number above 0 and up to 1000, such as 14.4", |text| {
        Number::parse(text).filter(|&factor| factor > Number::whole(0) && factor <= Number::whole(1_000))
    });
    let mut window = |name: &str| {
        let text = reading.required(fields, name, "1m to 7d");
        let line = text.as_ref().map_or(fields.line, |text| text.line);
        (line, reading.meaning(text, name, "1m to 7d", |text| between(text, 60, 7 * 86_400)))
    };
    let (_, long) = window("long");
    let (short_line, short) = window("short");
    if let (Some(long), Some(short)) = (long, short)
        && short >= long
    {
        reading.fault(short_line, "short", format!("`{short}` is not shorter than long, which is {long}"));
    }
    let burn = BudgetBurn { objective: objective?, factor: factor?, long: long?, short: short? };
    if burn.bad_share() >= 1.0 {
        let most = (1.0 / burn.objective.allowed()).floor();
        reading.fault(line, "factor", format!("no error rate is so high; allowed: below {most}"));
    }
    Some(Watch::Burn(burn))
}

/// A field that would change nothing is a misunderstanding, not a preference.
fn check_mode(reading: &mut Reading<'_>, fields: Fields<'_>, mode: Mode, watch: Option<Watch>) {
    let mut refuse = |name: &str, why: &str| {
        if let Some(node) = fields.get(name) {
            reading.fault(node.line, name, format!("{why}; leave it out"));
        }
    };
    if mode == Mode::Literal {
        for name in ["recover", "confidence", "eager"] {
            refuse(name, "`mode: literal` does what Prometheus does, which has no such field");
        }
    } else if let Some(Watch::Condition { condition, .. }) = watch
        && let Test::Share { percent, .. } = condition.subject.test()
    {
        let name = condition.subject.name();
        for field in ["confidence", "eager"] {
            refuse(
                field,
                &format!("`{name}` is judged by the share of its samples that breach ({percent} %)"),
            );
        }
    }
}

fn not_by_region(watch: Watch) -> Option<String> {
    let subject = match watch {
        Watch::Condition { condition, .. } => condition.subject,
        Watch::Burn(burn) => Subject::named(burn.objective.metric().name())?,
    };
    (!subject.is_by_region()).then(|| subject.name())
}

fn between(text: &str, least: u32, most: u32) -> Option<Seconds> {
    Seconds::parse(text).filter(|seconds| (least..=most).contains(&seconds.0))
}

fn named(reading: &mut Reading<'_>, text: Option<Text>, field: &str) -> Option<Name> {
    let line = text.as_ref()?.line;
    let text = reading.meaning(text, field, NAME, |text| is_name(text).then(|| text.to_owned()))?;
    Some(Name { line, text })
}

fn choice<T: Copy>(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    field: &str,
    known: &[(&str, T)],
) -> Option<T> {
    let text = reading.optional(fields, field)?;
    let found = known.iter().find(|(name, _)| *name == text.text.trim());
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        reading.fault(text.line, field, unknown(field, &text.written, &names));
    }
    found.map(|&(_, value)| value)
}

/// `email, slack` or `[email, slack]`.
fn channels(reading: &mut Reading<'_>, fields: Fields<'_>) -> Vec<Name> {
    let field = "notification";
    let texts: Vec<Text> = match fields.get(field) {
        Some(Node { value: Value::List(nodes), .. }) => {
            nodes.iter().take(CHANNELS).filter_map(|node| reading.text(node, field)).collect()
        }
        _ => reading.required(fields, field, NOTIFICATION).into_iter().collect(),
    };
    let mut names: Vec<Name> = Vec::new();
    for text in texts {
        for name in text.text.split(',').map(str::trim).take(CHANNELS) {
            if !is_name(name) {
                reading.fault(text.line, field, format!("a channel's name; allowed: {NOTIFICATION}"));
            } else if names.iter().any(|other| other.text == name) {
                reading.fault(text.line, field, format!("`{name}` stands here twice"));
            } else {
                names.push(Name { line: text.line, text: name.to_owned() });
            }
        }
    }
    names
}
