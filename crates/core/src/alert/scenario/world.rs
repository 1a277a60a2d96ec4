//! Evaluation after evaluation, as the server does it, and what happens in between.

use super::{
    Test,
    event::What,
    report::{Failure, Report},
    running::Running,
    samples::rows,
    series::Source,
};
use crate::{
    alert::{
        file::rule::Rule,
        mute::{Upkeep, muted_by},
        state::Transition,
    },
    metric::measure::packed::Packed,
    page::alerts::{Maintenance, Silence},
};

/// All rules over one test.
pub(super) struct World<'t> {
    pub test: &'t Test,
    pub step: i64,
    pub rules: Vec<Running>,
    silences: Vec<Silence>,
    upkeep: Vec<Upkeep>,
    /// What the clock is ahead of the time that truly passes.
    clock: i64,
    /// Recorded buckets, oldest first, and when that was, in seconds from the start.
    pub recorded: Vec<(i64, i64)>,
    /// Nothing is evaluated before this time.
    down_until: i64,
    kill: bool,
}

impl<'t> World<'t> {
    pub fn new(rules: &[Rule], step: i64, test: &'t Test, report: &mut Report) -> Option<World<'t>> {
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

    pub fn each_evaluation(&mut self, mut then: impl FnMut(&World<'t>, i64)) {
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
            running.book.send(running.muted.is_some());
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
}
