//! What is kept of a rule between two lives of the server: one row in PostgreSQL.

use super::super::{
    dispersion::{Phi, Span},
    literal::LiteralRow,
    state::{Phase, Row},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rule's state. Windows are not in it: they come from stored samples. Unknown and missing fields are those of another
/// version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// Seconds of a bucket.
    pub(super) step: i64,
    /// By how many buckets the rule's own count is ahead of the clock, which was set back.
    pub(super) shift: i64,
    /// The newest bucket that was judged.
    pub(super) newest: Option<i64>,
    pub(super) blind: Option<i64>,
    pub(super) since: Option<i64>,
    pub(super) phi_hour: Option<i64>,
    pub(super) faults: Vec<Fault>,
    pub(super) places: BTreeMap<String, StoredPlace>,
}

/// A time in which the rule fired, in seconds of the rule's own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    /// The end of the bucket that fired.
    pub fired: i64,
    pub from: i64,
    pub to: Option<i64>,
    /// Neither labelled false nor expected.
    pub counts: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredPlace {
    pub state: State,
    /// Buckets in succession that it was missing from while others were present.
    #[serde(default)]
    pub absent: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Robust(Row),
    Literal(LiteralRow),
}

impl Fault {
    pub fn span(&self) -> Span {
        Span { from: self.from.div_euclid(10), to: self.to.map_or(i64::MAX, |to| (to - 1).div_euclid(10)) }
    }
}

impl State {
    pub fn phase(&self) -> Phase {
        match self {
            State::Robust(row) => row.phase,
            State::Literal(row) => row.phase,
        }
    }

    pub fn phi(&self) -> Option<Phi> {
        match self {
            State::Robust(row) => Some(row.phi),
            State::Literal(_) => None,
        }
    }

    /// The same state of a rule that was edited: an open incident stays open.
    pub fn of_mode(self, literal: bool, step: i64, hold: u32) -> State {
        match self {
            State::Robust(row) if literal => {
                let newest = row.newest.map_or(0, |newest| (newest + 1) * row.step * 1_000);
                State::Literal(LiteralRow::in_phase(row.phase, newest))
            }
            State::Literal(row) if !literal => {
                let mut of_phase = Row::of_step(hold, step);
                of_phase.phase = row.phase;
                State::Robust(of_phase)
            }
            State::Robust(row) => State::Robust(row.in_steps_of(step)),
            State::Literal(row) => State::Literal(row),
        }
    }
}

impl Stored {
    /// In buckets of another length.
    pub(super) fn in_steps_of(mut self, step: i64) -> Stored {
        let old = if self.step > 0 { self.step } else { step };
        let bucket = |at: i64| (at * old).div_euclid(step);
        if old != step {
            (self.newest, self.blind) = (self.newest.map(bucket), self.blind.map(bucket));
            (self.since, self.shift) = (self.since.map(bucket), bucket(self.shift));
            self.step = step;
        }
        self
    }

    /// For a rule over all nodes that was one over each: the worst node is what it was.
    pub(super) fn of_all_nodes(mut self) -> Stored {
        let weight = |place: &StoredPlace| match place.state.phase() {
            Phase::Ok => 0,
            Phase::Pending => 1,
            Phase::Recovering => 2,
            Phase::Firing => 3,
        };
        let worst = std::mem::take(&mut self.places).into_values().max_by_key(weight);
        self.places = worst.into_iter().map(|place| (String::new(), place)).collect();
        self
    }
}
