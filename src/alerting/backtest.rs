//! A rule over stored history, judged by the machine that runs live.

use super::{
    Alerting, BadRules, checked,
    past::rows,
    watched::{BUCKET, MINUTE},
};
use crate::store::{Store, StoreError};
use streamgauge_core::{
    alert::{
        backtest::{Asked, backtest},
        file::{Rule, rule::NotUsed},
        machine::{Machine, Needs},
    },
    metric::measure::packed::Packed,
    page::alerts::Backtest,
};

/// The shortest and the longest time that is looked at, ms.
const SHORTEST: i64 = 60_000;
const LONGEST: i64 = 366 * 86_400_000;
/// What begins in the last two days is read in 10 s, anything else in minutes: rows of 10 s are not kept longer than three
/// days, ms.
const FRESH: i64 = 2 * 86_400_000;

/// Why there is no backtest.
#[derive(Debug)]
pub enum Unfit {
    Rule(BadRules),
    /// From and to are not in their order, or too near or too far from each other.
    Window,
    /// Rows are read and judged elsewhere now.
    Busy,
    Store(StoreError),
}

impl Unfit {
    /// Sentences for a page.
    pub fn faults(&self) -> Vec<String> {
        match self {
            Unfit::Rule(BadRules(faults)) => faults.iter().map(ToString::to_string).collect(),
            Unfit::Window => vec!["The time must be from a minute to 366 days long.".to_owned()],
            Unfit::Busy => vec!["Other backtests run. Try again in a moment.".to_owned()],
            Unfit::Store(_) => vec!["PostgreSQL cannot be reached.".to_owned()],
        }
    }
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Unfit {
        Unfit::Store(error)
    }
}

impl Alerting {
    /// `text`: the rule as it is being edited. `from`, `to`, `now`: Unix milliseconds.
    pub async fn backtest(
        &self,
        store: &Store,
        text: &str,
        (from, to): (i64, i64),
        now: i64,
    ) -> Result<Backtest, Unfit> {
        let to = to.min(now);
        if !(SHORTEST..=LONGEST).contains(&to.saturating_sub(from)) {
            return Err(Unfit::Window);
        }
        let shown = self.shown();
        let rule = Rule { enabled: true, ..checked(text, shown.book()).map_err(Unfit::Rule)? };
        let saved = shown.book().find(&rule.name).map(|entry| Rule { enabled: true, ..entry.rule.clone() });
        // A month of minutes is some ten megabytes, and a second of computing.
        let Ok(_turn) = self.backtests.try_acquire() else { return Err(Unfit::Busy) };
        let coarse = now - from > FRESH;
        // Redis or not: what is stored can be looked at.
        let machine = Machine::new(&rule, true, if coarse { MINUTE } else { BUCKET });
        let Ok(machine) = machine else { return Ok(Backtest::default()) };
        let (step, needs) = (machine.step(), both(machine.needs(), saved.as_ref()));
        let (first, last) = (from.div_euclid(step * 1_000), to.div_euclid(step * 1_000));
        let before = first - i64::try_from(needs.buckets).unwrap_or(0);
        let read = rows(store, &rule, &needs, step, (before, last)).await?;
        let name = rule.name.clone();
        let mut found = tokio::task::spawn_blocking(move || {
            let samples = read.into_iter().map(|(index, rows): (i64, Vec<Packed>)| (index, step, rows));
            let asked =
                Asked { rule: &rule, saved: saved.as_ref(), redis: true, from: from / 1_000, to: to / 1_000 };
            backtest(&asked, samples).or_else(|_: NotUsed| Ok::<_, NotUsed>(Backtest::default()))
        })
        .await
        .map_err(StoreError::from)?
        .unwrap_or_default();
        // What people said of the incidents of that time.
        for (id, opened, resolved, outcome) in store.alerts().incident_spans(&name, from, to).await? {
            let overlaps = |from: i64, to: Option<i64>| {
                from <= resolved.unwrap_or(i64::MAX) && to.is_none_or(|to| to >= opened)
            };
            for fired in found.incidents.iter_mut().filter(|fired| overlaps(fired.from, fired.to)) {
                (fired.incident, fired.outcome) = (Some(id), outcome);
            }
        }
        Ok(found)
    }
}

/// What the edited rule needs, and the saved one of its name, which is judged over the same rows.
fn both(mut needs: Needs, saved: Option<&Rule>) -> Needs {
    let saved = saved.and_then(|saved| Machine::new(saved, true, needs.step).ok()).map(|saved| saved.needs());
    if let Some(saved) = saved {
        needs.buckets = needs.buckets.max(saved.buckets);
        needs.measures.extend(saved.measures);
        needs.region = needs.region.or(saved.region);
    }
    needs
}
