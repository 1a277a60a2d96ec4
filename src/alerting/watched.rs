//! One rule while it is judged: its machine, its open incident, and what pages show of it.

use super::{Entry, Quiet, words};
use crate::store::alerts::{Effect, NewIncident, OpenIncident, StateRow, Step, StoredState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use streamgauge_core::{
    alert::{
        file::rule::NotUsed,
        machine::{Happened, Machine, Needs},
        state::Transition,
    },
    metric::measure::packed::Packed,
    page::alerts::{MutedBy, RuleState},
};

/// Seconds.
pub const BUCKET: i64 = 10;
pub const MINUTE: i64 = 60;
/// Buckets of a minute.
pub const PER_MINUTE: i64 = 6;
const HOUR_MS: i64 = 3_600_000;
/// Hours of which the worst value is kept.
const HOURS: i64 = 24;

/// What pages show of a rule's state. It is stored beside the state, so that every node can show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Live {
    pub state: RuleState,
    /// Unix milliseconds, as all times here.
    pub since: Option<i64>,
    pub blind: Option<i64>,
    pub value: Option<f64>,
    pub reason: String,
    pub node: Option<String>,
    pub pending_at: Option<i64>,
    /// The worst value of each hour of the last day, by the hour's start.
    pub worst: BTreeMap<i64, f64>,
}

impl Live {
    pub fn of(view: &serde_json::Value) -> Live {
        Live::deserialize(view).unwrap_or_default()
    }

    pub fn worst(&self, below: bool) -> Option<f64> {
        self.worst.values().copied().reduce(|a, b| furthest(below, a, b))
    }
}

/// The one of two values that is further beyond a threshold.
pub fn furthest(below: bool, a: f64, b: f64) -> f64 {
    if below { a.min(b) } else { a.max(b) }
}

struct Open {
    peak: Option<f64>,
    muted_by: Option<MutedBy>,
}

pub struct Watched {
    pub entry: Entry,
    machine: Machine,
    live: Live,
    open: Option<Open>,
    /// The incident has no state that says so: it was lost with the state's row.
    orphan: bool,
}

impl Watched {
    /// `stored`, `open`: of this rule.
    pub fn new(
        entry: &Entry,
        redis: bool,
        stored: Option<&StoredState>,
        open: Option<&OpenIncident>,
    ) -> Result<Watched, NotUsed> {
        let mut machine = Machine::new(&entry.rule, redis, BUCKET)?;
        let mut live = Live::default();
        if let Some(stored) = stored {
            // A state of a later version begins anew.
            if let Ok(state) = serde_json::from_value(stored.state.clone()) {
                machine.restore(state);
            }
            live = Live::of(&stored.view);
        }
        let open = open.map(|open| Open {
            peak: open.peak,
            muted_by: open.muted_by.clone().and_then(|by| serde_json::from_value(by).ok()),
        });
        let orphan = open.is_some() && !fires(machine.view().state);
        Ok(Watched { entry: entry.clone(), machine, live, open, orphan })
    }

    /// Over minutes from now on, without a past: for what was not judged live.
    pub fn over_minutes(entry: &Entry) -> Result<Watched, NotUsed> {
        let machine = Machine::new(&entry.rule, false, MINUTE)?;
        Ok(Watched { entry: entry.clone(), machine, live: Live::default(), open: None, orphan: false })
    }

    pub fn name(&self) -> &str {
        &self.entry.rule.name
    }

    pub fn needs(&self) -> Needs {
        self.machine.needs()
    }

    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Of rows that may be of all nodes together and of single ones: those that it reads.
    pub fn of_minutes(&self, rows: &[Packed]) -> Vec<Packed> {
        let node = self.entry.rule.node.as_deref().unwrap_or_default();
        rows.iter().filter(|row| row.node == node).cloned().collect()
    }

    pub fn fires(&self) -> bool {
        fires(self.live.state)
    }

    /// Whether it is judged on minutes.
    pub fn by_minutes(&self) -> bool {
        self.machine.step() == MINUTE
    }

    /// Judges a closed bucket, and before it those that were skipped because nobody recorded them. `index`: in steps of the
    /// rule's.
    pub fn judge(&mut self, index: i64, samples: &[Packed]) -> Vec<Step> {
        let step = self.machine.step();
        let at = (index + 1) * step * 1_000;
        let mut steps = Vec::new();
        if std::mem::take(&mut self.orphan) {
            let how = "its state was lost, and it does not breach".to_owned();
            steps.push(self.step(at, "resolved", None, String::new(), Effect::Resolve(how)));
            self.open = None;
        }
        for due in self.machine.due(index) {
            let samples = if due == index { samples } else { &[] };
            for happened in self.machine.judge(due, samples) {
                let step = self.happened(happened);
                steps.push(step);
            }
        }
        self.look(at);
        steps
    }

