//! How fast an error budget may burn: both of two windows must burn at `factor` times what the objective allows.

use super::number::{Number, Seconds};
use crate::metric::sla::Objective;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetBurn {
    pub objective: Objective,
    /// 1 spends exactly the budget of 30 days in 30 days.
    pub factor: Number,
    /// Shows that it matters.
    pub long: Seconds,
    /// Shows that it still goes on.
    pub short: Seconds,
}

pub const OBJECTIVES: [(&str, Objective); 5] = [
    ("connect", Objective::Connect),
    ("delivery", Objective::Delivery),
    ("uptime", Objective::Uptime),
    ("errors", Objective::Errors),
    ("fallback", Objective::Fallback),
];

impl BudgetBurn {
    pub fn objective_name(self) -> &'static str {
        OBJECTIVES.iter().find(|(_, objective)| *objective == self.objective).map_or("", |(name, _)| name)
    }

    /// Share of bad events from which on it burns too fast.
    pub fn bad_share(self) -> f64 {
        self.factor.value() * self.objective.allowed()
    }
}
