//! A rule over stored history: when it would have fired, by the very machine that runs live.
//!
//! Samples stream through, oldest first. Where the range begins with minute rows it is judged over minutes to its end, and
//! the rows of 10 s of its newest part are joined to minutes: a change of step in the middle would begin with empty
//! windows. A bucket without rows is left out, as it is live.

mod hints; // what it cannot tell, and how many events fire it
#[cfg(test)]
mod tests;

use super::{
    file::rule::{NotUsed, Rule, Watch},
    machine::{Happened, Machine, Opened},
    state::Transition,
};
use crate::{
    metric::measure::packed::Packed,
    page::alerts::{AtThreshold, Backtest, BacktestValue, Fired},
};

/// What is asked.
pub struct Asked<'a> {
    pub rule: &'a Rule,
    /// The saved rule of the same name, to compare with.
    pub saved: Option<&'a Rule>,
    pub redis: bool,
    /// Unix seconds. Samples before `from` only fill the windows.
    pub from: i64,
    pub to: i64,
}

/// In percent of the rule's threshold.
const THRESHOLDS: [u32; 5] = [50, 75, 150, 200, 300];
/// Steps of the chart.
const STEPS: i64 = 240;

/// `samples`: (bucket, its seconds, rows of all nodes), oldest first, each second once. The bucket is numbered by its own
/// seconds since 1970.
pub fn backtest(
    asked: &Asked<'_>,
    samples: impl IntoIterator<Item = (i64, i64, Vec<Packed>)>,
) -> Result<Backtest, NotUsed> {
    let mut samples = samples.into_iter().peekable();
    let step = samples.peek().map_or(10, |(_, step, _)| *step);
    let mut running = Running::new(asked, step)?;
    let mut minute: (i64, Vec<Packed>) = (0, Vec::new());
    for (index, step, rows) in samples {
        let bucket = (index * step).div_euclid(running.step);
        if step >= running.step {
            running.judge(bucket, &rows);
            continue;
        }
        if bucket != minute.0 && !minute.1.is_empty() {
            running.judge(minute.0, &minute.1);
            minute.1.clear();
        }
        minute.0 = bucket;
        minute.1.extend(rows);
    }
    if !minute.1.is_empty() {
        running.judge(minute.0, &minute.1);
    }
    Ok(running.finish())
}

/// A machine and when it fired.
struct Tried {
    machine: Machine,
    fired: Vec<Fired>,
    /// Fires from before the range, which it does not count.
    before: bool,
}

struct Running<'a> {
    asked: &'a Asked<'a>,
    /// Seconds of a bucket.
    step: i64,
    main: Tried,
    saved: Option<Tried>,
    others: Vec<Tried>,
    opened: Opened,
    of_saved: Opened,
    values: Vec<BacktestValue>,
    /// Seconds of a step of the chart.
    chart: i64,
    /// Buckets between two looks at the value.
    every: i64,
    /// The first bucket, and how many were present in the range.
    first: Option<i64>,
    present: i64,
    n_before: u64,
}

