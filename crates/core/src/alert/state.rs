//! The state of a rule, and how one judgement after the other changes it.
//!
//! The row is all that is kept of a rule; windows come from stored buckets. Every time is a bucket's index, never a
//! clock's, so that setting a clock can make nothing early. A missing bucket changes nothing: what nobody saw is neither
//! a breach nor a recovery. After a restart the caller fills the history with stored buckets up to `newest`, and then judges
//! each later one in its turn.

use std::fmt;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::buckets::SECONDS;
use super::dispersion::Phi;
use super::judge::{Recovery, Verdict};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    #[default]
    Ok,
    /// There is evidence, but the breach has not lasted for the duration.
    Pending,
    Firing,
    /// Fires still, but the hold runs.
    Recovering,
}

/// A rule's stored state. Unknown and missing fields are those of another version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    pub phase: Phase,
    /// The bucket of the last change of phase.
    pub since: Option<i64>,
    /// The window that fired. Kept for the recovery, which asks it as well.
    pub window: Option<usize>,
    /// Good judgements in succession while it recovers.
    pub held: u32,
    /// How many `held` must become; doubled by each fire within an hour of the last resolve.
    pub hold: u32,
    /// Judgements since it fired.
    pub judged: u32,
    /// Recomputed by the caller at each full hour.
    pub phi: Phi,
    /// The newest bucket that was judged.
    pub newest: Option<i64>,
    /// Seconds of a bucket.
    pub step: i64,
    /// The newest bucket that lay above the threshold, and the newest gap since it fired: whether the fault ended unseen.
    last_above: Option<i64>,
    gap: Option<Gap>,
    resolved: Option<i64>,
}

/// Buckets that nobody recorded, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from: i64,
    pub to: i64,
}

/// What is announced, or written into the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    Pending,
    /// Pending no more, without having fired.
    Calm,
    /// Opens the incident.
    Fired,
    Recovering,
    /// Bad again before the hold was over; the incident was open all the while.
    Relapsed,
    /// Closes the incident.
    Resolved(Resolved),
    /// No data for a minute: the state stands still.
    Blind,
    /// Data again.
    Seeing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolved {
    /// The values are good again.
    Confirmed,
    /// No more events. Nobody knows whether they would be good.
    TrafficStopped,
    /// The node sent nothing for the hold, while others did. Nobody knows whether it would be good.
    NodeGone,
    /// The last bad bucket came before a gap, and none after it. Seconds since 1970: the end of that bucket, and of the
    /// gap.
    EndedUnseen { from: i64, to: i64 },
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        match self {
            Self::Confirmed => f.write_str("back within the threshold"),
            Self::TrafficStopped => f.write_str("traffic stopped, not confirmed"),
            Self::NodeGone => f.write_str("the node sends no more data, not confirmed"),
            Self::EndedUnseen { from, to } => {
                let (from, to) = (time(*from), time(*to));
                write!(
                    f,
                    "ended while Streamgauge was down, between {} and {} UTC",
                    from.format(TIME),
                    to.format(TIME)
                )
            }
        }
    }
}

const TIME: &str = "%Y-%m-%d %H:%M:%S";
/// Seconds. A gap of a minute is blindness.
const BLIND: i64 = 60;
/// Seconds: the longest hold by damping, and how long a fire is a flap after a resolve.
pub const DAMPING: i64 = 3_600;

/// What is seen at all, of whatever a rule watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The newest present bucket.
    pub newest: Option<i64>,
    /// The first bucket of a blind time that lasts: no bucket was present for a minute.
    pub blind: Option<i64>,
}

impl Sight {
    /// Takes a closed bucket of `step` seconds that nobody recorded. True when the rule becomes blind by it.
    pub fn missing(&mut self, bucket: i64, step: i64) -> bool {
        let Some(newest) = self.newest else { return false };
        if self.blind.is_some() || (bucket - newest) * step < BLIND {
            return false;
        }
        self.blind = Some(newest + 1);
        true
    }

    /// Takes a present bucket. True when a blind time ends by it.
    pub fn seen(&mut self, bucket: i64) -> bool {
        self.newest = Some(bucket);
        self.blind.take().is_some()
    }
}

impl Default for Row {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Row {
    pub fn new(hold: u32) -> Self {
        Self::of_step(hold, SECONDS)
    }

    /// The same over buckets of `step` seconds.
    pub fn of_step(hold: u32, step: i64) -> Self {
        Self {
            phase: Phase::Ok,
            since: None,
            window: None,
            held: 0,
            hold,
            judged: 0,
            phi: Phi::PRIOR,
            newest: None,
            step,
            last_above: None,
            gap: None,
            resolved: None,
        }
    }

