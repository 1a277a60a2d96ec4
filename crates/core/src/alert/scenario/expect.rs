//! What was found against what was expected, as lines of a difference.

use super::{Expected, ExpectedAlert, running::Running};
use crate::{
    alert::machine::View,
    metric::notice::Severity,
    page::alerts::{MutedBy, RuleState},
};

#[derive(Default)]
pub(super) struct Compared {
    pub checks: usize,
    pub expected: Vec<String>,
    pub found: Vec<String>,
}

impl Compared {
    fn fact(&mut self, name: &str, expected: &str, found: &str) {
        self.checks += 1;
        if expected != found {
            self.expected.push(format!("{name}: {expected}"));
            self.found.push(format!("{name}: {found}"));
        }
    }

    fn asked<T: ToString>(&mut self, name: &str, expected: Option<T>, found: &str) {
        if let Some(expected) = expected {
            self.fact(name, &expected.to_string(), found);
        }
    }
}

pub(super) fn check(running: &Running, expected: &Expected) -> Compared {
    let (view, book) = (running.machine.view(), &running.book);
    let mut compared = Compared::default();
    let state = |(state, blind): (RuleState, bool)| {
        format!("{}{}", state.as_str(), if blind { " blind" } else { "" })
    };
    compared.asked("exp_state", expected.state.map(state), &state((view.state, view.blind.is_some())));
    let incident = match (book.open, book.acknowledged, book.incidents) {
        (true, true, _) => "acknowledged",
        (true, false, _) => "open",
        (false, _, 0) => "none",
        (false, _, _) => "resolved",
    };
    compared.asked("exp_incident", expected.incident, incident);
    compared.asked("exp_incidents", expected.incidents, &book.incidents.to_string());
    compared.asked("exp_triggers", expected.triggers, &book.triggers.to_string());
    compared.asked("exp_resolves", expected.resolves, &book.resolves.to_string());
    let muted = match &running.muted {
        None => "nothing",
        Some(MutedBy::Silence { .. }) => "silence",
        Some(MutedBy::Maintenance { .. }) => "maintenance",
        Some(MutedBy::Dependency { .. }) => "dependency",
    };
    compared.asked("exp_muted_by", expected.muted_by, muted);
    if let Some(part) = &expected.reason {
        compared.checks += 1;
        if ![&view.reason, &book.resolution].into_iter().any(|text| text.contains(part.as_str())) {
            compared.expected.push(format!("exp_reason: {part}"));
            let resolution = if book.resolution.is_empty() { "" } else { "; resolved: " };
            compared.found.push(format!("exp_reason: {}{resolution}{}", view.reason, book.resolution));
        }
    }
    if let Some(alerts) = &expected.alerts {
        check_alerts(&mut compared, running, &view, alerts);
    }
    compared
}

/// A rule has one incident at a time, however many nodes it is about.
fn check_alerts(compared: &mut Compared, running: &Running, view: &View, alerts: &[ExpectedAlert]) {
    let fires = matches!(view.state, RuleState::Firing | RuleState::Recovering);
    compared.fact("exp_alerts", &alerts.len().to_string(), if fires { "1" } else { "0" });
    let Some(expected) = alerts.first().filter(|_| fires) else { return };
    let rule = &running.rule;
    for (name, value) in &expected.labels {
        let found = match name.as_str() {
            "severity" => severity(rule.severity),
            "node" => view.node.as_deref().unwrap_or("none"),
            _ => rule.region.as_deref().unwrap_or("none"),
        };
        compared.fact(name, value, found);
    }
    for (name, value) in &expected.annotations {
        let found = match name.as_str() {
            "summary" => view.title.as_str(),
            "description" => rule.description.as_deref().unwrap_or_default(),
            _ => rule.runbook.as_deref().unwrap_or_default(),
        };
        compared.fact(name, value, found);
    }
}

/// As the file of rules has it.
fn severity(of: Severity) -> &'static str {
    match of {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
