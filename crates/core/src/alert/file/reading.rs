//! Fields out of YAML. It goes on after a fault, so that a person sees all of them at once.

use super::{
    Fault,
    fault::unknown,
    tree::{Entry, Node, Value},
};
use crate::text::said::plainly;
use std::collections::BTreeMap;

/// Of one value, after the environment's were put in.
pub const MAX_CHARACTERS: usize = 4_096;

pub struct Reading<'e> {
    environment: &'e dyn Fn(&str) -> Option<String>,
    /// What it gave, by name. A slip may have put a password where a fault quotes it.
    given: BTreeMap<String, String>,
    pub faults: Vec<Fault>,
}

/// Shorter values are no secrets, and other words hold them.
const SHORTEST_SECRET: usize = 4;

#[derive(Clone)]
pub struct Text {
    pub line: u32,
    /// With the environment's values.
    pub text: String,
    /// As the file has it.
    pub written: String,
}

/// A map whose keys are known and stand there once.
#[derive(Clone, Copy)]
pub struct Fields<'n> {
    pub line: u32,
    pub entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    pub fn get(self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value)
    }
}

impl<'e> Reading<'e> {
    pub fn new(environment: &'e dyn Fn(&str) -> Option<String>) -> Reading<'e> {
        Reading { environment, given: BTreeMap::new(), faults: Vec::new() }
    }

    /// The message quotes `${NAME}` in place of its value.
    pub fn fault(&mut self, line: u32, field: &str, message: impl Into<String>) {
        let mut message = message.into();
        for (name, value) in &self.given {
            for value in [value.clone(), plainly(value)] {
                if value.len() >= SHORTEST_SECRET {
                    message = message.replace(&value, &format!("${{{name}}}"));
                }
            }
        }
        self.faults.push(Fault::new(line, field, message));
    }

    /// A map of any keys, each once.
    pub fn map<'n>(&mut self, node: &'n Node, field: &str) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.fault(node.line, field, "allowed: a map of `field: value`");
            return None;
        };
        let mut seen = BTreeMap::new();
        for entry in entries {
            if let Some(first) = seen.insert(entry.key.as_str(), entry.line) {
                self.fault(entry.line, &entry.key, format!("stands here twice, first on line {first}"));
            }
        }
        Some(Fields { line: node.line, entries })
    }

    pub fn fields<'n>(&mut self, node: &'n Node, field: &str, known: &[&str]) -> Option<Fields<'n>> {
        let fields = self.map(node, field)?;
        for entry in fields.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.fault(entry.line, field, unknown("field", &entry.key, known));
        }
        Some(fields)
    }

    pub fn list<'n>(&mut self, node: &'n Node, field: &str, most: usize) -> &'n [Node] {
        match &node.value {
            Value::List(items) if items.len() <= most => items,
            // `alerts:` with nothing after it.
            Value::Text(text) if text.is_empty() => &[],
            Value::List(_) => {
                self.fault(node.line, field, format!("allowed: at most {most}"));
                &[]
            }
            _ => {
                self.fault(node.line, field, "allowed: a list, each entry after `- `");
                &[]
            }
        }
    }

    pub fn text(&mut self, node: &Node, field: &str) -> Option<Text> {
        let Value::Text(written) = &node.value else {
            self.fault(node.line, field, "allowed: one value, not a list or map");
            return None;
        };
        match self.expanded(written) {
            Ok(text) => Some(Text { line: node.line, text, written: written.clone() }),
            Err(message) => {
                self.fault(node.line, field, message);
                None
            }
        }
    }

    pub fn optional(&mut self, fields: Fields<'_>, name: &str) -> Option<Text> {
        self.text(fields.get(name)?, name)
    }

    pub fn required(&mut self, fields: Fields<'_>, name: &str, allowed: &str) -> Option<Text> {
        if fields.get(name).is_none() {
            self.fault(fields.line, name, format!("missing; allowed: {allowed}"));
        }
        self.optional(fields, name)
    }

    /// What the text means; `None` of `parse` is a fault that quotes it.
    pub fn meaning<T>(
        &mut self,
        text: Option<Text>,
        field: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text?;
        let meaning = parse(text.text.trim());
        if meaning.is_none() {
            let shown = plainly(&text.written);
            self.fault(text.line, field, format!("`{shown}` is not allowed; allowed: {allowed}"));
        }
        meaning
    }

    pub fn switch(&mut self, fields: Fields<'_>, name: &str, default: bool) -> bool {
        let text = self.optional(fields, name);
        self.meaning(text, name, "true, false", |text| text.parse().ok()).unwrap_or(default)
    }

    /// Puts the environment's values in after the YAML was read, so that none of them can add a field or a rule.
    fn expanded(&mut self, written: &str) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            let (before, variable) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                text.push_str(before);
                text.push_str("${");
                rest = &variable[2..];
                continue;
            }
            text.push_str(before);
            let Some((name, after)) = variable[2..].split_once('}').filter(|(name, _)| is_name(name)) else {
                return Err("`${` begins no `${NAME}`; allowed in a name: letters, digits and `_`; `$${` stands for `${` itself".into());
            };
            let value = (self.environment)(name);
            let value = value.ok_or_else(|| format!("`{name}` is not set in the environment"))?;
            text.push_str(&value);
            self.given.insert(name.to_owned(), value);
            rest = after;
        }
        text.push_str(rest);
        match text.chars().nth(MAX_CHARACTERS) {
            Some(_) => Err(format!("allowed: at most {MAX_CHARACTERS} characters")),
            None => Ok(text),
        }
    }
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&name.len())
        && name.bytes().all(good)
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_replaced_and_a_doubled_dollar_is_not() {
        let environment = |name: &str| (name == "KEY").then(|| "a: ${KEY}\nb".to_owned());
        let mut reading = Reading::new(&environment);
        let mut check = |written: &str, text: Result<&str, &str>| match (reading.expanded(written), text) {
            (Ok(found), Ok(text)) => assert_eq!(found, text, "{written}"),
            (Err(found), Err(text)) => assert!(found.contains(text), "{written}: {found}"),
            (found, _) => panic!("{written}: {found:?}"),
        };
        check("plain $5", Ok("plain $5"));
        check("<${KEY}>", Ok("<a: ${KEY}\nb>"));
        check("$${KEY}", Ok("${KEY}"));
        check("${OTHER}", Err("`OTHER` is not set in the environment"));
        check("${KEY", Err("begins no `${NAME}`"));
        check("${}", Err("begins no `${NAME}`"));
        check("${a b}", Err("begins no `${NAME}`"));
        check(&"x".repeat(MAX_CHARACTERS + 1), Err("at most 4096 characters"));
    }
}
