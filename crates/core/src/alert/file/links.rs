//! What rules say of each other and of channels.

use super::{Place, fault::unknown, reading::Reading};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub line: u32,
    pub text: String,
}

/// Of one rule.
#[derive(Debug, Default)]
pub struct Links {
    pub name: Option<Name>,
    pub depends_on: Option<Name>,
    pub notification: Vec<Name>,
}

pub fn check(reading: &mut Reading<'_>, rules: &[Links], channels: &[&str], place: Place) {
    let mut parents: BTreeMap<&str, Option<&Name>> = BTreeMap::new();
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for rule in rules {
        let Some(name) = &rule.name else { continue };
        if let Some(first) = lines.get(name.text.as_str()) {
            let message =
                format!("`{}` is the name of the rule on line {first} as well; allowed: one each", name.text);
            reading.fault(name.line, "name", message);
            continue;
        }
        lines.insert(&name.text, name.line);
        parents.insert(&name.text, rule.depends_on.as_ref());
    }
    let names: Vec<&str> = parents.keys().copied().collect();
    for rule in rules {
        for channel in &rule.notification {
            check_channel(reading, channel, "notification", channels, place);
        }
        if let Some(parent) =
            rule.depends_on.as_ref().filter(|parent| !parents.contains_key(parent.text.as_str()))
        {
            reading.fault(parent.line, "depends_on", unknown("rule", &parent.text, &names));
        }
    }
    for rule in rules {
        let (Some(name), Some(parent)) = (&rule.name, &rule.depends_on) else { continue };
        if let Some(cycle) = cycle_of(&name.text, &parents) {
            let message = format!("a circle, in which all would be muted: {}", cycle.join(" -> "));
            reading.fault(parent.line, "depends_on", message);
        }
    }
}

pub fn check_channel(
    reading: &mut Reading<'_>,
    channel: &Name,
    field: &str,
    channels: &[&str],
    place: Place,
) {
    let mut known = channels.to_vec();
    if place == Place::Database {
        known.extend(Place::NOT_SET_UP.iter().filter(|name| !channels.contains(name)));
    }
    if !known.contains(&channel.text.as_str()) {
        reading.fault(channel.line, field, unknown("channel", &channel.text, &known));
    }
}

/// From the rule back to itself. Only the first by name reports it, so that a circle is one fault.
fn cycle_of<'a>(start: &'a str, parents: &BTreeMap<&'a str, Option<&'a Name>>) -> Option<Vec<&'a str>> {
    let mut path = vec![start];
    let mut at = start;
    for _ in 0..parents.len() {
        at = parents.get(at).copied().flatten()?.text.as_str();
        path.push(at);
        if at == start {
            return Some(path);
        }
        if at < start {
            return None;
        }
    }
    None
}
