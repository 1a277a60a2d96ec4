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
use std::fmt::{Display, Write};

impl AlertFile {
    /// A secret that was not written as `${NAME}` becomes one: the importer sets it in the environment.
    pub fn export(&self) -> String {
        let mut out = Lines::default();
        if !self.channels.is_empty() {
            out.line("channels:");
        }
        for channel in &self.channels {
            out.line(format_args!("  {}:", channel.name));
            out.channel(&channel.name, &channel.kind);
        }
        if let Some(url) = &self.heartbeat_url {
            out.line(format_args!("heartbeat_url: {}", raw(&url.exported("heartbeat", "url"))));
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
        out.0
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("    {name}: {value}"));
    }

    fn channel(&mut self, channel: &str, kind: &Kind) {
        let secret = |secret: &Secret, field: &str| raw(&secret.exported(channel, field));
        match kind {
            Kind::Email { smtp, from, to } => {
                self.field("kind", "email");
                self.field("smtp", raw(&mail::exported(smtp, channel)));
                self.field("from", quoted(from));
                let to: Vec<String> = to.iter().map(|to| quoted(to)).collect();
                self.field("to", format_args!("[{}]", to.join(", ")));
            }
            Kind::Slack { url } => {
                self.field("kind", "slack");
                self.field("url", secret(url, "url"));
            }
            Kind::Teams { url } => {
                self.field("kind", "teams");
                self.field("url", secret(url, "url"));
            }
            Kind::PagerDuty { routing_key, webhook_secret, url } => {
                self.field("kind", "pagerduty");
                self.field("routing_key", secret(routing_key, "routing_key"));
                if let Some(webhook_secret) = webhook_secret {
                    self.field("webhook_secret", secret(webhook_secret, "webhook_secret"));
                }
                if let Some(url) = url {
                    self.field("url", secret(url, "url"));
                }
            }
            Kind::Webhook { url, secret: key, send_resolved } => {
                self.field("kind", "webhook");
                self.field("url", secret(url, "url"));
                if let Some(key) = key {
                    self.field("secret", secret(key, "secret"));
                }
                self.field("send_resolved", send_resolved);
            }
            Kind::Telegram { token, chat } => {
                self.field("kind", "telegram");
                self.field("token", secret(token, "token"));
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

fn severity(severity: Severity) -> &'static str {
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
