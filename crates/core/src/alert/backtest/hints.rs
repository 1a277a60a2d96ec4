//! What a backtest cannot tell, and what it learned of the traffic, in sentences.

use super::super::{
    file::rule::{Rule, Watch},
    machine::Machine,
    reason::{digits, span},
};
use crate::metric::kpi::thousands;

pub struct Seen<'a> {
    pub rule: &'a Rule,
    pub machine: &'a Machine,
    /// 0 to 1.
    pub covered: f64,
    /// There were no samples before the range.
    pub learns: bool,
    /// Events in the range, and the seconds in which they were counted.
    pub n: u64,
    pub seconds: i64,
}

pub fn cannot_tell(seen: &Seen<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let step = seen.machine.step();
    if step > 10 {
        all.push(format!(
            "Rows of {} were judged. Over rows of 10 s, as they come in, the rule may fire up to {0} earlier or later.",
            span(step)
        ));
        if let Watch::Condition { duration, .. } = seen.rule.watch
            && i64::from(duration.0) % step != 0
        {
            let rounded = (i64::from(duration.0) + step - 1) / step * step;
            all.push(format!("The duration of {duration} is taken for {} here.", span(rounded)));
        }
    }
    if seen.covered < 0.995 {
        let missing = digits(100.0 * (1.0 - seen.covered));
        all.push(format!(
            "Of {missing} % of the time no samples are stored. It counts neither as good nor as bad."
        ));
    }
    if seen.learns {
        let needed = span(seen.machine.needs().buckets as i64 * step);
        all.push(format!("Its windows were empty at the beginning, and are all full after {needed}."));
    }
    all
}

pub fn hints(seen: &Seen<'_>) -> Vec<String> {
    let Watch::Condition { condition, duration, .. } = seen.rule.watch else { return Vec::new() };
    let duration = i64::from(duration.0);
    if seen.seconds == 0 {
        return vec!["No samples of this time are stored.".into()];
    }
    let usual =
        (u128::from(seen.n) * duration.unsigned_abs() as u128 / seen.seconds.unsigned_abs() as u128) as u64;
    let Some(least) = seen.machine.least_bad(usual) else { return Vec::new() };
    let (of, length) = (samples(condition.subject), span(duration));
    let count = thousands(usual);
    if usual == 0 {
        return vec![format!("There is less than one of its {of} in {length}: too few to judge.")];
    }
    let mut all = Vec::new();
    if least > usual {
        all.push(format!(
            "Too few events: of the usual {count} {of} in {length} not even all bad ones would be evidence. Its longer windows may fire."
        ));
    } else {
        let share = digits(100.0 * least as f64 / usual as f64);
        all.push(format!(
            "With the usual {count} {of} in {length} it fires from {} bad ({share} %).",
            thousands(least)
        ));
    }
    all
}

fn samples(subject: super::super::file::subject::Subject) -> &'static str {
    use super::super::file::subject::Subject;
    match subject {
        Subject::Table(metric) => metric.samples(),
        Subject::Percentile(measure, _) => measure.samples(),
        Subject::Node(_) => "samples",
    }
}