    fn happened(&mut self, happened: Happened) -> Step {
        let Happened { transition, at, value, reason, node } = happened;
        let at = at * 1_000;
        let (kind, effect) = match transition {
            Transition::Pending => {
                self.live.pending_at = Some(at);
                ("pending", Effect::Nothing)
            }
            Transition::Calm => {
                self.live.pending_at = None;
                ("calm", Effect::Nothing)
            }
            Transition::Fired => {
                self.open = Some(Open { peak: value, muted_by: None });
                ("fired", Effect::Open(Box::new(self.incident(node))))
            }
            Transition::Recovering => ("recovering", Effect::Tell),
            Transition::Relapsed => ("relapsed", Effect::Tell),
            Transition::Resolved(how) => {
                self.live.pending_at = None;
                self.open = None;
                ("resolved", Effect::Resolve(how.to_string()))
            }
            Transition::Blind => ("blind", Effect::Tell),
            Transition::Seeing => ("seeing", Effect::Tell),
        };
        self.step(at, kind, value, reason, effect)
    }

    fn step(&self, at: i64, kind: &'static str, value: Option<f64>, reason: String, effect: Effect) -> Step {
        let text = match kind {
            "fired" => reason.clone(),
            "recovering" => format!("Good again; it resolves if it stays so. {reason}"),
            "relapsed" => format!("Bad again before it was resolved. {reason}"),
            "blind" => "No data: the state stands still.".to_owned(),
            "seeing" => "Data again.".to_owned(),
            "resolved" => match &effect {
                Effect::Resolve(how) => format!("Resolved: {how}. {reason}"),
                _ => reason.clone(),
            },
            _ => reason.clone(),
        };
        let text = text.trim_end().to_owned();
        Step { rule: self.name().to_owned(), at, kind, value, reason, text, effect }
    }

    fn incident(&self, node: Option<String>) -> NewIncident {
        let rule = &self.entry.rule;
        let view = self.machine.view();
        NewIncident {
            severity: rule.severity,
            metric: view.metric,
            title: view.title,
            unit: view.unit.to_owned(),
            threshold: view.threshold,
            recover: view.recover,
            below: view.below,
            node: node.or_else(|| rule.node.clone()),
            region: rule.region.clone(),
            yaml: self.entry.yaml.clone(),
            pending_at: self.live.pending_at,
            muted_by: None,
        }
    }

    /// Takes over what the machine shows.
    fn look(&mut self, at: i64) {
        let view = self.machine.view();
        self.live.state = view.state;
        self.live.since = view.since.map(|since| since * 1_000);
        self.live.blind = view.blind.map(|blind| blind * 1_000);
        self.live.reason = view.reason;
        self.live.node = view.node;
        self.live.value = view.value;
        if let Some(value) = view.value {
            let hour = at.div_euclid(HOUR_MS) * HOUR_MS;
            let worst = self.live.worst.entry(hour).or_insert(value);
            *worst = furthest(view.below, *worst, value);
            let first = hour - (HOURS - 1) * HOUR_MS;
            // A clock that was set back leaves hours behind that are yet to come.
            self.live.worst.retain(|start, _| (first..=hour).contains(start));
        }
    }

    /// A new furthest value of the open incident.
    pub fn peak(&mut self) -> Option<(String, f64)> {
        let below = self.machine.view().below;
        let (open, value) = (self.open.as_mut()?, self.live.value?);
        let peak = open.peak.map_or(value, |peak| furthest(below, peak, value));
        if open.peak == Some(peak) {
            return None;
        }
        open.peak = Some(peak);
        Some((self.entry.rule.name.clone(), peak))
    }

    /// What mutes its open incident, if that is something else than before. `parent_fires`: the rule that it depends on.
    pub fn mute(&mut self, quiet: &Quiet, parent_fires: bool, at: i64) -> Option<Step> {
        let by = quiet.muted_by(&self.entry.rule, parent_fires, at);
        let open = self.open.as_mut()?;
        if open.muted_by == by {
            return None;
        }
        open.muted_by.clone_from(&by);
        let (kind, text) = (if by.is_some() { "muted" } else { "unmuted" }, words::muted(by.as_ref()));
        let (rule, reason) = (self.name().to_owned(), String::new());
        Some(Step { rule, at, kind, value: None, reason, text, effect: Effect::Mute(by) })
    }

    pub fn row(&self, newest: i64) -> StateRow {
        StateRow {
            rule: self.name().to_owned(),
            // Numbers, texts and lists: nothing can fail.
            state: serde_json::to_value(self.machine.stored()).unwrap_or_default(),
            newest,
            view: serde_json::to_value(&self.live).unwrap_or_default(),
        }
    }
}

fn fires(state: RuleState) -> bool {
    matches!(state, RuleState::Firing | RuleState::Recovering)
}
