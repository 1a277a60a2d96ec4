//! What a thread counts, and how it is merged. Percentiles are read from merged histograms only, never averaged.

use hdrhistogram::Histogram;
use streamgauge_core::load_test::Counts;

/// Ten minutes in µs: whatever took longer counts as that.
const MOST_US: u64 = 600_000_000;

/// A histogram of times in µs, exact to 0.1 %.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Times {
        #[expect(
            clippy::expect_used,
            reason = "constant bounds, which the library accepts: at least 2, at most 5 digits"
        )]
        Times(Histogram::new_with_max(MOST_US, 3).expect("2 <= ten minutes"))
    }
}

impl Times {
    pub fn record(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    pub fn merge(&mut self, other: &Times) {
        // Both have the same bounds, so nothing can be out of range.
        let _ = self.0.add(&other.0);
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// `percentile` of 100, in ms; `None` when nothing was recorded.
    pub fn ms(&self, percentile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_percentile(percentile) as f64 / 1_000.0)
    }
}

/// What happened within one second, or in a whole run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub counts: Counts,
    /// From the moment a message was due to its arrival.
    pub latency: Times,
    /// From the moment it was really sent.
    pub latency_sent: Times,
    /// From the moment it was due until the last of its session's followers had it.
    pub last_delivery: Times,
    /// From the moment a stream was due to its answer's head.
    pub connect: Times,
    /// From its `connect` call.
    pub connect_began: Times,
    /// From sending to the publisher's answer.
    pub answer: Times,
    /// From the moment a stream, a poll or a publisher's request was due to the head of its answer.
    pub response: Times,
    /// How late this tool was by its own fault.
    pub own_lag: Times,
}

impl Tally {
    pub fn merge(&mut self, other: &Tally) {
        self.counts.merge(&other.counts);
        let pairs = [
            (&mut self.latency, &other.latency),
            (&mut self.latency_sent, &other.latency_sent),
            (&mut self.last_delivery, &other.last_delivery),
            (&mut self.connect, &other.connect),
            (&mut self.connect_began, &other.connect_began),
            (&mut self.answer, &other.answer),
            (&mut self.response, &other.response),
            (&mut self.own_lag, &other.own_lag),
        ];
        for (mine, theirs) in pairs {
            mine.merge(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_percentiles_are_those_of_all_values() {
        let (mut fast, mut slow) = (Times::default(), Times::default());
        (0..950).for_each(|_| fast.record(1_000));
        (0..50).for_each(|_| slow.record(700_000_000));
        assert_eq!(Times::default().ms(50.0), None);
        fast.merge(&slow);
        assert_eq!(fast.count(), 1_000);
        assert!(fast.ms(95.0).is_some_and(|ms| (ms - 1.0).abs() < 0.01));
        assert!(fast.ms(95.2).is_some_and(|ms| ms > 599_000.0), "ten minutes at most");
    }
}
