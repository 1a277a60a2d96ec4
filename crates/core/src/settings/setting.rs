//! What is known of one setting, apart from its value.

/// One row of the table. Its key in a file is `name`; in the environment it is `STREAMGAUGE_` and the name in capitals; as a
/// flag it is `--` and the name with dashes.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// As it would stand in a file. `None`: without a value, something is off or left to the machine.
    pub default: Option<&'static str>,
    pub range: Range,
    /// Of numbers; empty for counts that need none.
    pub unit: &'static str,
    /// What is allowed, as the end of the sentence "… must be ….".
    pub allowed: &'static str,
    pub help: &'static str,
}

/// When a setting may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At a start only.
    Fixed,
    /// While the server runs, by a person.
    Running,
    /// While the server runs, also by the optimizer: by whole steps, within the range.
    Tunable { step: u32 },
}

/// Which values a setting may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Whole {
        least: u64,
        most: u64,
    },
    /// The same, or 0, which turns something off.
    OffOrWhole {
        least: u64,
        most: u64,
    },
    /// Also with a fraction.
    Number {
        least: u32,
        most: u32,
    },
    Switch,
    /// As `allowed` says.
    Text,
}

impl Setting {
    /// In the environment.
    pub fn variable(&self) -> String {
        format!("STREAMGAUGE_{}", self.name.to_uppercase())
    }

    /// On the command line, without its two dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Whether it may change while the server runs.
    pub fn may_change(&self) -> bool {
        self.kind != Kind::Fixed
    }

    /// The range in short. `None`: `allowed` needs more words.
    pub fn bounds(&self) -> Option<String> {
        match self.range {
            Range::Whole { least, most } => Some(format!("{least} to {most}")),
            Range::OffOrWhole { least, most } => Some(format!("0, or {least} to {most}")),
            Range::Number { least, most } => Some(format!("{least} to {most}")),
            Range::Switch => Some("true or false".to_owned()),
            Range::Text => None,
        }
    }

    /// For `--help`: what it does, then its range with its unit, then its default.
    pub fn help_text(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let bounds = self.bounds().map(|bounds| format!("{bounds}{unit}"));
        let default = self.default.map(|default| format!("default: {default}"));
        let facts: Vec<String> = bounds.into_iter().chain(default).collect();
        if facts.is_empty() { self.help.to_owned() } else { format!("{} [{}]", self.help, facts.join("; ")) }
    }
}
