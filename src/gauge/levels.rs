//! How the service levels stand, out of the history.

use crate::store::{self, Whose};
use sqlx::PgPool;
use streamgauge_core::{
    measure::counters::Counter,
    measure::{history::merged, sample::Sample},
    sla::{BUDGET_DAYS, BURN_WINDOWS, Counted, Day, Level, Objective, STRIP_DAYS},
};

const DAY: i64 = 86_400;

/// The five objectives over thirty days, and the uptime of each of the last ninety.
pub async fn levels(pool: &PgPool, now: i64) -> sqlx::Result<(Vec<Level>, Vec<Day>)> {
    let all = Whose::default();
    let to = now.div_euclid(DAY) * DAY + DAY;
    let days = store::load(pool, (to - STRIP_DAYS * DAY, to, DAY), &all, Sample::clone).await?.steps;
    let month: Vec<&Sample> = days.range(to - BUDGET_DAYS * DAY..).map(|(_, day)| day).collect();
    let month = merged(to - BUDGET_DAYS * DAY, BUDGET_DAYS * DAY, month);
    let minute = now.div_euclid(60) * 60 + 60;
    let minutes = store::load(pool, (minute - 21_600, minute, 60), &all, Sample::clone).await?.steps;
    let hour = now.div_euclid(3_600) * 3_600 + 3_600;
    let three_days = store::load(pool, (hour - 259_200, hour, 3_600), &all, |_| ()).await?.whole;
    let windows = BURN_WINDOWS.map(|(seconds, _)| {
        if seconds > 21_600 {
            return three_days.clone();
        }
        let recent: Vec<&Sample> = minutes.range(minute - seconds..).map(|(_, sample)| sample).collect();
        merged(minute - seconds, seconds, recent)
    });
    let level = |objective: Objective| {
        let counted: [Counted; BURN_WINDOWS.len()] =
            windows.each_ref().map(|window| objective.counted(window));
        Level::of(objective, objective.value(&month), objective.counted(&month), counted)
    };
    let strip = (0..STRIP_DAYS).map(|index| {
        let at = to - (STRIP_DAYS - index) * DAY;
        let count = |counter| days.get(&at).map_or(0, |day| day.counters.get(counter));
        Day {
            at,
            good: count(Counter::ProbesGood),
            bad: count(Counter::ProbesBad),
            unknown: count(Counter::ProbesUnknown),
            seconds: (now - at).clamp(0, DAY).unsigned_abs(),
            covered: count(Counter::CoveredSeconds),
        }
    });
    Ok((Objective::ALL.into_iter().map(level).collect(), strip.collect()))
}
