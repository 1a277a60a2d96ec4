//! The rules as they are in force: of the file, or of PostgreSQL. A rule is stored as one item of `alerts:`, in the words of
//! the export, so that two texts of the same rule are one version.

use super::watched::BUCKET;
use crate::store::alerts::StoredRule;
use std::fmt;
use streamgauge_core::alert::{
    file::{self, AlertFile, Fault, Place, Rule},
    machine::{Machine, View},
};

/// One rule with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub rule: Rule,
    /// One item of `alerts:`.
    pub yaml: String,
    /// 0 in a file.
    pub version: i64,
    /// Its words and its threshold, as a machine says them that has judged nothing; also of a rule that is not used.
    pub about: Option<View>,
}

impl Entry {
    fn new(rule: Rule, yaml: String, version: i64) -> Entry {
        let used = Rule { enabled: true, ..rule.clone() };
        let about = Machine::new(&used, true, BUCKET).ok().map(|machine| machine.view());
        Entry { rule, yaml, version, about }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// Where the file lies. `None`: the rules are in PostgreSQL.
    pub path: Option<String>,
    pub entries: Vec<Entry>,
    /// Channels that rules name and that do not exist.
    pub not_set_up: Vec<String>,
}

/// Every fault, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRules(pub Vec<Fault>);

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Book {
    /// Of a file's bytes.
    pub fn of_file(
        path: &str,
        bytes: &[u8],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Book, BadRules> {
        let file = file::parse_bytes(bytes, Place::File, environment).map_err(BadRules)?;
        let not_set_up = file.not_set_up().into_iter().map(str::to_owned).collect();
        let entries = file.rules.into_iter().map(|rule| {
            let yaml = item(&rule);
            Entry::new(rule, yaml, 0)
        });
        Ok(Book { path: Some(path.to_owned()), entries: entries.collect(), not_set_up })
    }

    /// Of stored rows. A rule that this version cannot read, because a later one wrote it, is left out.
    pub fn of_rows(rows: &[StoredRule]) -> Book {
        let mut rows: Vec<&StoredRule> = rows.iter().collect();
        loop {
            let faults =
                match file::parse(&whole(rows.iter().map(|row| &*row.yaml)), Place::Database, |_| None) {
                    Ok(file) if file.rules.len() == rows.len() => return Book::of_rules(file, &rows),
                    Ok(_) => Vec::new(),
                    Err(faults) => faults,
                };
            let kept = without_faults(&rows, &faults);
            if kept.len() == rows.len() {
                tracing::error!("the stored alert rules cannot be read by this version: none is judged");
                return Book::default();
            }
            rows = kept;
        }
    }

    /// The rules that a new installation has.
    pub fn shipped() -> Book {
        let row = |(name, yaml, enabled)| StoredRule { name, version: 1, yaml, enabled };
        Book::of_rows(&shipped().into_iter().map(row).collect::<Vec<_>>())
    }

    fn of_rules(file: AlertFile, rows: &[&StoredRule]) -> Book {
        let not_set_up = file.not_set_up().into_iter().map(str::to_owned).collect();
        let entries = file.rules.into_iter().zip(rows);
        let entries = entries.map(|(rule, row)| Entry::new(rule, row.yaml.clone(), row.version));
        Book { path: None, entries: entries.collect(), not_set_up }
    }

    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.rule.name == name)
    }

    /// All rules as a file.
    pub fn export(&self) -> String {
        let rules = self.entries.iter().map(|entry| entry.rule.clone()).collect();
        AlertFile { rules, ..AlertFile::default() }.export()
    }
}

/// The rules that a new installation has: name, text, whether it is enabled.
pub fn shipped() -> Vec<(String, String, bool)> {
    let file = file::shipped::file().unwrap_or_default();
    file.rules.iter().map(|rule| (rule.name.clone(), item(rule), rule.enabled)).collect()
}

/// A rule as one item of `alerts:`.
pub fn item(rule: &Rule) -> String {
    let file = AlertFile { rules: vec![rule.clone()], ..AlertFile::default() };
    let lines = file.export();
    let lines = lines.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Items as a file.
fn whole<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("alerts:\n");
    for line in items.into_iter().flat_map(str::lines) {
        text.extend(["  ", line, "\n"]);
    }
    text
}

/// The rows on whose lines nothing is wrong. The first line is not theirs.
fn without_faults<'a>(rows: &[&'a StoredRule], faults: &[Fault]) -> Vec<&'a StoredRule> {
    let mut first = 2;
    let mut kept = Vec::new();
    for row in rows {
        let next = first + u32::try_from(row.yaml.lines().count()).unwrap_or(0);
        match faults.iter().find(|fault| (first..next).contains(&fault.line)) {
            Some(fault) => {
                tracing::warn!(rule = row.name, %fault, "a stored alert rule cannot be read: it is not judged");
            }
            None => kept.push(*row),
        }
        first = next;
    }
    kept
}

/// A stored rule by itself: whether it depends on another one is of no matter to it. It is taken as enabled.
pub fn alone(yaml: &str) -> Option<Rule> {
    let kept = yaml.lines().filter(|line| !line.trim_start().starts_with("depends_on:"));
    let text = whole([kept.collect::<Vec<_>>().join("\n").as_str()]);
    let rule = file::parse(&text, Place::Database, |_| None).ok()?.rules.into_iter().next()?;
    Some(Rule { enabled: true, ..rule })
}

