//! A test through the machines: evaluation after evaluation, as the server does it.

use super::{
    Expected, Test,
    event::What,
    expect::check,
    report::{Failure, Report},
    samples::rows,
    series::Source,
};
use crate::{
    alert::{
        file::rule::{Rule, Watch},
        machine::{Machine, Stored},
        mute::{Owed, Upkeep, muted_by, owed},
        state::Transition,
    },
    metric::measure::packed::Packed,
    page::alerts::{Maintenance, MutedBy, RuleState, Silence},
};
use serde_json::json;
use std::collections::BTreeMap;

/// A rule as it runs, and what became of it.
pub(super) struct Running {
    pub rule: Rule,
    source: Source,
    pub machine: Machine,
    /// Rows since the last whole bucket, for a rule over longer ones.
    waiting: Vec<Packed>,
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

struct World<'t> {
    test: &'t Test,
    step: i64,
    rules: Vec<Running>,
    silences: Vec<Silence>,
    upkeep: Vec<Upkeep>,
    /// What the clock is ahead of the time that truly passes.
    clock: i64,
    /// Recorded buckets, oldest first, and when that was, in seconds from the start.
    recorded: Vec<(i64, i64)>,
    /// Nothing is evaluated before this time.
    down_until: i64,
    kill: bool,
}

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

