//! One rule, runnable: samples of buckets in, transitions out. The same function runs live, in backtests, in scenario
//! files and in the simulation.
//!
//! No clock enters. The caller numbers buckets by their start, in seconds since 1970 divided by [`Machine::step`]. After a
//! start it gives back the stored state ([`Machine::restore`]), fills in history ([`Machine::fill_minute`] and
//! [`Machine::fill`], as [`Machine::needs`] says), and then judges each bucket of [`Machine::due`] once it is closed.
//!
//! A clock that was set back: [`Machine::due`] notices that the newest closed bucket lies more than a minute before the
//! newest judged one. It then goes on with that bucket as if no time had passed. So judging does not stand still for the
//! hour that the clock repeats, no bucket counts twice, and no time is negative. Times that the machine tells are those of
//! the clock as it is now. A clock that was set forward is a gap: missing buckets, in which every count stands still.

mod gauge; // what the value of some rules needs
mod kind; // how each kind of rule reads, judges and says its value
mod places; // all nodes together or each by itself; the rule's transitions
mod reading; // what a rule reads of samples
mod stored; // what is kept between two lives of the server
#[cfg(test)]
mod tests;
mod title; // a rule in words

pub use reading::{Needs, Opened};
pub use stored::Stored;
pub use title::title;

use super::{
    dispersion::{Bursts, Phi},
    file::{
        rule::{Mode, NotUsed, Rule, Watch},
        subject::Test,
    },
    judge::Windows,
    literal::LiteralRule,
    state::{DAMPING, Phase, Resolved, Transition},
};
use crate::{metric::measure::packed::Packed, page::alerts::RuleState};
use kind::{Burn, Mean, Ratio, Share};
use places::{Event, Manner, Places, Run};
use reading::Reader;
use std::ops::Range;

/// Rules whose windows reach back so many seconds read minutes: rows of 10 s are not kept longer.
const LONG: u64 = 3 * 86_400;

pub struct Machine {
    run: Box<dyn Run>,
    reader: Reader,
    opened: Opened,
    facts: Facts,
    /// By how many buckets the machine's own count is ahead of the clock, which was set back.
    shift: i64,
}

/// What does not change while it runs.
struct Facts {
    step: i64,
    title: String,
    metric: String,
    duration: String,
    unit: &'static str,
    /// How many of the metric's own unit one of `unit` is.
    per_unit: f64,
    threshold: f64,
    recover: Option<f64>,
    below: bool,
    /// The duration in buckets.
    span: i64,
    percentile: bool,
    literal: bool,
}

/// A change of a rule's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    pub transition: Transition,
    /// The end of the bucket, Unix seconds.
    pub at: i64,
    /// Over the duration, in [`View::unit`].
    pub value: Option<f64>,
    pub reason: String,
    /// Where nodes are judged by themselves: the one that it is about.
    pub node: Option<String>,
}

/// A rule as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// "Error rate is above 1 %".
    pub title: String,
    /// The metric's name.
    pub metric: String,
    /// "5 min".
    pub duration: String,
    pub state: RuleState,
    /// Since when the state is what it is, and since when there are no data. Unix seconds.
    pub since: Option<i64>,
    pub blind: Option<i64>,
    /// Over the duration. Of a percentile over a fifth more at most; of a burn rule how many times too fast it burns.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub recover: Option<f64>,
    /// Of the three: "%", "ms", "MB", "kB", "x" or nothing.
    pub unit: &'static str,
    /// It fires below the threshold.
    pub below: bool,
    pub reason: String,
    /// Where nodes are judged by themselves: the worst one.
    pub node: Option<String>,
    /// Events or samples in the duration.
    pub n: u64,
    /// How bursty its errors are; `None` for rules that do not ask.
    pub phi: Option<Phi>,
}

impl Machine {
    /// `step`: seconds of a bucket, 10 live and 60 over minute rows. A rule with long windows takes 60 in any case: ask
    /// [`Machine::step`]. `redis`: whether there is one.
    pub fn new(rule: &Rule, redis: bool, step: i64) -> Result<Machine, NotUsed> {
        let test = rule.test(redis)?;
        let step = if reach(rule, test) >= LONG { step.max(60) } else { step.max(1) };
        let reader = Reader::new(rule);
        let (unit, per_unit) = title::unit(rule);
        let (threshold, below, span) = match rule.watch {
            Watch::Condition { condition, duration, .. } => {
                let threshold = condition.threshold.normalised().value() / per_unit;
                (threshold, !condition.comparison.is_upward(), i64::from(duration.0))
            }
            Watch::Burn(burn) => (burn.factor.value(), false, i64::from(burn.short.0)),
        };
        let facts = Facts {
            step,
            title: title(rule),
            metric: title::metric(rule),
            duration: title::duration(rule),
            unit,
            per_unit,
            threshold,
            recover: rule.recover().map(|recover| recover.value() / per_unit),
            below,
            span: ((span + step - 1) / step).max(1),
            percentile: test == Test::Percentile,
            literal: rule.mode == Mode::Literal,
        };
        let run = compiled(rule, test, step, unit);
        Ok(Machine { run, reader, opened: Opened::default(), facts, shift: 0 })
    }

