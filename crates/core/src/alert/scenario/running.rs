//! A rule in a scenario: its machine, and what the database would hold of it.

use super::series::Source;
use crate::{
    alert::{
        file::rule::{Rule, Watch},
        machine::{Machine, Stored},
        mute::{Owed, owed},
        state::Transition,
    },
    metric::measure::packed::Packed,
    page::alerts::MutedBy,
};
use serde_json::json;

/// A rule as it runs, and what became of it.
pub(super) struct Running {
    pub rule: Rule,
    pub source: Source,
    pub machine: Machine,
    /// Rows since the last whole bucket, for a rule over longer ones.
    pub waiting: Vec<Packed>,
    pub book: Book,
    pub muted: Option<MutedBy>,
}

/// What the database holds of a rule's incidents.
#[derive(Clone, Default)]
pub(super) struct Book {
    pub incidents: u64,
    pub triggers: u64,
    pub resolves: u64,
    pub open: bool,
    pub acknowledged: bool,
    trigger_owed: bool,
    resolve_owed: bool,
    /// How the last incident ended.
    pub resolution: String,
    /// Seconds from the start.
    pub first_fired: Option<i64>,
}

impl Running {
    /// `None`: the rule is not enabled.
    pub fn new(rule: &Rule, step: i64, phi: Option<u64>) -> Option<Result<Running, String>> {
        let source = match rule.watch {
            Watch::Condition { condition, .. } => Source::of(condition.subject),
            Watch::Burn(burn) => Some(Source::of_objective(burn.objective)),
        };
        let mut machine = Machine::new(rule, true, step).ok()?;
        let Some(source) = source else { return Some(Err(rule.name.clone())) };
        if let Some(phi) = phi
            && let Some(stored) = measured(machine.step(), phi)
        {
            machine.restore(stored);
        }
        let (waiting, book) = Default::default();
        Some(Ok(Running { rule: rule.clone(), source, machine, waiting, book, muted: None }))
    }

    pub fn fires(&self) -> bool {
        self.book.open
    }
}

/// The state of a rule that knows nothing but how bursty its errors are.
fn measured(step: i64, phi: u64) -> Option<Stored> {
    let state = json!({ "robust": { "phi": phi, "step": step } });
    serde_json::from_value(json!({ "step": step, "places": { "": { "state": state } } })).ok()
}

impl Book {
    pub fn note(&mut self, at: i64, transition: Transition) {
        match transition {
            Transition::Fired => {
                self.incidents += 1;
                self.first_fired.get_or_insert(at);
                (self.open, self.acknowledged) = (true, false);
                (self.trigger_owed, self.resolve_owed) = (false, false);
            }
            Transition::Resolved(how) => {
                self.open = false;
                self.resolution = how.to_string();
            }
            _ => {}
        }
    }

    /// What a channel is sent now.
    pub fn send(&mut self, muted: bool) {
        match owed(self.open, muted, self.trigger_owed, self.resolve_owed) {
            Owed::Trigger => {
                self.trigger_owed = true;
                self.triggers += 1;
            }
            Owed::Resolve => {
                self.resolve_owed = true;
                self.resolves += 1;
            }
            Owed::Nothing => {}
        }
    }
}
