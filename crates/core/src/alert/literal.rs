//! `mode: literal`: the state machine of Prometheus (rules/alerting.go), for operators who bring their rules along.
//!
//! It differs only where Prometheus stands still: what it does not see for a minute and two evaluations, or with the
//! clock set back, stops every clock. Prometheus loses the state of most rules at a restart.

use serde::{Deserialize, Serialize};

use super::state::{Phase, Resolved, Transition};

/// All times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiteralRule {
    /// How long the condition must hold: `for`.
    pub duration: i64,
    /// How long it fires on after the condition ended.
    pub keep_firing_for: i64,
    /// The time between evaluations.
    pub interval: i64,
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The condition is true.
    True,
    /// It is false, or it has no series: Prometheus does not tell them apart.
    False,
    /// The evaluation failed, or there is no data: stops every clock.
    Nothing,
}

/// The stored state. All times in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiteralRow {
    pub phase: Phase,
    active_at: i64,
    keep_since: Option<i64>,
    /// The last evaluation that saw anything.
    last: Option<i64>,
    /// The last evaluation at which the condition was true.
    last_true: Option<i64>,
    /// The newest time without evaluations.
    gap: Option<(i64, i64)>,
}

const LEAST_GAP: i64 = 60_000;

impl LiteralRow {
    /// A rule that was judged in another mode before. `now`: its last judgement.
    pub fn in_phase(phase: Phase, now: i64) -> Self {
        Self { phase, active_at: now, last: Some(now), last_true: Some(now), ..Self::default() }
    }

    pub fn step(&mut self, rule: &LiteralRule, now: i64, seen: Seen) -> Option<Transition> {
        if seen == Seen::Nothing {
            return None;
        }
        self.skip_gap(rule, now);
        self.last = Some(now);
        if seen == Seen::True {
            self.last_true = Some(now);
            self.keep_since = None;
            return self.condition_holds(rule, now);
        }
        match self.phase {
            Phase::Ok => None,
            Phase::Pending => self.enter(Phase::Ok, Transition::Calm),
            Phase::Firing | Phase::Recovering => self.condition_ended(rule, now),
        }
    }

    fn condition_holds(&mut self, rule: &LiteralRule, now: i64) -> Option<Transition> {
        if self.phase == Phase::Ok {
            self.active_at = now;
        }
        match self.phase {
            Phase::Firing => None,
            Phase::Recovering => self.enter(Phase::Firing, Transition::Relapsed),
            Phase::Ok | Phase::Pending if now - self.active_at >= rule.duration => {
                self.gap = None;
                self.enter(Phase::Firing, Transition::Fired)
            }
            Phase::Ok => self.enter(Phase::Pending, Transition::Pending),
            Phase::Pending => None,
        }
    }

    fn condition_ended(&mut self, rule: &LiteralRule, now: i64) -> Option<Transition> {
        let since = *self.keep_since.get_or_insert(now);
        if now - since >= rule.keep_firing_for {
            let resolved = match (self.gap, self.last_true) {
                (Some((from, to)), Some(last)) if last <= from => {
                    Resolved::EndedUnseen { from: last / 1000, to: to / 1000 }
                }
                _ => Resolved::Confirmed,
            };
            self.gap = None;
            return self.enter(Phase::Ok, Transition::Resolved(resolved));
        }
        match self.phase {
            Phase::Firing => self.enter(Phase::Recovering, Transition::Recovering),
            _ => None,
        }
    }

    /// Moves the clocks on by a time that nobody saw, and back with a clock that was set back: an hour that did not
    /// pass must not fire a rule.
    fn skip_gap(&mut self, rule: &LiteralRule, now: i64) {
        let Some(last) = self.last else { return };
        let passed = now - last;
        if (0..LEAST_GAP.max(2 * rule.interval)).contains(&passed) {
            return;
        }
        self.active_at += passed;
        self.keep_since = self.keep_since.map(|since| since + passed);
        if passed > 0 {
            self.gap = Some((last, now));
        } else {
            self.last_true = self.last_true.map(|at| at + passed);
        }
    }

    fn enter(&mut self, phase: Phase, transition: Transition) -> Option<Transition> {
        self.phase = phase;
        Some(transition)
    }
}

#[cfg(test)]
mod tests;
