//! Where notifications go. Each kind has its fields, and refuses the others'.

use super::{
    fault::unknown,
    mail,
    reading::{Fields, Reading, Text},
    rule_fields::{NAME, is_name},
    secret::Secret,
    tree::{Entry, Node, Value},
};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    pub name: String,
    #[serde(flatten)]
    pub kind: Kind,
}

/// Every address is a secret: for most services its path is all that a sender must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    Email { smtp: Secret, from: String, to: Vec<String> },
    Slack { url: Secret },
    PagerDuty { routing_key: Secret, webhook_secret: Option<Secret>, url: Option<Secret> },
    Webhook { url: Secret, secret: Option<Secret>, send_resolved: bool },
    Teams { url: Secret },
    Telegram { token: Secret, chat: String },
}

const KINDS: [(&str, &[&str]); 6] = [
    ("email", &["kind", "smtp", "from", "to"]),
    ("slack", &["kind", "url"]),
    ("pagerduty", &["kind", "routing_key", "webhook_secret", "url"]),
    ("webhook", &["kind", "url", "secret", "send_resolved"]),
    ("teams", &["kind", "url"]),
    ("telegram", &["kind", "token", "chat"]),
];

const URL: &str = "an address that begins with https:// or http://";
const KEY: &str = "1 to 512 characters without spaces";
const RECIPIENTS: usize = 20;

impl Channel {
    pub(super) fn read(reading: &mut Reading<'_>, entry: &Entry) -> Option<Channel> {
        if !is_name(&entry.key) {
            reading.fault(entry.line, "channels", format!("a channel's name; allowed: {NAME}"));
        }
        let all = reading.map(&entry.value, &entry.key)?;
        let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        let kind = reading.required(all, "kind", &names.join(", "))?;
        let Some((kind, known)) = KINDS.iter().find(|(name, _)| *name == kind.text) else {
            reading.fault(kind.line, "kind", unknown("kind", &kind.written, &names));
            return None;
        };
        for other in all.entries.iter().filter(|other| !known.contains(&other.key.as_str())) {
            reading.fault(other.line, &entry.key, unknown("field", &other.key, known));
        }
        Some(Channel { name: entry.key.clone(), kind: Kind::read(reading, kind, all)? })
    }
}

impl Kind {
    fn read(reading: &mut Reading<'_>, kind: &str, fields: Fields<'_>) -> Option<Kind> {
        Some(match kind {
            "email" => {
                let smtp = required(reading, fields, "smtp", mail::SERVER, mail::is_server);
                let from = reading.required(fields, "from", "name@host");
                let from = reading.meaning(from, "from", "name@host", address);
                let to = recipients(reading, fields);
                Kind::Email { smtp: smtp?, from: from?, to: to? }
            }
            "slack" => Kind::Slack { url: required(reading, fields, "url", URL, is_url)? },
            "teams" => Kind::Teams { url: required(reading, fields, "url", URL, is_url)? },
            "pagerduty" => {
                let routing_key = required(reading, fields, "routing_key", KEY, is_key);
                let webhook_secret = optional(reading, fields, "webhook_secret", KEY, is_key);
                let url = optional(reading, fields, "url", URL, is_url);
                Kind::PagerDuty { routing_key: routing_key?, webhook_secret, url }
            }
            "webhook" => {
                let url = required(reading, fields, "url", URL, is_url);
                let secret = optional(reading, fields, "secret", KEY, is_key);
                let send_resolved = reading.switch(fields, "send_resolved", true);
                Kind::Webhook { url: url?, secret, send_resolved }
            }
            _ => {
                let token = required(reading, fields, "token", KEY, is_key);
                let chat = reading.required(fields, "chat", "a chat's number or @name");
                let chat = reading.meaning(chat, "chat", "a chat's number or @name", |chat| {
                    let good = chat.trim_start_matches(['-', '@']);
                    let good = !good.is_empty() && chat.len() <= 64 && good.chars().all(is_plain);
                    good.then(|| chat.to_owned())
                });
                Kind::Telegram { token: token?, chat: chat? }
            }
        })
    }
}

impl Kind {
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Kind::Email { smtp, .. } => vec![smtp],
            Kind::Slack { url } | Kind::Teams { url } => vec![url],
            Kind::PagerDuty { routing_key, webhook_secret, url } => {
                [routing_key].into_iter().chain(webhook_secret).chain(url).collect()
            }
            Kind::Webhook { url, secret, .. } => [url].into_iter().chain(secret).collect(),
            Kind::Telegram { token, .. } => vec![token],
        }
    }
}

fn address(text: &str) -> Option<String> {
    mail::is_address(text).then(|| text.to_owned())
}

fn recipients(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Vec<String>> {
    let allowed = "1 to 20 of name@host, as [a@b, c@d]";
    let Some(node) = fields.get("to") else {
        reading.fault(fields.line, "to", format!("missing; allowed: {allowed}"));
        return None;
    };
    let nodes: Vec<&Node> = match &node.value {
        Value::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    };
    if nodes.is_empty() || nodes.len() > RECIPIENTS {
        reading.fault(node.line, "to", format!("{} addresses; allowed: {allowed}", nodes.len()));
        return None;
    }
    let mut all = Vec::new();
    for node in nodes {
        let text = reading.text(node, "to");
        all.extend(reading.meaning(text, "to", allowed, address));
    }
    Some(all)
}

pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty())
        && text.chars().count() <= 2_000
        && !text.contains(|letter: char| letter.is_whitespace() || crate::text::is_hidden(letter))
}

fn is_key(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn required(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    name: &str,
    allowed: &str,
    is_good: impl Fn(&str) -> bool,
) -> Option<Secret> {
    let text = reading.required(fields, name, allowed)?;
    secret(reading, text, name, allowed, is_good)
}

pub(super) fn optional(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    name: &str,
    allowed: &str,
    is_good: impl Fn(&str) -> bool,
) -> Option<Secret> {
    let text = reading.optional(fields, name)?;
    secret(reading, text, name, allowed, is_good)
}

/// The fault does not quote it.
fn secret(
    reading: &mut Reading<'_>,
    text: Text,
    name: &str,
    allowed: &str,
    is_good: impl Fn(&str) -> bool,
) -> Option<Secret> {
    // A value that was read from a file often ends with its line break.
    let value = text.text.trim();
    if is_good(value) {
        return Some(Secret::new(value, text.written));
    }
    reading.fault(text.line, name, format!("the value, not shown here, is not allowed; allowed: {allowed}"));
    None
}
