//! Worlds: how much happens in each 10 s, and which share of it truly fails.

use super::chance::Chance;
use streamgauge_core::alert::ratio::Counts;

/// A month of 30 days, in buckets of 10 s.
pub const MONTH: usize = 259_200;
const DAY: f64 = 8_640.0;

/// How errors come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Errors {
    Independent,
    /// Several at once, in one bucket: retries of one client, one broken back end. So many on average.
    Bursts(f64),
}

impl Errors {
    pub fn number(self) -> u64 {
        match self {
            Errors::Independent => 1,
            Errors::Bursts(mean) => mean as u64,
        }
    }

    pub fn shown(self) -> String {
        match self {
            Errors::Independent => "independent".into(),
            Errors::Bursts(mean) => format!("bursts of {mean}"),
        }
    }
}

/// The truth about one bucket: traffic relative to the usual, and the share that fails.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    pub traffic: f64,
    pub failing: f64,
}

pub fn flat(buckets: usize, failing: f64) -> Vec<Truth> {
    vec![Truth { traffic: 1.0, failing }; buckets]
}

/// Traffic varies by a factor of five over the day, and the most fails while the least happens.
pub fn day(buckets: usize, low: f64, high: f64) -> Vec<Truth> {
    let truth = |at: usize| {
        let sine = (std::f64::consts::TAU * at as f64 / DAY).sin();
        Truth { traffic: 1.0 + 2.0 / 3.0 * sine, failing: low + (high - low) * (1.0 - sine) / 2.0 }
    };
    (0..buckets).map(truth).collect()
}

/// From low to high and back in three days.
pub fn drift(buckets: usize, low: f64, high: f64) -> Vec<Truth> {
    let truth = |at: usize| {
        let cosine = (std::f64::consts::TAU * at as f64 / DAY / 3.0).cos();
        Truth { traffic: 1.0, failing: low + (high - low) * (1.0 - cosine) / 2.0 }
    };
    (0..buckets).map(truth).collect()
}

/// Outages of 20 to 60 s in which 5 to 30 % fail, so many a day at random times.
pub fn outages(chance: &mut Chance, buckets: usize, failing: f64, a_day: f64) -> Vec<Truth> {
    let mut world = flat(buckets, failing);
    for _ in 0..chance.poisson(a_day * buckets as f64 / DAY) {
        let at = chance.share() * buckets as f64 * 10.0;
        let (failing, seconds) = (chance.between(0.05, 0.3), chance.between(20.0, 60.0));
        fail(&mut world, at, seconds, failing);
    }
    world
}

/// From `at` (seconds) on, a further `failing` fails for so many seconds. Of a bucket that is covered in part, a part.
pub fn fail(world: &mut [Truth], at: f64, seconds: f64, failing: f64) {
    let end = at + seconds;
    for (bucket, truth) in world.iter_mut().enumerate().skip((at / 10.0) as usize) {
        let start = bucket as f64 * 10.0;
        if start >= end {
            break;
        }
        let covered = (end.min(start + 10.0) - at.max(start)) / 10.0;
        truth.failing = (truth.failing + covered * failing).min(1.0);
    }
}

/// What is counted in each bucket. `a_bucket`: events on average at usual traffic.
pub fn draw(chance: &mut Chance, world: &[Truth], a_bucket: f64, errors: Errors) -> Vec<Counts> {
    let count = |truth: &Truth| {
        let n = chance.poisson(a_bucket * truth.traffic);
        match errors {
            Errors::Independent => Counts::new(n, chance.binomial(n, truth.failing)),
            Errors::Bursts(mean) => {
                let bursts = chance.poisson(n as f64 * truth.failing / mean);
                let bad = (0..bursts).map(|_| chance.burst(mean)).sum();
                // A burst's events are events too.
                Counts::new(n.max(bad), bad)
            }
        }
    };
    world.iter().map(count).collect()
}

/// Whether the true rate over the buckets up to `at` (inclusive), `window` of them, lies above the threshold.
pub fn truly_above(world: &[Truth], at: usize, window: usize, threshold: f64) -> bool {
    let seen = &world[(at + 1).saturating_sub(window)..=at];
    let traffic: f64 = seen.iter().map(|truth| truth.traffic).sum();
    let failing: f64 = seen.iter().map(|truth| truth.traffic * truth.failing).sum();
    failing > threshold * traffic
}
