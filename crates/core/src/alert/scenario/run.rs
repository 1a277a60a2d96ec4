//! A test from its beginning to its end, and what it found.

use super::{
    Expected, Test,
    expect::check,
    report::{Failure, Report},
    running::Running,
    world::World,
};
use crate::{alert::file::rule::Rule, page::alerts::RuleState};

pub(super) fn run(rules: &[Rule], step: i64, test: &Test, report: &mut Report) {
    let Some(mut world) = World::new(rules, step, test, report) else { return };
    let mut expected = test.expected.iter().peekable();
    world.each_evaluation(|world, at| {
        while let Some(one) = expected.next_if(|one| one.at < at + step) {
            compare(world, one, report);
        }
    });
    for running in &world.rules {
        let is_named = test.expected.iter().any(|one| one.rule == running.rule.name);
        report.checks += usize::from(!is_named);
        if let (Some(at), false) = (running.book.first_fired, is_named) {
            report.failures.push(Failure {
                line: None,
                test: test.name.clone(),
                at,
                rule: running.rule.name.clone(),
                expected: vec!["no alert: the test does not name the rule".into()],
                found: vec!["fires".into()],
                reason: String::new(),
            });
        }
    }
}

fn compare(world: &World<'_>, one: &Expected, report: &mut Report) {
    let Some(running) = world.rules.iter().find(|running| running.rule.name == one.rule) else {
        report.checks += 1;
        let expected = vec!["a rule that is used".into()];
        report.failures.push(Failure {
            line: Some(one.line),
            test: world.test.name.clone(),
            at: one.at,
            rule: one.rule.clone(),
            expected,
            found: vec!["it is not enabled".into()],
            reason: String::new(),
        });
        return;
    };
    let compared = check(running, one);
    report.checks += compared.checks;
    if !compared.expected.is_empty() || !compared.found.is_empty() {
        report.failures.push(Failure {
            line: Some(one.line),
            test: world.test.name.clone(),
            at: one.at,
            rule: one.rule.clone(),
            expected: compared.expected,
            found: compared.found,
            reason: running.machine.view().reason,
        });
    }
}

pub(super) fn states(rules: &[Rule], step: i64, test: &Test) -> Vec<(i64, Vec<RuleState>)> {
    let mut all = Vec::new();
    if let Some(mut world) = World::new(rules, step, test, &mut Report::default()) {
        world.each_evaluation(|world, at| {
            let state = |running: &Running| running.machine.view().state;
            all.push((at, world.rules.iter().map(state).collect()));
        });
    }
    all
}