    /// Seconds of a bucket.
    pub fn step(&self) -> i64 {
        self.facts.step
    }

    /// The duration, in whole buckets; of a burn its short window.
    pub fn duration_in_buckets(&self) -> i64 {
        self.facts.span
    }

    /// Whether its value is a percentile, which is dearer to tell than others.
    pub fn is_percentile(&self) -> bool {
        self.facts.percentile
    }

    pub fn needs(&self) -> Needs {
        let minutes = if self.run.knows_bursts() { Bursts::MINUTES as usize } else { 0 };
        Needs {
            step: self.facts.step,
            buckets: self.run.keep(),
            minutes,
            counters: self.reader.counters.clone(),
            measures: self.reader.measures.clone(),
            region: self.reader.region.clone(),
            node: self.reader.node.clone(),
            each_node: self.reader.each_node,
        }
    }

    /// The newest judged bucket. `None`: none yet.
    pub fn newest(&self) -> Option<i64> {
        self.run.newest().map(|newest| newest - self.shift)
    }

    /// The buckets to judge now, each once and in their order, missing ones too. `closed`: the newest closed bucket by the
    /// clock. A machine that never judged begins with that one.
    pub fn due(&mut self, closed: i64) -> Range<i64> {
        let Some(newest) = self.run.newest() else { return closed..closed + 1 };
        let minute = (60 / self.facts.step).max(1);
        if closed + self.shift < newest - minute {
            self.shift = newest + 1 - closed;
        }
        let next = newest + 1 - self.shift;
        next..next.max(closed + 1)
    }

    /// Takes up a stored state, also one of the rule before it was edited: an open incident stays open.
    pub fn restore(&mut self, stored: Stored) {
        let stored = stored.in_steps_of(self.facts.step);
        self.shift = stored.shift;
        self.run.restore(if self.reader.each_node { stored } else { stored.of_all_nodes() });
    }

    pub fn stored(&self) -> Stored {
        Stored { shift: self.shift, ..self.run.stored() }
    }

    /// A minute before the newest judged bucket, oldest first, so that bursts are known at the next full hour. Only for rules
    /// whose needs say so; without it the last measurement stays until an hour of new minutes is old enough.
    pub fn fill_minute(&mut self, minute: i64, samples: &[Packed]) {
        self.reader.open(samples, &mut self.opened);
        let shift = self.shift * self.facts.step / 60;
        self.run.fill_minute(minute + shift, &self.opened);
    }

    /// A bucket up to the newest judged one, oldest first. It changes no state.
    pub fn fill(&mut self, index: i64, samples: &[Packed]) {
        self.reader.open(samples, &mut self.opened);
        self.run.fill(index + self.shift, &self.opened);
    }

    /// One newly closed bucket. `samples`: rows of all nodes that lie within it, each second once: one of 10 s a node and
    /// region, or for a bucket of a minute one of 60 s or up to six of 10 s. None: the bucket is missing. A bucket that is
    /// not newer than the newest judged one changes nothing.
    pub fn judge(&mut self, index: i64, samples: &[Packed]) -> Vec<Happened> {
        let mut opened = std::mem::take(&mut self.opened);
        self.reader.open(samples, &mut opened);
        let happened = self.judge_opened(index, &opened);
        self.opened = opened;
        happened
    }

    /// For [`Machine::judge_opened`]. Rules that differ in their thresholds alone read the same.
    pub fn open(&self, samples: &[Packed], into: &mut Opened) {
        self.reader.open(samples, into);
    }

    /// Whether samples that were opened for the other are opened for this one too.
    pub fn reads_like(&self, other: &Machine) -> bool {
        self.reader == other.reader
    }

    /// [`Machine::judge`] of samples that were opened for several machines.
    pub fn judge_opened(&mut self, index: i64, opened: &Opened) -> Vec<Happened> {
        let events = self.run.judge(index + self.shift, opened);
        let at = (index + 1) * self.facts.step;
        events.into_iter().map(|event| self.happened(event, at)).collect()
    }

