//! The file written back: what it says reads to an equal one, and no secret is in it.

use super::{
    AlertFile, Rule,
    channel::Kind,
    mail,
    rule::{CONFIDENCE, Mode, Watch},
    rule_fields::is_name,
    secret::Secret,
};
use crate::metric::notice::Severity;
use std::{
    collections::BTreeSet,
    fmt::{Display, Write},
};

impl AlertFile {
    /// A secret that was not written as `${NAME}` becomes one: the importer sets it in the environment.
    pub fn export(&self) -> String {
        let mut out = Lines::new(self);
        if !self.channels.is_empty() {
            out.line("channels:");
        }
        for channel in &self.channels {
            out.line(format_args!("  {}:", channel.name));
            out.channel(&channel.name, &channel.kind);
        }
        if let Some(url) = &self.heartbeat_url {
            let url = out.secret(url, "heartbeat", "url");
            out.line(format_args!("heartbeat_url: {url}"));
        }
        if !self.escalation.is_empty() {
            out.line("escalation:");
        }
        for step in &self.escalation {
            out.line(format_args!("  - {{ after: {}, notification: {} }}", step.after, step.notification));
        }
        if !self.rules.is_empty() {
            out.line("alerts:");
        }
        for rule in &self.rules {
            out.rule(rule);
        }
        out.text
    }
}

impl Rule {
    /// As an item of `alerts:`; [`super::parse_rule`] reads it back.
    pub fn to_yaml(&self) -> String {
        let mut out = Lines { text: String::new(), variables: BTreeSet::new() };
        out.rule(self);
        let lines = out.text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }
}

struct Lines {
    text: String,
    /// Variables that the file names already: two secrets must not become one.
    variables: BTreeSet<String>,
}

impl Lines {
    fn new(file: &AlertFile) -> Lines {
        let secrets =
            file.channels.iter().flat_map(|channel| channel.kind.secrets()).chain(&file.heartbeat_url);
        let named = secrets.flat_map(|secret| secret.written().split("${").skip(1));
        let names = named.filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
        Lines { text: String::new(), variables: names.collect() }
    }

    fn secret(&mut self, secret: &Secret, channel: &str, field: &str) -> String {
        if let Some(variable) = secret.variable() {
            return raw(variable);
        }
        let wanted = format!("{channel}_{field}").to_uppercase();
        let wanted = wanted.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.variables.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        raw(&format!("${{{name}}}"))
    }

    fn secret_field(&mut self, secret: &Secret, channel: &str, field: &str) {
        let value = self.secret(secret, channel, field);
        self.field(field, value);
    }

    fn line(&mut self, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{text}");
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("    {name}: {value}"));
    }

    fn channel(&mut self, channel: &str, kind: &Kind) {
        match kind {
            Kind::Email { smtp, from, to } => {
                self.field("kind", "email");
                match mail::without_secret(smtp) {
                    Some(smtp) => self.field("smtp", raw(smtp)),
                    None => self.secret_field(smtp, channel, "smtp"),
                }
                self.field("from", quoted(from));
                let to: Vec<String> = to.iter().map(|to| quoted(to)).collect();
                self.field("to", format_args!("[{}]", to.join(", ")));
            }
            Kind::Slack { url } => {
                self.field("kind", "slack");
                self.secret_field(url, channel, "url");
            }
            Kind::Teams { url } => {
                self.field("kind", "teams");
                self.secret_field(url, channel, "url");
            }
            Kind::PagerDuty { routing_key, webhook_secret, url } => {
                self.field("kind", "pagerduty");
                self.secret_field(routing_key, channel, "routing_key");
                if let Some(webhook_secret) = webhook_secret {
                    self.secret_field(webhook_secret, channel, "webhook_secret");
                }
                if let Some(url) = url {
                    self.secret_field(url, channel, "url");
                }
            }
            Kind::Webhook { url, secret: key, send_resolved } => {
                self.field("kind", "webhook");
                self.secret_field(url, channel, "url");
                if let Some(key) = key {
                    self.secret_field(key, channel, "secret");
                }
                self.field("send_resolved", send_resolved);
            }
            Kind::Telegram { token, chat } => {
                self.field("kind", "telegram");
                self.secret_field(token, channel, "token");
                self.field("chat", quoted(chat));
            }
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.line(format_args!("  - name: {}", rule.name));
        match rule.watch {
            Watch::Condition { condition, duration, recover, eager } => {
                self.field("condition", condition);
                self.field("duration", duration);
                self.some("recover", recover);
                if eager {
                    self.field("eager", true);
                }
            }
            Watch::Burn(burn) => {
                let (objective, factor) = (burn.objective_name(), burn.factor);
                let (long, short) = (burn.long, burn.short);
                self.field(
                    "budget_burn",
                    format_args!(
                        "{{ objective: {objective}, factor: {factor}, long: {long}, short: {short} }}"
                    ),
                );
            }
        }
        self.field("severity", severity(rule.severity));
        match rule.notification.as_slice() {
            [] => self.field("notification", "[]"),
            names => self.field("notification", names.join(", ")),
        }
        self.some("keep_firing_for", rule.keep_firing_for);
        if rule.mode == Mode::Literal {
            self.field("mode", "literal");
        }
        if rule.confidence != CONFIDENCE {
            self.field("confidence", format_args!("{}%", rule.confidence));
        }
        self.some("depends_on", rule.depends_on.as_ref());
        self.some("runbook", rule.runbook.as_deref().map(quoted));
        self.some("description", rule.description.as_deref().map(quoted));
        if !rule.enabled {
            self.field("enabled", false);
        }
        self.some("node", rule.node.as_deref().map(quoted));
        self.some("region", rule.region.as_deref().map(quoted));
    }

    fn some(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// `${` in it is a text, not a variable.
fn quoted(text: &str) -> String {
    if is_name(text) { text.to_owned() } else { raw(&text.replace("${", "$${")) }
}

/// In double quotes, with JSON's escapes, which YAML has too.
fn raw(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            // YAML reads no character that cannot be printed, such as U+FFFE.
            letter if letter.is_alphanumeric() => out.push(letter),
            letter => {
                let _ = write!(out, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    out + "\""
}