impl Running {
    /// `None`: the rule is not enabled.
    fn new(rule: &Rule, step: i64, phi: Option<u64>) -> Option<Result<Running, String>> {
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

    fn fires(&self) -> bool {
        self.book.open
    }
}

/// The state of a rule that knows nothing but how bursty its errors are.
fn measured(step: i64, phi: u64) -> Option<Stored> {
    let state = json!({ "robust": { "phi": phi, "step": step } });
    serde_json::from_value(json!({ "step": step, "places": { "": { "state": state } } })).ok()
}

impl<'t> World<'t> {
    fn new(rules: &[Rule], step: i64, test: &'t Test, report: &mut Report) -> Option<World<'t>> {
        let mut running = Vec::new();
        for made in rules.iter().filter_map(|rule| Running::new(rule, step, test.phi)) {
            match made {
                Ok(made) => running.push(made),
                // Nothing can be said of it, so a test may not name it; without its series it never fires.
                Err(rule) if test.expected.iter().any(|one| one.rule == rule) => {
                    report.failures.push(Failure {
                        line: None,
                        test: test.name.clone(),
                        at: 0,
                        rule,
                        expected: vec!["a metric that a scenario can give".into()],
                        found: vec!["one that is computed from several counters".into()],
                        reason: String::new(),
                    });
                    return None;
                }
                Err(_) => {}
            }
        }
        Some(World {
            test,
            step,
            rules: running,
            silences: Vec::new(),
            upkeep: Vec::new(),
            clock: 0,
            recorded: Vec::new(),
            down_until: 0,
            kill: false,
        })
    }

    fn each_evaluation(&mut self, mut then: impl FnMut(&World<'t>, i64)) {
        let mut events = self.test.events.iter().peekable();
        let mut at = 0;
        while at <= self.test.end {
            while let Some(event) = events.next_if(|event| event.at <= at) {
                self.happen(&event.what, event.at);
            }
            if at >= self.down_until {
                self.evaluate_or_die(at);
            }
            then(self, at);
            at += self.step;
        }
    }

    /// The clock's time.
    fn now(&self, at: i64) -> i64 {
        self.test.start + at + self.clock
    }

    fn evaluate_or_die(&mut self, at: i64) {
        if std::mem::take(&mut self.kill) {
            // What it found is lost: state and incidents are written in one transaction.
            let books: Vec<_> = self
                .rules
                .iter()
                .map(|of| (of.machine.stored(), of.book.clone(), of.waiting.clone()))
                .collect();
            let (silences, recorded) = (self.silences.clone(), self.recorded.len());
            self.evaluate(at);
            self.silences = silences;
            self.recorded.truncate(recorded);
            for (running, (stored, book, waiting)) in self.rules.iter_mut().zip(books) {
                running.book = book;
                running.waiting = waiting;
                running.machine.restore(stored);
            }
            self.restart();
        }
        self.evaluate(at);
    }

    fn evaluate(&mut self, at: i64) {
        let now = self.now(at);
        // The bucket that closes now.
        let index = now.div_euclid(self.step) - 1;
        let World { test, rules, silences, .. } = self;
        let mut fresh: Vec<(Source, Vec<Packed>)> = Vec::new();
        for running in rules.iter_mut() {
            let known = fresh.iter().position(|(source, _)| *source == running.source);
            let place = known.unwrap_or_else(|| {
                let rows = rows(&test.series, running.source, test.grid, at, index * test.grid.step);
                fresh.push((running.source, rows));
                fresh.len() - 1
            });
            // A rule of one node sees no other: a file may have hundreds of both.
            let node = running.rule.node.as_ref();
            let seen = fresh[place].1.iter().filter(|row| node.is_none_or(|node| row.node == *node));
            let step = running.machine.step();
            running.waiting.extend(seen.cloned());
            if now.rem_euclid(step) >= test.grid.step {
                continue;
            }
            let closed = now.div_euclid(step) - 1;
            let present = std::mem::take(&mut running.waiting);
            for due in running.machine.due(closed) {
                let rows = if due == closed { &present[..] } else { &[] };
                for happened in running.machine.judge(due, rows) {
                    running.book.note(at, happened.transition);
                    if matches!(happened.transition, Transition::Resolved(_)) {
                        let own = |silence: &&mut Silence| {
                            silence.until_resolved && silence.rule == running.rule.name
                        };
                        silences
                            .iter_mut()
                            .filter(own)
                            .for_each(|silence| silence.ended_at = Some(now * 1_000));
                    }
                }
            }
        }
        self.recorded.push((index, at));
        self.send(now * 1_000);
    }

    /// What channels would be sent, after all rules were judged: a dependency asks for the state of another one.
    fn send(&mut self, now_ms: i64) {
        let fires: Vec<(String, bool)> =
            self.rules.iter().map(|running| (running.rule.name.clone(), running.fires())).collect();
        let parent = |name: &str| fires.iter().any(|(rule, fires)| rule == name && *fires);
        for running in &mut self.rules {
            let Rule { name, depends_on, .. } = &running.rule;
            running.muted =
                muted_by(name, depends_on.as_deref(), now_ms, &self.silences, &self.upkeep, parent);
            let book = &mut running.book;
            match owed(book.open, running.muted.is_some(), book.trigger_owed, book.resolve_owed) {
                Owed::Trigger => {
                    book.trigger_owed = true;
                    book.triggers += 1;
                }
                Owed::Resolve => {
                    book.resolve_owed = true;
                    book.resolves += 1;
                }
                Owed::Nothing => {}
            }
        }
    }

    fn happen(&mut self, what: &What, at: i64) {
        let now_ms = self.now(at) * 1_000;
        match what {
            What::Restart => self.restart(),
            What::KillBeforeCommit => self.kill = true,
            What::Down(seconds) => {
                self.down_until = at + seconds;
                self.restart();
            }
            What::Clock(seconds) => {
                self.clock += seconds;
                // Rows of a time that the clock comes to once more are replaced.
                let next = self.now(at).div_euclid(self.step) - 1;
                self.recorded.retain(|(index, _)| *index < next);
            }
            What::Silence { rule, seconds } => self.silences.push(Silence {
                id: self.silences.len() as i64 + 1,
                rule: rule.clone(),
                starts_at: now_ms,
                ends_at: seconds.map(|seconds| now_ms + seconds * 1_000),
                until_resolved: seconds.is_none(),
                reason: "scenario".into(),
                author: "scenario".into(),
                ended_at: None,
                mutes: Vec::new(),
            }),
            What::Maintenance { rule, seconds } => {
                let of = Maintenance {
                    id: self.upkeep.len() as i64 + 1,
                    rule: rule.clone(),
                    reason: "scenario".into(),
                    author: "scenario".into(),
                    starts_at: Some(now_ms),
                    ends_at: Some(now_ms + seconds * 1_000),
                    cron: None,
                    duration: None,
                    zone: None,
                    active: true,
                    next_from: None,
                    next_to: None,
                };
                self.upkeep.extend(Upkeep::stored(&of));
            }
            What::Acknowledge(rule) => {
                let named = |running: &&mut Running| rule == "*" || running.rule.name == *rule;
                for running in self.rules.iter_mut().filter(named).filter(|running| running.fires()) {
                    running.book.acknowledged = true;
                }
            }
            What::Edit(rule) => {
                if let Some(running) = self.rules.iter_mut().find(|running| running.rule.name == rule.name) {
                    running.rule = (**rule).clone();
                    if let Some(Ok(made)) = Running::new(rule, self.step, None) {
                        running.source = made.source;
                    }
                }
                self.restart();
            }
        }
    }

    /// Each machine anew, out of what the database holds.
    fn restart(&mut self) {
        let World { test, step, rules, recorded, .. } = self;
        for running in rules.iter_mut() {
            let Ok(mut machine) = Machine::new(&running.rule, true, *step) else { continue };
            let stored = serde_json::to_string(&running.machine.stored());
            let stored = stored.and_then(|text| serde_json::from_str(&text)).unwrap_or_default();
            machine.restore(stored);
            let grouped = |seconds: i64, count: usize| -> BTreeMap<i64, Vec<Packed>> {
                let newest = recorded.last().map_or(0, |(index, _)| (index * *step).div_euclid(seconds));
                let mut buckets: BTreeMap<i64, Vec<Packed>> = BTreeMap::new();
                for (index, at) in recorded.iter() {
                    let bucket = (index * *step).div_euclid(seconds);
                    if bucket > newest - count as i64 {
                        let rows = rows(&test.series, running.source, test.grid, *at, index * *step);
                        buckets.entry(bucket).or_default().extend(rows);
                    }
                }
                buckets
            };
            let needs = machine.needs();
            if needs.minutes > 0 && *step <= 60 {
                for (minute, rows) in grouped(60, needs.minutes) {
                    machine.fill_minute(minute, &rows);
                }
            }
            let newest = machine.newest();
            for (bucket, rows) in grouped(machine.step(), needs.buckets * 3) {
                if newest.is_some_and(|newest| bucket <= newest) {
                    machine.fill(bucket, &rows);
                }
            }
            running.machine = machine;
        }
    }
}

impl Book {
    fn note(&mut self, at: i64, transition: Transition) {
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
}