    fn happened(&self, event: Event, at: i64) -> Happened {
        let transition = match event.transition {
            Transition::Resolved(Resolved::EndedUnseen { from, to }) => {
                let back = self.shift * self.facts.step;
                Transition::Resolved(Resolved::EndedUnseen { from: from - back, to: to - back })
            }
            other => other,
        };
        let value = event.value.map(|value| value / self.facts.per_unit);
        Happened { transition, at, value, reason: event.reason, node: event.node }
    }

    /// What people say of an incident that fired at `fired` ([`Happened::at`]): whether it counts as a fault, or is false or
    /// expected. Its minutes count for the bursts then.
    pub fn count_fault(&mut self, fired: i64, counts: bool) {
        self.run.count_fault(fired + self.shift * self.facts.step, counts);
    }

    /// [`View::value`] alone.
    pub fn value(&self) -> Option<f64> {
        self.run.value().map(|value| value / self.facts.per_unit)
    }

    /// For a rule of which only the transitions are asked: values of percentiles and levels cost more than its judgement.
    /// `mode: literal` needs them.
    pub fn without_value(mut self) -> Machine {
        if !self.facts.literal {
            self.run.drop_value();
        }
        self
    }

    /// Events or samples of all buckets that were judged since the machine was made.
    pub fn judged(&self) -> u64 {
        self.run.judged()
    }

    /// The least count of bad events that is evidence in so many. It may be more than there are: never. `None`: the rule
    /// counts no events.
    pub fn least_bad(&self, n: u64) -> Option<u64> {
        self.run.least_bad(n)
    }

    pub fn view(&self) -> View {
        let Facts { step, per_unit, .. } = self.facts;
        let standing = self.run.standing();
        let start = |bucket: i64| (bucket - self.shift) * step;
        View {
            title: self.facts.title.clone(),
            metric: self.facts.metric.clone(),
            duration: self.facts.duration.clone(),
            state: match standing.phase {
                Phase::Ok => RuleState::Ok,
                Phase::Pending => RuleState::Pending,
                Phase::Firing => RuleState::Firing,
                Phase::Recovering => RuleState::Recovering,
            },
            since: standing.since.map(|bucket| start(bucket + 1)),
            blind: standing.blind.map(start),
            value: standing.value.map(|value| value / per_unit),
            threshold: Some(self.facts.threshold),
            recover: self.facts.recover,
            unit: self.facts.unit,
            below: self.facts.below,
            reason: standing.reason,
            node: standing.node,
            n: standing.n,
            phi: standing.phi,
        }
    }
}

/// How far back it looks, in seconds.
fn reach(rule: &Rule, test: Test) -> u64 {
    match (rule.watch, test) {
        (Watch::Burn(burn), _) => burn.long.0.into(),
        (Watch::Condition { duration, .. }, Test::Ratio | Test::Mean | Test::Percentile)
            if rule.mode == Mode::Robust =>
        {
            12 * u64::from(duration.0)
        }
        (Watch::Condition { duration, .. }, _) => duration.0.into(),
    }
}

/// A rule with its tables.
fn compiled(rule: &Rule, test: Test, step: i64, unit: &'static str) -> Box<dyn Run> {
    let hold = i64::from(rule.hold().0);
    let buckets = |seconds: i64| u32::try_from((seconds + step - 1) / step).unwrap_or(u32::MAX);
    let literal = (rule.mode == Mode::Literal).then(|| LiteralRule {
        duration: match rule.watch {
            Watch::Condition { duration, .. } => i64::from(duration.0) * 1_000,
            Watch::Burn(_) => 0,
        },
        keep_firing_for: hold * 1_000,
        interval: step * 1_000,
    });
    let condition = title::comparison(rule);
    let manner = Manner { step, hold: buckets(hold), literal, condition, unit };
    let (of_a, of_b) = rule.confidence.rest();
    let alpha = of_a as f64 / of_b as f64;
    let (condition, duration, recover, eager) = match rule.watch {
        Watch::Burn(burn) => return Box::new(Places::new(Burn::new(burn, step, alpha), manner)),
        Watch::Condition { condition, duration, recover, eager } => {
            (condition, duration, recover.unwrap_or(condition.threshold), eager)
        }
    };
    let windows = Windows::of_step(duration.0.into(), step);
    match test {
        Test::Mean => Box::new(Places::new(Mean::new(condition, recover, windows, alpha, eager), manner)),
        Test::Share { percent, .. } => {
            let longest = manner.hold.max(buckets(DAMPING));
            Box::new(Places::new(Share::new(condition, recover, percent, windows, longest), manner))
        }
        Test::Ratio | Test::Percentile | Test::BudgetBurn => {
            Box::new(Places::new(Ratio::new(condition, recover, windows, alpha, eager), manner))
        }
    }
}
