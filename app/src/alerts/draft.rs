//! A rule as a form's fields, and as YAML. A draft may be faulty: the backtest's own reader says what is wrong with it.

use streamgauge_core::alert::file::subject::{Dimension, Subject};

/// The fields of a rule as texts, as the form has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub watch: Watch,
    pub severity: String,
    pub notification: Vec<String>,
    pub keep_firing_for: String,
    pub mode: String,
    pub confidence: String,
    pub depends_on: String,
    pub runbook: String,
    pub description: String,
    pub enabled: bool,
    pub node: String,
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    Condition {
        metric: String,
        comparison: String,
        /// With its unit.
        threshold: String,
        duration: String,
        recover: String,
        eager: bool,
    },
    Burn {
        objective: String,
        factor: String,
        long: String,
        short: String,
    },
}

impl Default for Draft {
    /// What the page for a new rule begins with.
    fn default() -> Draft {
        Draft {
            name: String::new(),
            watch: Watch::condition(),
            severity: "warning".into(),
            notification: Vec::new(),
            keep_firing_for: String::new(),
            mode: "robust".into(),
            confidence: "99.99%".into(),
            depends_on: String::new(),
            runbook: String::new(),
            description: String::new(),
            enabled: true,
            node: String::new(),
            region: String::new(),
        }
    }
}

impl Watch {
    fn condition() -> Watch {
        Watch::Condition {
            metric: "error_rate".into(),
            comparison: ">".into(),
            threshold: "1%".into(),
            duration: "5m".into(),
            recover: String::new(),
            eager: false,
        }
    }

    pub fn burn() -> Watch {
        Watch::Burn {
            objective: "errors".into(),
            factor: "14.4".into(),
            long: "1h".into(),
            short: "5m".into(),
        }
    }
}

/// The unit that a number of this metric has if none is written. Nothing for an unknown one, which is a fault anyway.
pub fn unit_of(metric: &str) -> &'static str {
    match Subject::named(metric).map(Subject::dimension) {
        Some(Dimension::Percent) => "%",
        Some(Dimension::Time) => "ms",
        Some(Dimension::Bytes) => "MB",
        Some(Dimension::Count) | None => "",
    }
}

/// The YAML of the rule that a form describes: its field `yaml`, or else its other fields put together.
pub fn rule_yaml(fields: &[(String, String)]) -> String {
    let yaml = fields.iter().find(|(name, text)| name == "yaml" && !text.trim().is_empty());
    match yaml {
        Some((_, yaml)) => yaml.clone(),
        None => Draft::of_fields(fields).yaml(),
    }
}

