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
        region::{Counts, Region},
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
const BY_REGION: [Measure; 3] =
    [Measure::DeliveryLatency, Measure::ConnectionEstablishment, Measure::ClientLatency];

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

    /// Counts for all and for this region.
    pub fn at(&self, region: Region) -> AtRegion<'_> {
        AtRegion { recorder: self, region }
    }

    /// Counts deliveries to a group of followers: for all, and for each region in it.
    pub fn delivered(&self, events: &Counts) {
        self.add(Counter::Delivered, events.sum());
        for (region, count) in events.known() {
            let at = self.at(region);
            at.add_apart(Counter::DeliveriesDue, count);
            at.add_apart(Counter::Delivered, count);
        }
    }

    /// Records one value for a group of followers: for all, and for each region in it.
    pub fn record_each(&self, measure: Measure, value: u64, followers: &Counts) {
        self.record_n(measure, value, followers.sum());
        for (region, count) in followers.known() {
            self.at(region).record_apart(measure, value, count);
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

/// Counts for all followers and for those of one region: nothing that a region has can be missing from the whole.
#[derive(Clone, Copy)]
pub struct AtRegion<'a> {
    recorder: &'a Recorder,
    region: Region,
}

impl AtRegion<'_> {
    /// What is counted for all only.
    pub fn recorder(&self) -> &Recorder {
        self.recorder
    }

    pub fn add(self, counter: Counter, amount: u64) {
        self.recorder.add(counter, amount);
        self.add_apart(counter, amount);
    }

    /// Counts for the region alone, where the sum over all is counted elsewhere or under another name.
    pub fn add_apart(self, counter: Counter, amount: u64) {
        debug_assert!(counter.is_by_region(), "{} is not kept by region", counter.name());
        if self.region.is_known() && amount > 0 && !self.recorder.silent {
            let slot = self.recorder.slot().region(self.region);
            slot.counters[counter as usize].fetch_add(amount, Relaxed);
        }
    }

    /// In the measure's own unit.
    pub fn record(self, measure: Measure, value: u64) {
        self.record_n(measure, value, 1);
    }

    /// The same value `count` times.
    pub fn record_n(self, measure: Measure, value: u64, count: u64) {
        self.recorder.record_n(measure, value, count);
        self.record_apart(measure, value, count);
    }

    fn record_apart(self, measure: Measure, value: u64, count: u64) {
        if let (true, Some(index)) = (
            self.region.is_known() && !self.recorder.silent,
            BY_REGION.iter().position(|&each| each == measure),
        ) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let slot = self.recorder.slot().region(self.region);
            slot.histograms[index][layout::index(value)].fetch_add(count, Relaxed);
        }
    }

    /// Events that left for a follower. All followers' events become due when they are published; a region's become due
    /// with their outcome, since the hub counts followers without their regions.
    pub fn delivered(self, events: u64) {
        self.add_apart(Counter::DeliveriesDue, events);
        self.add(Counter::Delivered, events);
    }

    /// Events that a slow reader lost.
    pub fn dropped_slow(self, events: u64) {
        self.add_apart(Counter::DeliveriesDue, events);
        self.add(Counter::DroppedSlow, events);
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
    fn what_is_counted_at_a_region_is_counted_for_all() {
        let recorder = Recorder::new(1);
        let (here, there) = (Region::at(1), Region::at(2));
        recorder.at(here).add(Counter::ConnectAttempts, 2);
        recorder.at(here).dropped_slow(3);
        recorder.at(there).delivered(5);
        recorder.at(Region::UNKNOWN).dropped_slow(7);
        recorder.at(here).add_apart(Counter::StreamsClosed, 11);
        recorder.silence().at(here).dropped_slow(13);
        recorder.at(there).record_n(Measure::ConnectionEstablishment, 20, 2);
        let mut group = Counts::default();
        [(here, 1), (Region::UNKNOWN, 4)].into_iter().for_each(|(region, count)| group.add(region, count));
        recorder.delivered(&group);
        recorder.record_each(Measure::DeliveryLatency, 30, &group);

        let check = |region: Option<Region>, expected: [u64; 5], values: [u64; 2]| {
            let mut sample = Sample::new("a", 0, 1);
            match region {
                Some(region) => assert!(recorder.collect_at(region, &mut sample)),
                None => recorder.collect(&mut sample),
            }
            let counters = [
                Counter::ConnectAttempts,
                Counter::DeliveriesDue,
                Counter::Delivered,
                Counter::DroppedSlow,
                Counter::StreamsClosed,
            ];
            assert_eq!(counters.map(|counter| sample.counters.get(counter)), expected, "{region:?}");
            let measures = [Measure::ConnectionEstablishment, Measure::DeliveryLatency];
            assert_eq!(measures.map(|measure| sample.histograms.get(measure).len()), values, "{region:?}");
        };
        check(None, [2, 0, 10, 10, 0], [2, 5]);
        check(Some(here), [2, 4, 1, 3, 11], [0, 1]);
        check(Some(there), [0, 5, 5, 0, 0], [2, 0]);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let recorder = Recorder::new(2);
        let mut sample = Sample::new("a", 0, 1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for value in 0..10_000 {
                        recorder.add(Counter::Delivered, 1);
                        recorder.record(Measure::DeliveryLatency, value);
                    }
                });
            }
            for _ in 0..50 {
                recorder.collect(&mut sample);
            }
        });
        recorder.collect(&mut sample);
        assert_eq!(sample.counters.get(Counter::Delivered), 40_000);
        assert_eq!(sample.histograms.get(Measure::DeliveryLatency).len(), 40_000);
        let p50 = sample.percentile(Measure::DeliveryLatency, 50.0, 1).expect("recorded");
        assert!((p50 - 5_000.0).abs() < 50.0, "{p50}");
    }
}