impl<'a> Running<'a> {
    fn new(asked: &'a Asked<'a>, step: i64) -> Result<Running<'a>, NotUsed> {
        let main = Tried::new(asked.rule, asked.redis, step)?;
        let step = main.machine.step();
        // A saved rule that is not used would not have fired.
        let saved = asked.saved.and_then(|rule| Tried::new(rule, asked.redis, step).ok());
        let at = THRESHOLDS.iter().filter_map(|percent| at_threshold(asked.rule, *percent));
        let tried = |rule| {
            let Tried { machine, .. } = Tried::new(&rule, asked.redis, step).ok()?;
            Some(Tried { machine: machine.without_value(), fired: Vec::new(), before: false })
        };
        let others = at.filter_map(tried).collect();
        let range = (asked.to - asked.from).max(step);
        let chart = (range + STEPS - 1) / STEPS;
        let chart = (chart + step - 1) / step * step;
        Ok(Running {
            asked,
            step,
            every: if main.machine.is_percentile() {
                (main.machine.duration_in_buckets() + 4) / 5
            } else {
                1
            },
            main,
            saved,
            others,
            opened: Opened::default(),
            of_saved: Opened::default(),
            values: (0..(range + chart - 1) / chart)
                .map(|at| BacktestValue { at: (asked.from + at * chart) * 1_000, value: None })
                .collect(),
            chart,
            first: None,
            present: 0,
            n_before: 0,
        })
    }

    fn judge(&mut self, index: i64, rows: &[Packed]) {
        let start = index * self.step;
        if start >= self.asked.to {
            return;
        }
        // Rules that differ in their thresholds alone read the same.
        self.main.machine.open(rows, &mut self.opened);
        let from = self.asked.from;
        if let Some(saved) = &mut self.saved {
            let opened = if saved.machine.reads_like(&self.main.machine) {
                &self.opened
            } else {
                saved.machine.open(rows, &mut self.of_saved);
                &self.of_saved
            };
            saved.judge(index, opened, from);
        }
        if self.opened.is_missing() {
            return;
        }
        for other in &mut self.others {
            other.judge(index, &self.opened, from);
        }
        self.main.judge(index, &self.opened, from);
        self.first.get_or_insert(index);
        if start < from {
            self.n_before = self.main.machine.judged();
            return;
        }
        self.present += 1;
        if index % self.every == 0 {
            self.look(start);
        }
    }

    fn look(&mut self, start: i64) {
        let Some(value) = self.main.machine.value() else { return };
        let worse = self.worse();
        if let Some(last) = self.main.fired.last_mut().filter(|last| last.to.is_none()) {
            last.peak = Some(last.peak.map_or(value, |peak| worse(peak, value)));
        }
        let at = usize::try_from((start - self.asked.from) / self.chart).unwrap_or(usize::MAX);
        if let Some(step) = self.values.get_mut(at) {
            step.value = Some(step.value.map_or(value, |known| worse(known, value)));
        }
    }

    fn worse(&self) -> fn(f64, f64) -> f64 {
        let below = matches!(self.asked.rule.watch,
            Watch::Condition { condition, .. } if !condition.comparison.is_upward());
        if below { f64::min } else { f64::max }
    }

    fn finish(self) -> Backtest {
        let (from, to) = (self.asked.from, self.asked.to);
        let view = self.main.machine.view();
        let covered = (self.present * self.step) as f64 / (to - from).max(1) as f64;
        let n = self.main.machine.judged() - self.n_before;
        let seconds = |fired: &Fired| (fired.to.unwrap_or(to * 1_000) - fired.from) / 1_000;
        let threshold = |tried: &Tried| {
            let threshold = tried.machine.view().threshold?;
            Some(AtThreshold { threshold, fires: tried.fired.len() as u64 })
        };
        let mut thresholds: Vec<AtThreshold> = match self.asked.rule.watch {
            Watch::Condition { .. } => self.others.iter().chain([&self.main]).filter_map(threshold).collect(),
            Watch::Burn(_) => Vec::new(),
        };
        thresholds.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
        let seen = hints::Seen {
            rule: self.asked.rule,
            machine: &self.main.machine,
            covered: covered.min(1.0),
            learns: self.first.is_some_and(|first| first * self.step >= from),
            n,
            seconds: self.present * self.step,
        };
        Backtest {
            covered: covered.min(1.0),
            fires: self.main.fired.len() as u64,
            firing_seconds: self.main.fired.iter().map(seconds).sum(),
            saved: self.asked.saved.map(|_| self.saved.map_or_else(Vec::new, |saved| saved.fired)),
            thresholds,
            values: self.values,
            unit: view.unit.to_owned(),
            threshold: view.threshold,
            below: view.below,
            n,
            cannot_tell: hints::cannot_tell(&seen),
            hints: hints::hints(&seen),
            incidents: self.main.fired,
            from: from * 1_000,
            to: to * 1_000,
        }
    }
}

impl Tried {
    fn new(rule: &Rule, redis: bool, step: i64) -> Result<Tried, NotUsed> {
        Ok(Tried { machine: Machine::new(rule, redis, step)?, fired: Vec::new(), before: false })
    }

    fn judge(&mut self, index: i64, opened: &Opened, from: i64) {
        for Happened { transition, at, value, node, .. } in self.machine.judge_opened(index, opened) {
            match transition {
                Transition::Fired if at <= from => self.before = true,
                Transition::Fired => self.fired.push(Fired {
                    from: at * 1_000,
                    to: None,
                    peak: value,
                    node,
                    outcome: None,
                    incident: None,
                }),
                Transition::Resolved(_) if std::mem::take(&mut self.before) => {}
                Transition::Resolved(_) => {
                    if let Some(last) = self.fired.last_mut() {
                        last.to = Some(at * 1_000);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The rule with so many percent of its threshold. Where low values breach, the distance to 100 % is what is scaled; other
/// low thresholds are divided. `None`: a burn, or a threshold that no value or every value breaches.
fn at_threshold(rule: &Rule, percent: u32) -> Option<Rule> {
    let Watch::Condition { mut condition, duration, recover, eager } = rule.watch else { return None };
    let upward = condition.comparison.is_upward();
    let whole = condition.subject.is_part_of_a_whole();
    let scaled = |quantity| super::file::condition::scaled(quantity, percent, upward, whole);
    condition.threshold = scaled(condition.threshold)?;
    let recover = match recover {
        Some(recover) => Some(scaled(recover)?),
        None => None,
    };
    let watch = Watch::Condition { condition, duration, recover, eager };
    condition.is_decided().is_none().then(|| Rule { watch, ..rule.clone() })
}
