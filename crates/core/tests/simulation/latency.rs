//! Mean rules over latency whose values are slow together.

use super::{chance::Chance, false_incidents::in_parallel, world::MONTH};
use streamgauge_core::alert::{
    buckets::History,
    judge::Windows,
    mean::{MeanRule, Sums},
    state::{Row, Transition},
};

/// `avg_latency > 500ms` for 3 min, in microseconds.
const THRESHOLD: i64 = 500_000;
const SECONDS: u64 = 180;

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Values in 3 minutes.
    pub values: u64,
    pub mean_ms: u64,
    /// Standard deviation of the logarithm, in tenths.
    pub sigma_tenths: u64,
    /// The percentage of its variance that values of one bucket share.
    pub shared_percent: u64,
    pub months: u64,
}

pub struct Found {
    pub cell: Cell,
    pub incidents: usize,
}

pub fn all(seed: u64, cells: &[Cell]) -> Vec<Found> {
    in_parallel(cells, |cell| Found { cell: *cell, incidents: false_ones(seed, *cell) })
}

/// How often it fires though the true mean lies below the threshold all the time.
fn false_ones(seed: u64, cell: Cell) -> usize {
    let Cell { values, mean_ms, sigma_tenths, shared_percent, months } = cell;
    let windows = Windows::new(SECONDS);
    let rule = MeanRule::above(THRESHOLD, THRESHOLD, windows.clone(), 1e-4, false);
    let (sigma, shared) = (sigma_tenths as f64 / 10.0, shared_percent as f64 / 100.0);
    let middle = (mean_ms as f64 * 1_000.0).ln() - sigma * sigma / 2.0;
    let mut fires = 0;
    for month in 0..months {
        let mut chance = Chance::new(seed, &[7, values, mean_ms, sigma_tenths, shared_percent, month]);
        let (mut history, mut row) = (History::new(windows.keep()), Row::new(windows.hold()));
        for at in 0..MONTH as i64 {
            let n = chance.poisson(values as f64 / windows.duration() as f64);
            let together = middle + shared.sqrt() * sigma * chance.normal();
            let own = (1.0 - shared).sqrt() * sigma;
            let sum: f64 = (0..n).map(|_| (together + own * chance.normal()).exp()).sum();
            history.push(at, Sums::bucket(n, sum as i64));
            let verdict = rule.judge(&history, row.fired());
            fires += usize::from(row.advance(at, &verdict, windows.hold()) == Some(Transition::Fired));
        }
    }
    fires
}

pub fn print(found: &[Found]) {
    for Found { cell, incidents } in found {
        println!(
            "mean {} ms, sigma {:.1}, {} % of the variance shared, {:>5} values in 3 min: {incidents} false in {} months",
            cell.mean_ms,
            cell.sigma_tenths as f64 / 10.0,
            cell.shared_percent,
            cell.values,
            cell.months,
        );
    }
}
