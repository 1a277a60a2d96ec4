//! What one node measured in one stretch of time.

use super::counters::{Counter, Counters};
pub use crate::metric::histogram::Measure;
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};

/// One histogram a measure.
#[derive(Clone, Debug)]
pub struct Histograms([Histogram<u64>; Measure::ALL.len()]);

impl Default for Histograms {
    fn default() -> Self {
        Histograms(Measure::ALL.map(|_| empty()))
    }
}

fn empty() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "two digits are between the zero and five that HdrHistogram takes"
    )]
    let mut histogram = Histogram::new(2).expect("two significant digits");
    histogram.auto(true);
    histogram
}

impl Histograms {
    pub fn get(&self, measure: Measure) -> &Histogram<u64> {
        &self.0[measure as usize]
    }

    /// Values beyond [`super::layout::MAX`] are counted as that.
    pub fn record_n(&mut self, measure: Measure, value: u64, count: u64) {
        // Resizing is on, so recording fails only where the address space ends.
        let _ = self.0[measure as usize].record_n(value.min(super::layout::MAX), count);
    }

    pub fn merge(&mut self, other: &Histograms) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if !theirs.is_empty() {
                let _ = mine.add(theirs);
            }
        }
    }

    /// Takes out what was merged in before.
    pub fn unmerge(&mut self, other: &Histograms) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if !theirs.is_empty() {
                let _ = mine.subtract(theirs);
            }
        }
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.0.iter_mut().filter(|histogram| !histogram.is_empty()).for_each(Histogram::reset);
    }

    /// HdrHistogram V2 compressed, as stored; `None` when empty.
    pub fn encode(&self, measure: Measure) -> Option<Vec<u8>> {
        let histogram = self.get(measure);
        let mut bytes = Vec::new();
        (!histogram.is_empty()).then_some(())?;
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
        // Kept for hours.
        bytes.shrink_to_fit();
        Some(bytes)
    }

    /// Merges a stored histogram in. `false`: the bytes are no histogram and were passed over.
    pub fn merge_encoded(&mut self, measure: Measure, bytes: &[u8]) -> bool {
        let Ok(stored) = Deserializer::new().deserialize::<u64, _>(&mut &bytes[..]) else { return false };
        self.0[measure as usize].add(stored).is_ok()
    }
}

/// What was measured in `[start, start + step)`.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Empty: all nodes, merged.
    pub node: String,
    /// Whose followers it is about; empty: all of them.
    pub region: String,
    /// Unix seconds, a multiple of `step`.
    pub start: i64,
    /// Seconds: 10 as measured, more when merged.
    pub step: i64,
    pub counters: Counters,
    pub histograms: Histograms,
}

impl Sample {
    pub fn new(node: impl Into<String>, start: i64, step: i64) -> Sample {
        Sample {
            node: node.into(),
            region: String::new(),
            start,
            step,
            counters: Counters::default(),
            histograms: Histograms::default(),
        }
    }

    pub fn merge(&mut self, other: &Sample) {
        self.counters.merge(&other.counters);
        self.histograms.merge(&other.histograms);
    }

    pub fn unmerge(&mut self, other: &Sample) {
        self.counters.unmerge(&other.counters);
        self.histograms.unmerge(&other.histograms);
    }

    /// A level (what is summed each second) or a rate a second, of all nodes in the sample together: over the seconds
    /// that were measured, so a half-measured bucket is not half as high. `None` of a region for what is not kept by it.
    pub fn level(&self, sum: Counter) -> Option<f64> {
        let seconds = self.counters.get(Counter::CoveredSeconds);
        (seconds > 0 && self.tells(sum)).then(|| self.counters.get(sum) as f64 / seconds as f64)
    }

    /// Whether a counter of it says anything.
    pub fn tells(&self, counter: Counter) -> bool {
        self.region.is_empty() || counter.is_by_region()
    }

    /// A percentile (0 to 100) in the measure's own unit; `None` under `floor` values.
    pub fn percentile(&self, measure: Measure, percentile: f64, floor: u64) -> Option<f64> {
        let histogram = self.histograms.get(measure);
        (histogram.len() >= floor.max(1)).then(|| histogram.value_at_percentile(percentile) as f64)
    }

    pub fn mean_of(&self, measure: Measure) -> Option<f64> {
        let histogram = self.histograms.get(measure);
        (!histogram.is_empty()).then(|| histogram.mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_histograms_merge_without_loss() {
        let mut a = Histograms::default();
        let mut b = Histograms::default();
        for value in 1..=1_000 {
            a.record_n(Measure::DeliveryLatency, value * 10, 1);
            b.record_n(Measure::DeliveryLatency, value * 1_000, 2);
        }
        let mut direct = a.clone();
        direct.merge(&b);
        let mut stored = Histograms::default();
        for part in [&a, &b] {
            let bytes = part.encode(Measure::DeliveryLatency).expect("not empty");
            assert!(stored.merge_encoded(Measure::DeliveryLatency, &bytes));
        }
        assert_eq!(stored.get(Measure::DeliveryLatency), direct.get(Measure::DeliveryLatency));
        direct.unmerge(&b);
        assert_eq!(direct.get(Measure::DeliveryLatency).len(), 1_000);
        assert_eq!(
            direct.get(Measure::DeliveryLatency).value_at_quantile(0.5),
            a.get(Measure::DeliveryLatency).value_at_quantile(0.5)
        );
        assert!(!stored.merge_encoded(Measure::DeliveryLatency, b"not a histogram"));
        assert_eq!(Histograms::default().encode(Measure::ConnectionEstablishment), None);
    }
}