impl Draft {
    pub fn of_fields(fields: &[(String, String)]) -> Draft {
        let is_burn = fields.iter().any(|(name, text)| name == "kind" && text == "burn");
        let watch = if is_burn { Watch::burn() } else { Watch::condition() };
        let mut draft = Draft { watch, ..Draft::default() };
        for (name, text) in fields {
            draft.set(name, text.trim());
        }
        // A bare number has the metric's usual unit.
        let bare = |text: &str| !text.contains(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
        if let Watch::Condition { metric, threshold, recover, .. } = &mut draft.watch {
            for quantity in [threshold, recover] {
                if !quantity.is_empty() && bare(quantity) {
                    quantity.push_str(unit_of(metric));
                }
            }
        }
        draft
    }

    /// One item of `alerts:`, as this server writes it: a field a line.
    pub fn of_yaml(yaml: &str) -> Draft {
        let is_burn = yaml.contains("budget_burn:");
        let watch = if is_burn { Watch::burn() } else { Watch::condition() };
        let mut draft = Draft { watch, ..Draft::default() };
        let mut listing = false;
        for line in yaml.lines() {
            let line = line.trim();
            let item = line.strip_prefix("- ");
            let Some((name, value)) = item.unwrap_or(line).split_once(':') else {
                // A channel in a list of its own lines.
                if let Some(channel) = item.filter(|_| listing) {
                    draft.notification.push(plain(channel));
                }
                continue;
            };
            let value = value.trim();
            listing = name == "notification" && value.is_empty();
            match name {
                "condition" => draft.set_condition(&plain(value)),
                "budget_burn" => {
                    for part in value.trim_matches(['{', '}', ' ']).split(',') {
                        if let Some((name, value)) = part.split_once(':') {
                            draft.set(name.trim(), &plain(value));
                        }
                    }
                }
                "notification" => {
                    for channel in plain(value).trim_matches(['[', ']']).split(',') {
                        draft.set("notification", &plain(channel));
                    }
                }
                name => draft.set(name, &plain(value)),
            }
        }
        draft
    }

    fn set_condition(&mut self, text: &str) {
        let Some(at) = text.find(['<', '>']) else { return };
        let end = text[at..].find(|letter: char| !"<>=".contains(letter)).map_or(text.len(), |end| at + end);
        self.set("metric", text[..at].trim());
        self.set("comparison", &text[at..end]);
        self.set("threshold", text[end..].trim());
    }

    /// The last value of a field counts, as of a hidden field before its checkbox. Unknown fields are another's.
    fn set(&mut self, name: &str, text: &str) {
        let text = text.to_owned();
        match (name, &mut self.watch) {
            ("name", _) => self.name = text,
            ("severity", _) => self.severity = text,
            ("notification", _) if text.is_empty() => {}
            ("notification", _) => self.notification.push(text),
            ("keep_firing_for", _) => self.keep_firing_for = text,
            ("mode", _) => self.mode = text,
            ("confidence", _) => self.confidence = text,
            ("depends_on", _) => self.depends_on = text,
            ("runbook", _) => self.runbook = text,
            ("description", _) => self.description = text,
            ("enabled", _) => self.enabled = text != "false",
            ("node", _) => self.node = text,
            ("region", _) => self.region = text,
            ("metric", Watch::Condition { metric, .. }) => *metric = text,
            ("comparison", Watch::Condition { comparison, .. }) => *comparison = text,
            ("threshold", Watch::Condition { threshold, .. }) => *threshold = text,
            ("duration", Watch::Condition { duration, .. }) => *duration = text,
            ("recover", Watch::Condition { recover, .. }) => *recover = text,
            ("eager", Watch::Condition { eager, .. }) => *eager = text == "true",
            ("objective", Watch::Burn { objective, .. }) => *objective = text,
            ("factor", Watch::Burn { factor, .. }) => *factor = text,
            ("long", Watch::Burn { long, .. }) => *long = text,
            ("short", Watch::Burn { short, .. }) => *short = text,
            _ => {}
        }
    }

    /// What says something, in the file's order.
    pub fn said(&self) -> Vec<(&'static str, String)> {
        let mut said = vec![("name", self.name.clone())];
        let some = |text: &String, unless: &str| (!text.is_empty() && text != unless).then(|| text.clone());
        match &self.watch {
            Watch::Condition { metric, comparison, threshold, duration, recover, eager } => {
                said.push(("condition", format!("{metric} {comparison} {threshold}")));
                said.push(("duration", duration.clone()));
                said.extend(some(recover, "").map(|text| ("recover", text)));
                said.extend(eager.then(|| ("eager", "true".into())));
            }
            Watch::Burn { objective, factor, long, short } => said.push((
                "budget_burn",
                format!("{{ objective: {objective}, factor: {factor}, long: {long}, short: {short} }}"),
            )),
        }
        said.push(("severity", self.severity.clone()));
        let channels = self.notification.join(", ");
        said.push(("notification", if channels.is_empty() { "[]".into() } else { channels }));
        let rest = [
            ("keep_firing_for", some(&self.keep_firing_for, "")),
            ("mode", some(&self.mode, "robust")),
            ("confidence", some(&self.confidence, "99.99%")),
            ("depends_on", some(&self.depends_on, "")),
            ("runbook", some(&self.runbook, "")),
            ("description", some(&self.description, "")),
            ("enabled", (!self.enabled).then(|| "false".into())),
            ("node", some(&self.node, "")),
            ("region", some(&self.region, "")),
        ];
        said.extend(rest.into_iter().filter_map(|(name, text)| Some((name, text?))));
        said
    }

    pub fn yaml(&self) -> String {
        let line = |(name, text): (&'static str, String)| {
            let start = if name == "name" { "- " } else { "  " };
            format!("{start}{name}: {}\n", written(name, &text))
        };
        self.said().into_iter().map(line).collect()
    }

    /// What is different in `new`: the field, and what it was and is.
    pub fn changes(&self, new: &Draft) -> Vec<(&'static str, Option<String>, Option<String>)> {
        let (old, new) = (self.said(), new.said());
        let of = |said: &[(&'static str, String)], wanted: &str| {
            said.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone())
        };
        let mut names: Vec<&'static str> = old.iter().map(|(name, _)| *name).collect();
        names.extend(new.iter().map(|(name, _)| *name).filter(|name| of(&old, name).is_none()));
        let change = |name| {
            let (old, new) = (of(&old, name), of(&new, name));
            (old != new).then_some((name, old, new))
        };
        names.into_iter().filter_map(change).collect()
    }
}

/// A scalar's text without its quotes.
fn plain(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('"') {
        let read = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.trim_matches('"').to_owned());
        return read.replace("$${", "${");
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return inner.replace("''", "'");
    }
    text.split_once(" #").map_or(text, |(text, _)| text.trim_end()).to_owned()
}

