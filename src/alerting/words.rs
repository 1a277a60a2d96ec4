//! Sentences of timelines, and an incident as Markdown.

use chrono::{DateTime, Utc};
use std::fmt::Write;
use streamgauge_core::page::alerts::{Incident, IncidentState, MutedBy, TimelineKind};

/// `2026-11-29 14:42 UTC`.
pub fn utc(at: i64) -> String {
    moment(at).format("%Y-%m-%d %H:%M UTC").to_string()
}

fn moment(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// "5 min", "30 s", "1 h 30 min".
pub fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let said: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if said.is_empty() { "0 s".to_owned() } else { said.join(" ") }
}

/// For a timeline: why a firing rule sends nothing from now on.
pub fn muted(by: Option<&MutedBy>) -> String {
    match by {
        None => "Nothing mutes it any more.".to_owned(),
        Some(MutedBy::Silence { ends_at: Some(at), author, reason, .. }) => {
            format!("Muted until {} by a silence of {author}: {reason}", utc(*at))
        }
        Some(MutedBy::Silence { ends_at: None, author, reason, .. }) => {
            format!("Muted until it is resolved by a silence of {author}: {reason}")
        }
        Some(MutedBy::Maintenance { ends_at, reason, .. }) => {
            format!("Muted until {} by maintenance: {reason}", utc(*ends_at))
        }
        Some(MutedBy::Dependency { rule }) => format!("Muted while {rule} fires."),
    }
}

/// An incident for a report or a chat.
pub fn markdown(incident: &Incident) -> String {
    let mut text = String::new();
    let number = |value: f64| format!("{}{}{}", rounded(value), gap(&incident.unit), incident.unit);
    // Writing to a string cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    line(format!("# Incident {}: {}", incident.id, plain(&incident.title)));
    line(String::new());
    let state = match incident.state {
        IncidentState::Open => "open",
        IncidentState::Acknowledged => "acknowledged",
        IncidentState::Resolved => "resolved",
    };
    line(format!("- State: {state}"));
    line(format!("- Rule: {}, {}", plain(&incident.rule), severity(incident)));
    line(format!("- Opened: {}", utc(incident.opened_at)));
    if let Some(by) = &incident.acknowledged_by {
        line(format!(
            "- Acknowledged: {}, by {}",
            incident.acknowledged_at.map_or_else(String::new, utc),
            plain(by)
        ));
    }
    if let Some(at) = incident.resolved_at {
        let lasted = duration(u64::try_from((at - incident.opened_at) / 1_000).unwrap_or(0));
        let how = incident.resolution.as_deref().map(|how| format!(", {}", plain(how))).unwrap_or_default();
        line(format!("- Resolved: {} after {lasted}{how}", utc(at)));
    }
    if let Some(node) = &incident.node {
        line(format!("- Node: {}", plain(node)));
    }
    if let Some(region) = &incident.region {
        line(format!("- Region: {}", plain(region)));
    }
    if let (Some(value), Some(threshold)) = (incident.value, incident.threshold) {
        let peak = incident.peak.map(|peak| format!(", at worst {}", number(peak))).unwrap_or_default();
        line(format!("- Value: {} when it fired{peak}; threshold {}", number(value), number(threshold)));
    }
    line(format!("- Why: {}", plain(&incident.reason)));
    if let Some(outcome) = incident.outcome {
        line(format!("- Outcome: {}", outcome.as_str()));
    }
    line(String::new());
    line("## Timeline".to_owned());
    line(String::new());
    line("| UTC | What | Who | Value | Text |".to_owned());
    line("|---|---|---|---|---|".to_owned());
    for entry in &incident.timeline {
        let at = moment(entry.at).format("%Y-%m-%d %H:%M:%S");
        let value = entry.value.map(number).unwrap_or_default();
        let (kind, actor) = (kind(entry.kind), plain(&entry.actor));
        line(format!("| {at} | {kind} | {actor} | {value} | {} |", plain(&entry.text)));
    }
    text
}

fn severity(incident: &Incident) -> &'static str {
    use streamgauge_core::metric::notice::Severity;
    match incident.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn kind(kind: TimelineKind) -> String {
    let name = serde_json::to_value(kind).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

/// A percent sign stands at its number.
fn gap(unit: &str) -> &'static str {
    if unit.is_empty() || unit == "%" { "" } else { " " }
}

fn rounded(value: f64) -> String {
    let digits = if value.abs() >= 100.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Text of people as Markdown that shows it as it is: on one line, and nothing in it is markup.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '&' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_with_their_units() {
        for (seconds, expected) in
            [(0, "0 s"), (30, "30 s"), (300, "5 min"), (5_400, "1 h 30 min"), (86_400, "24 h")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn numbers_have_no_needless_digits() {
        for (value, expected) in [(1.0, "1"), (0.5, "0.5"), (12.345, "12.35"), (500.0, "500"), (100.0, "100")]
        {
            assert_eq!(rounded(value), expected);
        }
    }

    #[test]
    fn nothing_that_people_write_becomes_markup() {
        assert_eq!(plain("a|b\n# <img> [x](y)"), "a\\|b \\# \\<img\\> \\[x\\](y)");
    }
}