    /// The window that the recovery must ask.
    pub fn fired(&self) -> Option<usize> {
        if matches!(self.phase, Phase::Firing | Phase::Recovering) { self.window } else { None }
    }

    /// The same state over buckets of another length, as near as they can tell it.
    pub fn in_steps_of(mut self, step: i64) -> Self {
        let (old, step) = (self.step.max(1), step.max(1));
        let bucket = |at: Option<i64>| at.map(|at| (at * old).div_euclid(step));
        let length = |buckets: u32| (i64::from(buckets) * old / step) as u32;
        if old == step {
            return self;
        }
        (self.since, self.newest) = (bucket(self.since), bucket(self.newest));
        (self.last_above, self.resolved) = (bucket(self.last_above), bucket(self.resolved));
        self.gap =
            self.gap.and_then(|gap| Some(Gap { from: bucket(Some(gap.from))?, to: bucket(Some(gap.to))? }));
        self.window = self.window.map(|window| (window as i64 * old / step).max(1) as usize);
        (self.held, self.judged) = (length(self.held), length(self.judged));
        self.hold = length(self.hold);
        self.step = step;
        self
    }

    /// Takes the verdict on a present bucket. Buckets come in their order; one that was judged already, or that comes
    /// after the clock was set back, changes nothing. `hold`: the rule's own, without damping.
    pub fn advance(&mut self, bucket: i64, verdict: &Verdict, hold: u32) -> Option<Transition> {
        let before = self.newest;
        if before.is_some_and(|newest| bucket <= newest) {
            return None;
        }
        self.newest = Some(bucket);
        if verdict.above {
            self.last_above = Some(bucket);
        }
        let transition = match self.phase {
            Phase::Ok | Phase::Pending => self.quiet(bucket, verdict, hold),
            Phase::Firing | Phase::Recovering => {
                if let Some(from) =
                    before.map(|newest| newest + 1).filter(|from| (bucket - from) * self.step >= BLIND)
                {
                    self.gap = Some(Gap { from, to: bucket - 1 });
                }
                self.judged = self.judged.saturating_add(1);
                self.alarmed(verdict, hold)
            }
        };
        if transition.is_some() {
            self.since = Some(bucket);
        }
        transition
    }

    fn quiet(&mut self, bucket: i64, verdict: &Verdict, hold: u32) -> Option<Transition> {
        if let Some(window) = verdict.fire {
            let flaps = self.resolved.is_some_and(|at| (bucket - at) * self.step <= DAMPING);
            let longest = u32::try_from(DAMPING / self.step).unwrap_or(u32::MAX);
            // A rule whose own hold is longer than an hour keeps it.
            self.hold = if flaps { self.hold.saturating_mul(2).clamp(hold, hold.max(longest)) } else { hold };
            self.window = Some(window);
            (self.held, self.judged, self.gap) = (0, 0, None);
            self.phase = Phase::Firing;
            return Some(Transition::Fired);
        }
        match (self.phase, verdict.live) {
            (Phase::Ok, true) => self.enter(Phase::Pending, Transition::Pending),
            (Phase::Pending, false) => self.enter(Phase::Ok, Transition::Calm),
            _ => None,
        }
    }

    fn alarmed(&mut self, verdict: &Verdict, hold: u32) -> Option<Transition> {
        let over = match verdict.recovery {
            Recovery::No => {
                self.held = 0;
                return match self.phase {
                    Phase::Recovering => self.enter(Phase::Firing, Transition::Relapsed),
                    _ => None,
                };
            }
            Recovery::Counts => {
                self.held = self.held.saturating_add(1);
                self.held >= self.hold
            }
            Recovery::Window { over } => over && self.judged >= self.hold,
        };
        if over {
            let resolved = self.how(verdict, hold);
            (self.held, self.window, self.gap, self.resolved) = (0, None, None, self.newest);
            return self.enter(Phase::Ok, Transition::Resolved(resolved));
        }
        match self.phase {
            Phase::Firing => self.enter(Phase::Recovering, Transition::Recovering),
            _ => None,
        }
    }

    /// A gap explains the end only if the fault was there shortly before it and never again after it.
    fn how(&self, verdict: &Verdict, hold: u32) -> Resolved {
        match (self.gap, self.last_above) {
            (Some(gap), Some(last)) if last < gap.from && gap.from - last <= i64::from(hold) => {
                Resolved::EndedUnseen { from: (last + 1) * self.step, to: (gap.to + 1) * self.step }
            }
            _ if !verdict.traffic => Resolved::TrafficStopped,
            _ => Resolved::Confirmed,
        }
    }

    fn enter(&mut self, phase: Phase, transition: Transition) -> Option<Transition> {
        self.phase = phase;
        Some(transition)
    }
}

#[cfg(test)]
mod tests;
