//! What pages report, counted once each.

use crate::measure::AtRegion;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use streamgauge_core::{
    metric::{
        beacon::{Beacon, Numbers},
        measure::{counters::Counter, sample::Measure},
    },
    session::cohort::Cohort,
};

/// Pages that are remembered, by a number of eight bytes each. Past that the older half is forgotten: a repetition that
/// comes so late would be counted twice.
const REMEMBERED: usize = 50_000;

/// Cloning shares it.
#[derive(Clone, Default)]
pub struct Beacons(Arc<Inner>);

#[derive(Default)]
struct Inner {
    hasher: RandomState,
    /// The numbers that came of each page.
    seen: Mutex<[HashMap<u64, Numbers>; 2]>,
}

impl Beacons {
    /// Counts a beacon. `false`: it was counted before.
    pub fn count(&self, at: AtRegion<'_>, cohort: Cohort, beacon: &Beacon) -> bool {
        let recorder = at.recorder();
        if !self.is_news(beacon) {
            recorder.add(Counter::BeaconsRepeated, 1);
            return false;
        }
        recorder.add(Counter::Beacons, 1);
        recorder.add(Counter::Refreshes, beacon.refreshes.into());
        recorder.add(Counter::StatusChecks, beacon.status_checks.into());
        if let Some(ms) = beacon.first_update_ms {
            recorder.record(Measure::FirstUpdate, ms.into());
        }
        for &ms in &beacon.latencies_ms {
            at.record(Measure::ClientLatency, ms.into());
        }
        for fallback in beacon.fallbacks_of(cohort) {
            at.add(fallback.reason.counter(), 1);
        }
        true
    }

    fn is_news(&self, beacon: &Beacon) -> bool {
        let page = self.0.hasher.hash_one((&beacon.session, &beacon.page));
        let mut seen = self.0.seen.lock();
        let [young, old] = &mut *seen;
        if let Some(numbers) = young.get_mut(&page).or_else(|| old.get_mut(&page)) {
            return numbers.take(beacon.seq);
        }
        if young.len() >= REMEMBERED {
            *old = std::mem::take(young);
        }
        young.insert(page, Numbers::first(beacon.seq));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Recorder;
    use streamgauge_core::metric::{measure::sample::Sample, region::Region};

    #[test]
    fn a_beacon_counts_once() {
        let (beacons, recorder) = (Beacons::default(), Recorder::new(1));
        let send = |page: &str, seq: u32, cohort| {
            let body = format!(
                r#"{{"v":1,"session":"a","page":"{page}","seq":{seq},"mode":"poll","latencies_ms":[5,7],
                    "fallbacks":[{{"reason":"buffered","at_ms":1}}]}}"#
            );
            beacons.count(
                recorder.at(Region::at(1)),
                cohort,
                &Beacon::parse(body.as_bytes()).expect("a beacon"),
            );
        };
        send("p", 0, Cohort::Stream);
        send("p", 0, Cohort::Stream);
        // Out of order: it is no repetition.
        send("p", 2, Cohort::Stream);
        send("p", 1, Cohort::Stream);
        send("p", 0, Cohort::Stream);
        // In the control group polling is no fallback.
        send("q", 0, Cohort::Poll);
        let mut sample = Sample::new("n", 0, 1);
        recorder.collect(&mut sample);
        let count = |counter| sample.counters.get(counter);
        assert_eq!((count(Counter::Beacons), count(Counter::BeaconsRepeated)), (4, 2));
        assert_eq!(count(Counter::FallbackBuffered), 3);
        assert_eq!(sample.histograms.get(Measure::ClientLatency).len(), 8);
        let mut sample = Sample::new("n", 0, 1);
        assert!(recorder.collect_at(Region::at(1), &mut sample), "its region has the same");
        assert_eq!(sample.counters.get(Counter::FallbackBuffered), 3);
        assert_eq!(sample.histograms.get(Measure::ClientLatency).len(), 8);
    }
}
