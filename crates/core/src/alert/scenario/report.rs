//! What a run found, as people read it.

use super::super::file::number::Seconds;
use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub tests: usize,
    /// Facts that were compared.
    pub checks: usize,
    pub failures: Vec<Failure>,
}

/// What was otherwise than expected of one rule at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the entry in the file. `None`: no entry names the rule.
    pub line: Option<u32>,
    /// The test's name; empty if it has none.
    pub test: String,
    /// Seconds from the start.
    pub at: i64,
    pub rule: String,
    pub expected: Vec<String>,
    pub found: Vec<String>,
    /// Why the rule stands as it stands.
    pub reason: String,
}

impl Report {
    pub fn is_as_expected(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Seconds(u32::try_from(self.at).unwrap_or(u32::MAX));
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.test.is_empty() {
            write!(f, "{}: ", self.test)?;
        }
        writeln!(f, "{} at {at}", self.rule)?;
        for line in &self.expected {
            writeln!(f, "  - {line}")?;
        }
        for line in &self.found {
            writeln!(f, "  + {line}")?;
        }
        if self.reason.is_empty() { Ok(()) } else { writeln!(f, "    {}", self.reason) }
    }
}
