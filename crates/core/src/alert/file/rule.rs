//! One rule, checked.

use super::{
    burn::BudgetBurn,
    condition::{Condition, Quantity},
    number::{Number, Seconds},
    subject::Test,
};
use crate::metric::notice::Severity;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// 1 to 64 letters, digits, `_`, `-` and `.`.
    pub name: String,
    pub watch: Watch,
    pub severity: Severity,
    /// Channels' names; none: the incident stands on the page only.
    pub notification: Vec<String>,
    pub keep_firing_for: Option<Seconds>,
    pub mode: Mode,
    /// In percent. One minus it is the chance of a false alarm in one look, before it is shared among windows.
    pub confidence: Number,
    /// Another rule: while that one fires, this one sends nothing.
    pub depends_on: Option<String>,
    pub runbook: Option<String>,
    pub description: Option<String>,
    pub enabled: bool,
    /// Judged for this node alone.
    pub node: Option<String>,
    /// Judged for the followers of this region alone.
    pub region: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    Condition {
        condition: Condition,
        /// How long it must last.
        duration: Seconds,
        recover: Option<Quantity>,
        /// Fires before the whole duration shows the fault, at the price of more false alarms.
        eager: bool,
    },
    Burn(BudgetBurn),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Exact tail, spread, recency.
    Robust,
    /// What Prometheus does with `for` and `keep_firing_for`.
    Literal,
}

/// Why a rule is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotUsed {
    Disabled,
    NoRedis,
}

impl From<NotUsed> for crate::page::alerts::NotUsed {
    fn from(of: NotUsed) -> Self {
        match of {
            NotUsed::Disabled => Self::Disabled,
            NotUsed::NoRedis => Self::NoRedis,
        }
    }
}

/// 99.99 %.
pub const CONFIDENCE: Number = Number::millionths(99_990_000);
/// A rule that recovers sooner would open an incident for each of a fault's breaths.
const LEAST_HOLD: Seconds = Seconds(300);

impl Rule {
    pub fn test(&self, redis: bool) -> Result<Test, NotUsed> {
        if !self.enabled {
            return Err(NotUsed::Disabled);
        }
        match self.watch {
            Watch::Burn(_) => Ok(Test::BudgetBurn),
            Watch::Condition { condition, .. } if condition.subject.needs_redis() && !redis => {
                Err(NotUsed::NoRedis)
            }
            Watch::Condition { condition, .. } => Ok(condition.subject.test()),
        }
    }

    /// How long a rule must be clear before its incident is resolved. Prometheus' default is not to wait.
    pub fn hold(&self) -> Seconds {
        let default = match (self.mode, self.watch) {
            (Mode::Literal, _) => Seconds(0),
            (_, Watch::Condition { duration, .. }) => duration.max(LEAST_HOLD),
            (_, Watch::Burn(burn)) => burn.short.max(LEAST_HOLD),
        };
        self.keep_firing_for.unwrap_or(default)
    }

    /// From which value on it is clear again, in the metric's unit. A burn has none.
    pub fn recover(&self) -> Option<Number> {
        match self.watch {
            Watch::Condition { condition, recover, .. } => {
                Some(recover.unwrap_or(condition.threshold).normalised())
            }
            Watch::Burn(_) => None,
        }
    }
}
