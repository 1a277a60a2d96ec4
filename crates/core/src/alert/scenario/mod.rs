//! Scenario files: the specification of alert rules as series of values, and what must come of them. The format is that of
//! `promtool test rules` with additions; `docs/alerts-testing.md` says it for operators.
//!
//! A scenario runs the very machine that judges live, with the same silences, maintenance and dependencies. Pure: texts in, a
//! report out. A restart writes the state as JSON, reads it into a new machine and fills the history in, as the server does.

mod command; // several files, as the command has them
mod event; // restarts, silences, edits, clocks
mod expect; // what was found against what was expected
mod read; // out of YAML, with the lines of faults
mod report; // what differed, and why
mod restart; // state and history after a stop
mod run; // a test from its beginning to its end
mod running; // a rule and its incidents
mod samples; // rows of nodes out of series
mod series; // names and values of series
#[cfg(test)]
mod tests;
mod world; // evaluation after evaluation, and what happens in between

pub use command::{Outcome, command};
pub use read::{Around, read};
pub use report::{Failure, Report};

use super::file::Rule;
use crate::page::alerts::RuleState;
use event::Event;
use samples::Grid;
use series::Series;

/// A file, checked.
pub struct Scenario {
    rules: Vec<Rule>,
    /// Seconds between two evaluations.
    step: i64,
    tests: Vec<Test>,
}

struct Test {
    name: String,
    grid: Grid,
    /// Unix seconds.
    start: i64,
    /// How bursty errors are at the start, in hundredths. `None`: not known yet.
    phi: Option<u64>,
    series: Vec<Series>,
    /// In the order of their times.
    events: Vec<Event>,
    expected: Vec<Expected>,
    /// Seconds from the start.
    end: i64,
}

/// One entry of `alert_rule_test`. `None`: not asked.
#[derive(Default)]
struct Expected {
    line: u32,
    /// Seconds from the start.
    at: i64,
    rule: String,
    alerts: Option<Vec<ExpectedAlert>>,
    /// And whether it is blind.
    state: Option<(RuleState, bool)>,
    incidents: Option<u64>,
    triggers: Option<u64>,
    resolves: Option<u64>,
    reason: Option<String>,
    incident: Option<&'static str>,
    muted_by: Option<&'static str>,
}

/// What is named must be so; what is not named may be anything.
struct ExpectedAlert {
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
}

impl Scenario {
    pub fn run(&self) -> Report {
        let mut report = Report { tests: self.tests.len(), ..Report::default() };
        for test in &self.tests {
            run::run(&self.rules, self.step, test, &mut report);
        }
        report
    }

    /// The state of each rule after each evaluation of its only or first test, by the rule's place in the file: for a
    /// comparison with other judges.
    pub fn states(&self) -> Vec<(i64, Vec<RuleState>)> {
        self.tests.first().map(|test| run::states(&self.rules, self.step, test)).unwrap_or_default()
    }
}
