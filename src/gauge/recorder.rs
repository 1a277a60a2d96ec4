//! The hot path of measurement: no lock, no allocation, and no clock call of its own.
//!
//! Each thread adds to a slot of its own with relaxed atomics, so nothing is contended and nothing is
//! shared between caches; once a second the ticker empties all slots into one sample.

use super::Journal;
use std::{
    cell::Cell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use streamgauge_core::{
    metric::{
        measure::{
            counters::{Counter, Counters},
            layout,
            sample::{Measure, Sample},
        },
        region::Region,
    },
    session::ids::SessionId,
};

/// Cloning shares the counts.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// Counts nothing: what the probe does is no traffic.
    silent: bool,
}

struct Shared {
    slots: Box<[Slot]>,
    journal: Journal,
}

/// 64-byte alignment keeps two threads' slots out of one cache line.
#[repr(align(64))]
struct Slot {
    counters: [AtomicU64; Counters::LEN],
    /// One array of [`layout::SLOTS`] counts a measure.
    histograms: Box<[AtomicU32]>,
    /// What is also counted by the follower's region; made when the first one from there comes.
    regions: [OnceLock<Box<RegionSlot>>; Region::COUNT],
}

struct RegionSlot {
    counters: [AtomicU64; Counters::LEN],
    histograms: [Box<[AtomicU32]>; BY_REGION.len()],
}

/// The distributions that are kept by region: 15 kB each, a thread and region.
const BY_REGION: [Measure; 3] = [Measure::Delivery, Measure::Connect, Measure::ClientLatency];

impl RegionSlot {
    fn new() -> Box<RegionSlot> {
        Box::new(RegionSlot {
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            histograms: BY_REGION.map(|_| cells(layout::SLOTS)),
        })
    }
}

fn cells(count: usize) -> Box<[AtomicU32]> {
    (0..count).map(|_| AtomicU32::new(0)).collect()
}

impl Slot {
    fn new() -> Slot {
        Slot {
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            histograms: cells(layout::SLOTS * Measure::ALL.len()),
            regions: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    fn region(&self, region: Region) -> &RegionSlot {
        self.regions[region.index()].get_or_init(RegionSlot::new)
    }
}

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<usize> = Cell::new(NEXT_THREAD.fetch_add(1, Relaxed));
}

impl Recorder {
    /// `threads` slots; further threads share them, which costs speed and not truth.
    pub fn new(threads: usize) -> Recorder {
        Recorder::with(threads, Journal::default())
    }

    pub fn with(threads: usize, journal: Journal) -> Recorder {
        let slots = (0..threads.max(1)).map(|_| Slot::new()).collect();
        Recorder { shared: Arc::new(Shared { slots, journal }), silent: false }
    }

    /// What happens to single sessions.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// One that counts nothing.
    pub fn silence(&self) -> Recorder {
        Recorder { silent: true, ..self.clone() }
    }

    /// The one to count by what this session causes.
    pub fn of(&self, session: &SessionId) -> Recorder {
        if session.is_probe() { self.silence() } else { self.clone() }
    }

    fn slot(&self) -> &Slot {
        let slots = &self.shared.slots;
        &slots[THREAD.get() % slots.len()]
    }

    pub fn add(&self, counter: Counter, amount: u64) {
        if amount > 0 && !self.silent {
            self.slot().counters[counter as usize].fetch_add(amount, Relaxed);
        }
    }

    /// In the measure's own unit.
    pub fn record(&self, measure: Measure, value: u64) {
        self.record_n(measure, value, 1);
    }

    /// The same value `count` times.
    pub fn record_n(&self, measure: Measure, value: u64, count: u64) {
        if self.silent {
            return;
        }
        let cell = measure as usize * layout::SLOTS + layout::index(value);
        self.slot().histograms[cell].fetch_add(u32::try_from(count).unwrap_or(u32::MAX), Relaxed);
    }

    /// Counts for the follower's region beside what is counted for all; nothing where it is not known.
    pub fn add_at(&self, region: Region, counter: Counter, amount: u64) {
        if region.is_known() && amount > 0 && !self.silent {
            self.slot().region(region).counters[counter as usize].fetch_add(amount, Relaxed);
        }
    }

    /// The same for a value, of the measures that are kept by region.
    pub fn record_at(&self, region: Region, measure: Measure, value: u64) {
        self.record_n_at(region, measure, value, 1);
    }

    /// The same value `count` times.
    pub fn record_n_at(&self, region: Region, measure: Measure, value: u64, count: u64) {
        if let (true, Some(index)) =
            (region.is_known() && !self.silent, BY_REGION.iter().position(|&each| each == measure))
        {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.slot().region(region).histograms[index][layout::index(value)].fetch_add(count, Relaxed);
        }
    }

    /// Time since `start_us` in microseconds; a clock that was set back counts as no time.
    pub fn record_since(&self, measure: Measure, start_us: i64, now_us: i64) {
        self.record(measure, u64::try_from(now_us - start_us).unwrap_or(0));
    }

    /// Moves everything counted so far into `sample`. What is added meanwhile is in this or the next one.
    pub fn collect(&self, sample: &mut Sample) {
        for slot in &self.shared.slots {
            take_counters(&slot.counters, sample);
            for (measure, cells) in Measure::ALL.into_iter().zip(slot.histograms.chunks(layout::SLOTS)) {
                take_histogram(cells, measure, sample);
            }
        }
    }

    /// The same of one region. `false`: nobody ever came from there.
    pub fn collect_at(&self, region: Region, sample: &mut Sample) -> bool {
        let slots = self.shared.slots.iter().filter_map(|slot| slot.regions[region.index()].get());
        let mut found = false;
        for slot in slots {
            found = true;
            take_counters(&slot.counters, sample);
            for (measure, cells) in BY_REGION.into_iter().zip(&slot.histograms) {
                take_histogram(cells, measure, sample);
            }
        }
        found
    }
}

fn take_counters(cells: &[AtomicU64], sample: &mut Sample) {
    for (&counter, cell) in Counter::ALL.iter().zip(cells) {
        sample.counters.add(counter, cell.swap(0, Relaxed));
    }
}

fn take_histogram(cells: &[AtomicU32], measure: Measure, sample: &mut Sample) {
    for (index, cell) in cells.iter().enumerate() {
        // Nearly all are zero: a load leaves the line in the other core's cache.
        if cell.load(Relaxed) > 0 {
            let count = u64::from(cell.swap(0, Relaxed));
            sample.histograms.record_n(measure, layout::value(index), count);
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
