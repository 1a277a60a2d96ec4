//! The file out of its fields.

use super::{
    AlertFile, Channel, Fault, Place, Rule, Step,
    channel::{self, is_url},
    links::{self, Links, Name},
    number::Seconds,
    reading::{Fields, Reading},
    rule_fields,
    tree::{self, Value},
};

pub const MAX_RULES: usize = 500;
const MAX_CHANNELS: usize = 32;
const MAX_STEPS: usize = 10;

/// The file, or every fault in the order of its lines. YAML that cannot be read has one.
pub fn parse(
    text: &str,
    place: Place,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<AlertFile, Vec<Fault>> {
    let Some(root) = tree::parse(text).map_err(|fault| vec![fault])? else {
        return Ok(AlertFile::default());
    };
    let mut reading = Reading::new(&environment);
    let known = ["channels", "heartbeat_url", "escalation", "alerts"];
    let file = reading.fields(&root, "", &known).map(|fields| read(&mut reading, fields, place));
    let mut faults = reading.faults;
    faults.sort_by_key(|fault| fault.line);
    match file {
        Some(file) if faults.is_empty() => Ok(file),
        _ => Err(faults),
    }
}

/// One rule by itself: an item of `alerts:`, in YAML or JSON, as the page and the API send it. Channels and the rule that it
/// depends on are of the others: the caller checks them with the whole file. Nothing of the environment enters, since a
/// rule holds no secret.
pub fn parse_rule(text: &str) -> Result<Rule, Vec<Fault>> {
    let root = tree::parse(text).map_err(|fault| vec![fault])?;
    let root = root.ok_or_else(|| vec![Fault::new(1, "", "empty; allowed: the fields of one rule")])?;
    let environment = |_: &str| None;
    let mut reading = Reading::new(&environment);
    // `- name: A`, as it stands in a file.
    let node = match &root.value {
        Value::List(items) if items.len() == 1 => &items[0],
        _ => &root,
    };
    let (_, rule) = rule_fields::read(&mut reading, node);
    let mut faults = reading.faults;
    faults.sort_by_key(|fault| fault.line);
    match rule {
        Some(rule) if faults.is_empty() => Ok(rule),
        _ => Err(faults),
    }
}

/// The same for a file that may not be UTF-8.
pub fn parse_bytes(
    bytes: &[u8],
    place: Place,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<AlertFile, Vec<Fault>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, place, environment),
        Err(error) => {
            let good = &bytes[..error.valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            Err(vec![Fault::new(line, "", "not UTF-8")])
        }
    }
}

fn read(reading: &mut Reading<'_>, fields: Fields<'_>, place: Place) -> AlertFile {
    let (names, channels) = channels(reading, fields);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let heartbeat_url = channel::optional(
        reading,
        fields,
        "heartbeat_url",
        "an address that begins with https:// or http://",
        is_url,
    );
    let escalation = escalation(reading, fields, &names, place);
    let nodes = fields.get("alerts").map_or(&[][..], |node| reading.list(node, "alerts", MAX_RULES));
    let read: Vec<(Links, Option<Rule>)> =
        nodes.iter().map(|node| rule_fields::read(reading, node)).collect();
    let (links, rules): (Vec<Links>, Vec<Option<Rule>>) = read.into_iter().unzip();
    links::check(reading, &links, &names, place);
    AlertFile { channels, heartbeat_url, escalation, rules: rules.into_iter().flatten().collect() }
}

/// The names of all, and those without fault: a rule may name one that has a fault of its own.
fn channels(reading: &mut Reading<'_>, fields: Fields<'_>) -> (Vec<String>, Vec<Channel>) {
    let Some(node) = fields.get("channels") else { return Default::default() };
    if matches!(&node.value, Value::Text(text) if text.is_empty()) {
        return Default::default();
    }
    let Some(map) = reading.map(node, "channels") else { return Default::default() };
    if map.entries.len() > MAX_CHANNELS {
        reading.fault(map.line, "channels", format!("allowed: at most {MAX_CHANNELS}"));
        return Default::default();
    }
    let names = map.entries.iter().map(|entry| entry.key.clone()).collect();
    (names, map.entries.iter().filter_map(|entry| Channel::read(reading, entry)).collect())
}

fn escalation(reading: &mut Reading<'_>, fields: Fields<'_>, channels: &[&str], place: Place) -> Vec<Step> {
    let nodes = fields.get("escalation").map_or(&[][..], |node| reading.list(node, "escalation", MAX_STEPS));
    let mut steps: Vec<Step> = Vec::new();
    for node in nodes {
        let Some(fields) = reading.fields(node, "escalation", &["after", "notification"]) else { continue };
        let after = reading.required(fields, "after", "1m to 24h");
        let line = after.as_ref().map_or(fields.line, |after| after.line);
        let after = reading.meaning(after, "after", "1m to 24h", |text| {
            Seconds::parse(text).filter(|after| (60..=86_400).contains(&after.0))
        });
        let channel = reading.required(fields, "notification", "one channel");
        if let Some(channel) = &channel {
            let name = Name { line: channel.line, text: channel.text.trim().to_owned() };
            links::check_channel(reading, &name, "notification", channels, place);
        }
        if let (Some(after), Some(last)) = (after, steps.last())
            && after <= last.after
        {
            reading.fault(
                line,
                "after",
                format!("`{after}` is not later than {}, the step before", last.after),
            );
        }
        if let (Some(after), Some(channel)) = (after, channel) {
            steps.push(Step { after, notification: channel.text.trim().to_owned() });
        }
    }
    steps
}
