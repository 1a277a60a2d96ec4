//! What the value of some rules needs, beside the counts that judge them.

use super::super::buckets::{History, Tally};
use crate::metric::measure::sample::{Histograms, Measure};
use hdrhistogram::Histogram;
use std::collections::VecDeque;

pub enum Gauge {
    /// The counts are enough.
    None,
    Percentile(Percentile),
    Level(History<Average>),
}

/// Values of a level, in thousandths of its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average {
    n: u64,
    sum: i128,
}

impl Average {
    pub fn of(value: f64, n: u64) -> Self {
        Self { n, sum: (value * 1_000.0 * n as f64).round() as i128 }
    }

    pub fn mean(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / 1_000.0 / self.n as f64)
    }
}

impl Tally for Average {
    fn plus(self, other: Self) -> Self {
        Self { n: self.n.wrapping_add(other.n), sum: self.sum.wrapping_add(other.sum) }
    }
    fn minus(self, other: Self) -> Self {
        Self { n: self.n.wrapping_sub(other.n), sum: self.sum.wrapping_sub(other.sum) }
    }
}

/// The newest values of a measure in six parts of a fifth of the duration each, so that they can grow old: between one
/// duration and a fifth more.
pub struct Percentile {
    measure: Measure,
    parts: VecDeque<Histogram<u64>>,
    /// Buckets of a part, and of the newest one so far.
    length: usize,
    filled: usize,
}

const PARTS: usize = 6;

impl Percentile {
    pub fn new(measure: Measure, duration: usize) -> Self {
        Self { measure, parts: VecDeque::new(), length: duration.div_ceil(PARTS - 1).max(1), filled: 0 }
    }

    pub fn add(&mut self, bucket: &Histograms) {
        let bucket = bucket.get(self.measure);
        match self.parts.back_mut().filter(|_| self.filled > 0) {
            // Of one layout, and it grows: nothing can fail.
            Some(part) => drop(part.add(bucket)),
            None => {
                if self.parts.len() == PARTS {
                    self.parts.pop_front();
                }
                self.parts.push_back(bucket.clone());
            }
        }
        self.filled = (self.filled + 1) % self.length;
    }

    /// In milliseconds.
    pub fn value(&self, percent: u8) -> Option<f64> {
        let mut parts = self.parts.iter().filter(|part| !part.is_empty());
        let mut all = parts.next()?.clone();
        for part in parts {
            let _ = all.add(part);
        }
        Some(self.measure.ms(all.value_at_percentile(percent.into()) as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_forgets_what_is_older_than_the_duration_and_a_fifth() {
        let mut gauge = Percentile::new(Measure::DeliveryLatency, 10);
        let mut bucket = Histograms::default();
        bucket.record_n(Measure::DeliveryLatency, 100_000, 9);
        gauge.add(&bucket);
        assert_eq!(gauge.value(50).map(f64::round), Some(100.0));
        bucket.clear();
        assert!(bucket.get(Measure::DeliveryLatency).is_empty());
        for count in 1..=12 {
            assert_eq!(gauge.value(50).is_some(), count <= 12, "{count}");
            gauge.add(&bucket);
        }
        assert_eq!(gauge.value(50), None);
    }

    #[test]
    fn a_mean_of_levels_keeps_three_decimals() {
        let sum = Average::of(1.2345, 1).plus(Average::of(-0.5, 1));
        assert_eq!(sum.mean(), Some(0.3675));
        assert_eq!(Average::default().mean(), None);
    }
}
