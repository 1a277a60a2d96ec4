//! A ratio rule over a series of buckets, by the product's own judgement, and the usual Prometheus rule beside it.

use std::collections::VecDeque;
use streamgauge_core::alert::{
    buckets::History,
    dispersion::{self, Minute, Phi, Span, incident_start},
    judge::Windows,
    literal::{LiteralRow, LiteralRule, Seen},
    ratio::{Counts, RatioRule},
    state::{Row, Transition},
    threshold::Threshold,
};

/// The first bucket's number. At the start of an hour, long after 1970.
const START: i64 = 360_000;
const HOUR: i64 = 360;

/// One incident, in buckets from the start of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    pub opened: usize,
    /// The window that fired.
    pub window: usize,
    /// The end of the series for one that is still open.
    pub closed: usize,
}

pub struct Run {
    pub incidents: Vec<Incident>,
    pub phi: Phi,
}

#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub percent: u64,
    pub seconds: u64,
}

/// The epic's `error_rate > 1%` for 5 min.
pub const ERRORS: Rule = Rule { percent: 1, seconds: 300 };

impl Rule {
    pub fn buckets(self) -> usize {
        (self.seconds / 10) as usize
    }

    pub fn threshold(self) -> f64 {
        self.percent as f64 / 100.0
    }

    pub fn compiled(self) -> RatioRule {
        let threshold = Threshold::new(self.percent, 100).unwrap();
        RatioRule::new(threshold, threshold, Windows::new(self.seconds), 1e-4, false)
    }
}

/// Judges each bucket in its turn. `fixed`: phi as it was measured elsewhere; else from a cold start, hour by hour.
pub fn run(rule: &RatioRule, series: &[Counts], fixed: Option<Phi>) -> Run {
    let windows = rule.windows();
    let mut history = History::new(windows.keep());
    let mut row = Row::new(windows.hold());
    row.phi = fixed.unwrap_or(Phi::PRIOR);
    let (mut incidents, mut minutes, mut faults) =
        (Vec::<Incident>::new(), VecDeque::new(), Vec::<Span>::new());
    for (at, counts) in series.iter().enumerate() {
        let index = START + at as i64;
        history.push(index, *counts);
        if fixed.is_none() && index % HOUR == 0 && at > 0 {
            row.phi = measured(index / HOUR, &mut minutes, &faults, rule);
        }
        let verdict = rule.judge(&history, row.phi, row.fired());
        match row.advance(index, &verdict, windows.hold()) {
            Some(Transition::Fired) => {
                let window = row.fired().unwrap();
                incidents.push(Incident { opened: at, window, closed: series.len() });
                let from = index - incident_start(window) as i64 + 1;
                faults.push(Span { from, to: i64::MAX });
            }
            Some(Transition::Resolved(_)) => {
                incidents.last_mut().unwrap().closed = at;
                faults.last_mut().unwrap().to = index;
            }
            _ => {}
        }
        if fixed.is_none() {
            count(&mut minutes, index, *counts);
        }
    }
    Run { incidents, phi: row.phi }
}

fn count(minutes: &mut VecDeque<Minute>, index: i64, counts: Counts) {
    let minute = index.div_euclid(6);
    match minutes.back_mut().filter(|last| last.minute == minute) {
        Some(last) => {
            last.n += counts.n;
            last.bad += counts.bad;
        }
        None => minutes.push_back(Minute { minute, n: counts.n, bad: counts.bad }),
    }
}

fn measured(hour: i64, minutes: &mut VecDeque<Minute>, faults: &[Span], rule: &RatioRule) -> Phi {
    while minutes.front().is_some_and(|oldest| oldest.minute < (hour - 170) * 60) {
        minutes.pop_front();
    }
    // Older incidents cannot reach into the week.
    let recent: Vec<Span> = faults.iter().copied().filter(|span| span.to >= (hour - 170) * HOUR).collect();
    dispersion::measure(hour, minutes.iter().copied(), &recent, rule.critical())
}

/// The usual rule: the rate over D lies above the threshold for D. How many times it fires, and when first.
pub fn usual(rule: Rule, series: &[Counts]) -> (usize, Option<usize>) {
    let duration = rule.buckets();
    let threshold = Threshold::new(rule.percent, 100).unwrap();
    let literal =
        LiteralRule { duration: rule.seconds as i64 * 1_000, keep_firing_for: 300_000, interval: 10_000 };
    let mut history = History::new(duration);
    let (mut row, mut fires, mut first) = (LiteralRow::default(), 0, None);
    for (at, counts) in series.iter().enumerate() {
        history.push(at as i64, *counts);
        let sum = history.sum(0, duration);
        let seen = if threshold.exceeded(sum.n, sum.bad) { Seen::True } else { Seen::False };
        if row.step(&literal, (START + at as i64) * 10_000, seen) == Some(Transition::Fired) {
            fires += 1;
            first.get_or_insert(at);
        }
    }
    (fires, first)
}
