//! How often a rule fires though the true rate never lay above its threshold.

use super::{
    chance::Chance,
    ratio_run::{ERRORS, Incident, Rule, run, usual},
    world::{Errors, MONTH, Truth, draw, flat, truly_above},
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// One volume of traffic and one pattern of errors, at a true rate that is a part of the threshold.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub events: u64,
    pub errors: Errors,
    /// Of the threshold, in tenths.
    pub tenths: u64,
}

pub struct Found {
    pub cell: Cell,
    pub months: u64,
    /// Incidents whose window that fired truly lay at or below the threshold.
    pub false_ones: usize,
    /// Of the usual Prometheus rule, all of them.
    pub usual: usize,
    /// In hundredths, at the end of each month.
    pub phis: Vec<u64>,
}

pub const VOLUMES: [u64; 5] = [100, 300, 1_000, 3_000, 10_000];
pub const PATTERNS: [Errors; 2] = [Errors::Independent, Errors::Bursts(3.0)];

pub fn cells(volumes: &[u64], tenths: u64) -> Vec<Cell> {
    let of = |errors| volumes.iter().map(move |&events| Cell { events, errors, tenths });
    PATTERNS.into_iter().flat_map(of).collect()
}

/// Each month from a cold start: no history, phi unknown.
pub fn months(seed: u64, cell: Cell, months: u64) -> Found {
    let share = ERRORS.threshold() * cell.tenths as f64 / 10.0;
    let mut found = Found { cell, months, false_ones: 0, usual: 0, phis: Vec::new() };
    for month in 0..months {
        let mut chance = Chance::new(seed, &[1, cell.tenths, cell.errors.number(), cell.events, month]);
        let world = flat(MONTH, share);
        let one = one(&mut chance, &world, ERRORS, cell.events, cell.errors);
        found.false_ones += one.incidents.len() - one.real;
        found.usual += one.usual;
        found.phis.push(one.phi);
    }
    found.phis.sort_unstable();
    found
}

pub struct One {
    pub incidents: Vec<Incident>,
    pub real: usize,
    pub usual: usize,
    pub phi: u64,
}

/// One series of a world, by our rule and by the usual one.
pub fn one(chance: &mut Chance, world: &[Truth], rule: Rule, events: u64, errors: Errors) -> One {
    let series = draw(chance, world, events as f64 / rule.buckets() as f64, errors);
    let run = run(&rule.compiled(), &series, None);
    let is_real = |of: &&Incident| truly_above(world, of.opened, of.window, rule.threshold());
    One {
        real: run.incidents.iter().filter(is_real).count(),
        usual: usual(rule, &series).0,
        phi: run.phi.hundredths(),
        incidents: run.incidents,
    }
}

/// All cells, on two threads.
pub fn all(seed: u64, cells: &[Cell], months_each: u64) -> Vec<Found> {
    in_parallel(cells, |cell| months(seed, *cell, months_each))
}

/// On two threads: each takes the next one when it is done with its last.
pub fn in_parallel<T: Sync, R: Send>(of: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut results = thread::scope(|scope| {
        let one_thread = || {
            let mut results = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = of.get(place) else { return results };
                results.push((place, work(item)));
            }
        };
        let other = scope.spawn(one_thread);
        let mut results = one_thread();
        results.extend(other.join().unwrap());
        results
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The most in one cell, and in all together.
pub fn worst_and_total(found: &[Found]) -> (usize, usize) {
    let worst = found.iter().map(|found| found.false_ones).max().unwrap_or(0);
    (worst, found.iter().map(|found| found.false_ones).sum())
}

pub fn print(found: &[Found]) {
    for Found { cell, months, false_ones, usual, phis } in found {
        let phi = phis.get(phis.len() / 2).copied().unwrap_or(0) as f64 / 100.0;
        println!(
            "true rate {:.1} of the threshold, {:>6} events in 5 min, {:<12}: {false_ones:>4} false in {months} months; \
             usual rule {:>7.1} a month; phi {phi:.2} (median)",
            cell.tenths as f64 / 10.0,
            cell.events,
            cell.errors.shown(),
            *usual as f64 / *months as f64,
        );
    }
}
