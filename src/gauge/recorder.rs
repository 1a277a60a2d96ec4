//! The hot path of measurement: no lock, no allocation, and no clock call of its own.
//!
//! Each thread adds to a slot of its own with relaxed atomics, so nothing is contended and nothing is
//! shared between caches; once a second the ticker empties all slots into one sample.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use streamgauge_core::measure::{
    counters::{Counter, Counters},
    layout,
    sample::{Measure, Sample},
};

/// Cloning shares the counts.
#[derive(Clone)]
pub struct Recorder(Arc<[Slot]>);

/// 64-byte alignment keeps two threads' slots out of one cache line.
#[repr(align(64))]
struct Slot {
    counters: [AtomicU64; Counters::LEN],
    /// One array of [`layout::SLOTS`] counts a measure.
    histograms: Box<[AtomicU32]>,
}

impl Slot {
    fn new() -> Slot {
        let cells = layout::SLOTS * Measure::ALL.len();
        Slot {
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            histograms: (0..cells).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<usize> = Cell::new(NEXT_THREAD.fetch_add(1, Relaxed));
}

impl Recorder {
    /// `threads` slots; further threads share them, which costs speed and not truth.
    pub fn new(threads: usize) -> Recorder {
        Recorder((0..threads.max(1)).map(|_| Slot::new()).collect())
    }

    fn slot(&self) -> &Slot {
        &self.0[THREAD.get() % self.0.len()]
    }

    pub fn add(&self, counter: Counter, amount: u64) {
        self.slot().counters[counter as usize].fetch_add(amount, Relaxed);
    }

    /// In the measure's own unit.
    pub fn record(&self, measure: Measure, value: u64) {
        self.record_n(measure, value, 1);
    }

    /// The same value `count` times.
    pub fn record_n(&self, measure: Measure, value: u64, count: u64) {
        let cell = measure as usize * layout::SLOTS + layout::index(value);
        self.slot().histograms[cell].fetch_add(u32::try_from(count).unwrap_or(u32::MAX), Relaxed);
    }

    /// Time since `start_us` in microseconds; a clock that was set back counts as no time.
    pub fn record_since(&self, measure: Measure, start_us: i64, now_us: i64) {
        self.record(measure, u64::try_from(now_us - start_us).unwrap_or(0));
    }

    /// Moves everything counted so far into `sample`. What is added meanwhile is in this or the next one.
    pub fn collect(&self, sample: &mut Sample) {
        for slot in self.0.iter() {
            for (&counter, cell) in Counter::ALL.iter().zip(&slot.counters) {
                sample.counters.add(counter, cell.swap(0, Relaxed));
            }
            for (measure, cells) in Measure::ALL.into_iter().zip(slot.histograms.chunks(layout::SLOTS)) {
                for (index, cell) in cells.iter().enumerate() {
                    // Nearly all are zero: a load leaves the line in the other core's cache.
                    if cell.load(Relaxed) > 0 {
                        let count = u64::from(cell.swap(0, Relaxed));
                        sample.histograms.record_n(measure, layout::value(index), count);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let recorder = Recorder::new(2);
        let mut sample = Sample::new("a", 0, 1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for value in 0..10_000 {
                        recorder.add(Counter::Delivered, 1);
                        recorder.record(Measure::Delivery, value);
                    }
                });
            }
            for _ in 0..50 {
                recorder.collect(&mut sample);
            }
        });
        recorder.collect(&mut sample);
        assert_eq!(sample.counters.get(Counter::Delivered), 40_000);
        assert_eq!(sample.histograms.get(Measure::Delivery).len(), 40_000);
        let p50 = sample.percentile(Measure::Delivery, 50.0, 1).expect("recorded");
        assert!((p50 - 5_000.0).abs() < 50.0, "{p50}");
    }
}
