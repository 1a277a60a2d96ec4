//! How the service levels stand, out of the history.

use crate::store::{Store, StoreError, Whose};
use streamgauge_core::metric::{
    measure::{counters::Counter, sample::Sample},
    sla::{BUDGET_DAYS, BURN_WINDOWS, Counted, Day, Level, Objective, STRIP_DAYS},
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Of the step that is under way.
fn end(now: i64, step: i64) -> i64 {
    now.div_euclid(step) * step + step
}

/// The five objectives over thirty days, and the uptime of each of the last ninety. Read every half minute as long as the
/// server runs: nothing is kept of a bucket once it is merged.
pub async fn levels(store: &Store, now: i64) -> Result<(Vec<Level>, Vec<Day>), StoreError> {
    let all = Whose::default();
    let to = end(now, DAY);
    let counters = |sample: &Sample| sample.counters;
    let budget_from = to - BUDGET_DAYS * DAY;
    let month = store.history().load((budget_from, to, DAY), &all, counters).await?;
    let mut days =
        store.history().load((to - STRIP_DAYS * DAY, budget_from, DAY), &all, counters).await?.steps;
    days.extend(month.steps);
    let month = month.whole;
    let mut windows = Vec::with_capacity(BURN_WINDOWS.len());
    for (seconds, _) in BURN_WINDOWS {
        let step = if seconds > 6 * HOUR { HOUR } else { 60 };
        let to = end(now, step);
        // A window is 50 kB: what is wanted of it is taken out at once.
        let window = store.history().load((to - seconds, to, step), &all, |_| ()).await?.whole;
        windows.push(Objective::ALL.map(|objective| objective.counted(&window)));
    }
    let level = |(at, objective): (usize, Objective)| {
        let counted: [Counted; BURN_WINDOWS.len()] = std::array::from_fn(|window| windows[window][at]);
        Level::of(objective, objective.value(&month), objective.counted(&month), counted)
    };
    let strip = (0..STRIP_DAYS).map(|index| {
        let at = to - (STRIP_DAYS - index) * DAY;
        let count = |counter| days.get(&at).map_or(0, |day| day.get(counter));
        Day {
            at,
            good: count(Counter::ProbesGood),
            bad: count(Counter::ProbesBad),
            unknown: count(Counter::ProbesUnknown),
            seconds: (now - at).clamp(0, DAY).unsigned_abs(),
            covered: count(Counter::CoveredSeconds),
        }
    });
    Ok((Objective::ALL.into_iter().enumerate().map(level).collect(), strip.collect()))
}