/// Quoted, unless it is surely read as it stands. A burn is a map of its own; what is strange in it is refused by the reader.
fn written(name: &str, text: &str) -> String {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "_-.%<>=, ".contains(letter);
    let is_plain =
        text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && text.chars().all(harmless);
    let is_map =
        name == "budget_burn" && text.chars().all(|letter| harmless(letter) || "{}:".contains(letter));
    if is_plain || is_map || text == "[]" {
        return text.to_owned();
    }
    serde_json::to_string(&text.replace("${", "$${")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
    }

    #[test]
    fn a_form_becomes_the_rule_that_it_describes() {
        let form = fields(&[
            ("name", "SSE_High_Error_Rate"),
            ("metric", "error_rate"),
            ("comparison", ">"),
            ("threshold", "1.5"),
            ("duration", "5m"),
            ("severity", "critical"),
            ("notification", "email"),
            ("notification", "slack"),
            ("recover", "0.8"),
            ("description", "Say \"what\": # now"),
            ("enabled", "false"),
            ("enabled", "true"),
            ("back", "/alerts"),
        ]);
        let yaml = "- name: SSE_High_Error_Rate\n  condition: error_rate > 1.5%\n  duration: 5m\n  recover: 0.8%\n  \
                    severity: critical\n  notification: email, slack\n  description: \"Say \\\"what\\\": # now\"\n";
        assert_eq!(rule_yaml(&form), yaml);
        let draft = Draft::of_yaml(yaml);
        assert_eq!(draft, Draft::of_fields(&form));
        assert_eq!(draft.yaml(), yaml);
    }

    #[test]
    fn a_unit_that_was_written_stays() {
        let form = fields(&[("metric", "avg_latency"), ("threshold", "2 s"), ("recover", "")]);
        let Watch::Condition { threshold, recover, .. } = Draft::of_fields(&form).watch else {
            panic!("a condition")
        };
        assert_eq!((threshold.as_str(), recover.as_str()), ("2 s", ""));
    }

    #[test]
    fn a_burn_rule_travels_both_ways() {
        let yaml = "- name: Error_Budget_Fast_Burn\n  budget_burn: { objective: errors, factor: 6, long: 6h, short: 30m }\n  \
                    severity: critical\n  notification: []\n";
        let draft = Draft::of_yaml(yaml);
        assert_eq!(draft.notification, Vec::<String>::new());
        assert_eq!(draft.yaml(), yaml);
    }

    #[test]
    fn a_text_cannot_leave_its_line() {
        let draft = Draft { description: "a\n  severity: info".into(), ..Draft::default() };
        let lines = draft.yaml().lines().filter(|line| line.trim_start().starts_with("severity:")).count();
        assert_eq!(lines, 1);
    }

    #[test]
    fn changes_name_what_was_and_what_is() {
        let old = Draft::default();
        let new = Draft { severity: "critical".into(), runbook: "https://a".into(), ..Draft::default() };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(
            old.changes(&new),
            [("severity", said("warning"), said("critical")), ("runbook", None, said("https://a"))]
        );
    }
}