/// Longest text of one rule, bytes.
pub const LONGEST: usize = 8 * 1024;

/// One rule as somebody edits it, checked beside the other rules of the book: an item of `alerts:`, the map alone, or a file
/// of one rule; YAML or JSON. Faults count lines from the text's own first one.
pub fn checked(text: &str, book: &Book) -> Result<Rule, BadRules> {
    let refuse = |line, message: &str| BadRules(vec![Fault::new(line, "", message)]);
    if text.len() > LONGEST {
        return Err(refuse(1, "the rule is larger than 8 KiB"));
    }
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let Some(first) = text.lines().find(is_said) else { return Err(refuse(1, "there is no rule")) };
    if first.starts_with("alerts:") {
        let file = file::parse(text, Place::Database, |_| None).map_err(BadRules)?;
        let [rule] = file.rules.as_slice() else { return Err(refuse(1, "allowed: one rule")) };
        return checked(&item(rule), book);
    }
    let is_item = first.trim_start().starts_with("- ");
    let mut begun = is_item;
    let lines = text.lines().map(|line| {
        let said = is_said(&line);
        match (is_item, said) {
            (true, _) | (false, false) => line.to_owned(),
            (false, true) if begun => format!("  {line}"),
            (false, true) => {
                begun = true;
                format!("- {line}")
            }
        }
    });
    let edited = lines.collect::<Vec<_>>().join("\n");
    // Alone first: only its name says which stored rule it takes the place of.
    let name = name_of(&whole([edited.as_str()]));
    let others = book.entries.iter().filter(|entry| entry.rule.name != name).map(|entry| &*entry.yaml);
    let all = whole(std::iter::once(edited.as_str()).chain(others));
    let faults = |faults: Vec<Fault>| {
        let moved = |fault: Fault| Fault { line: fault.line.saturating_sub(1).max(1), ..fault };
        BadRules(faults.into_iter().map(moved).collect())
    };
    let file = file::parse(&all, Place::Database, |_| None).map_err(faults)?;
    let more = file.rules.len() > book.entries.iter().filter(|entry| entry.rule.name != name).count() + 1;
    match file.rules.into_iter().next() {
        Some(rule) if !more => Ok(rule),
        _ => Err(refuse(1, "allowed: one rule")),
    }
}

/// The name of the text's one rule, also where something else is wrong with it: then the whole says what.
fn name_of(text: &str) -> String {
    match file::parse(text, Place::Database, |_| None) {
        Ok(file) => file.rules.first().map(|rule| rule.name.clone()).unwrap_or_default(),
        Err(_) => {
            let mut named =
                text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("name:"));
            named.next().map(|name| name.trim().trim_matches(['"', '\'']).to_owned()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let rows: Vec<StoredRule> = shipped()
            .into_iter()
            .map(|(name, yaml, enabled)| StoredRule { name, version: 1, yaml, enabled })
            .collect();
        Book::of_rows(&rows)
    }

    #[test]
    fn shipped_rules_are_read_back_from_their_rows() {
        let book = book();
        assert_eq!(book.entries.len(), shipped().len());
        assert_eq!(book.not_set_up, ["email", "pagerduty", "slack"]);
        let again = file::parse(&book.export(), Place::Database, |_| None).expect("a good file");
        assert_eq!(again.rules.len(), book.entries.len());
    }

    #[test]
    fn a_rule_that_cannot_be_read_does_not_take_the_others_along() {
        let mut rows: Vec<StoredRule> = shipped()
            .into_iter()
            .map(|(name, yaml, enabled)| StoredRule { name, version: 1, yaml, enabled })
            .collect();
        let all = rows.len();
        rows[1].yaml = "- name: Of_A_Later_Version\n  condition: no_such_metric > 1\n  duration: 5m\n".into();
        assert_eq!(Book::of_rows(&rows).entries.len(), all - 1);
    }

    #[test]
    fn one_rule_is_read_in_each_shape_that_people_send() {
        let book = book();
        let map =
            "name: Mine\ncondition: error_rate > 2%\nduration: 5m\nseverity: warning\nnotification: slack\n";
        let item = format!("# mine\n- {}", map.trim_end().replace('\n', "\n  "));
        let file = format!("alerts:\n{}", item.lines().map(|line| format!("  {line}\n")).collect::<String>());
        let json = r#"{"name": "Mine", "condition": "error_rate > 2%", "duration": "5m", "severity": "warning", "notification": ["slack"]}"#;
        let expected = checked(map, &book).expect("a rule");
        for text in [item.as_str(), &file, json] {
            assert_eq!(checked(text, &book).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn faults_count_lines_from_the_texts_own_first_one() {
        let check = |text: &str, line, words: &str| {
            let BadRules(faults) = checked(text, &book()).expect_err(text);
            assert_eq!(faults[0].line, line, "{faults:?}");
            assert!(faults[0].to_string().contains(words), "{faults:?}");
        };
        check(
            "name: A\ncondition: eror_rate > 1%\nduration: 5m\nseverity: info\nnotification: slack",
            2,
            "error_rate",
        );
        check("", 1, "no rule");
        check(
            "- name: A\n  condition: error_rate > 1%\n  duration: 5m\n  severity: info\n  notification: slack\n  depends_on: B",
            6,
            "unknown rule",
        );
        check(&"x".repeat(LONGEST + 1), 1, "8 KiB");
    }
}
