//! What pages report, counted once each.

use super::Recorder;
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};
use streamgauge_core::{
    beacon::Beacon,
    cohort::Cohort,
    measure::{counters::Counter, sample::Measure},
};

/// Pages and sessions that are remembered, by a number of eight bytes each. Past that the older half is forgotten: a
/// repetition that comes so late would be counted twice.
const REMEMBERED: usize = 50_000;

/// Cloning shares it.
#[derive(Clone, Default)]
pub struct Beacons(Arc<Inner>);

#[derive(Default)]
struct Inner {
    hasher: RandomState,
    seen: Mutex<[Seen; 2]>,
}

#[derive(Default)]
struct Seen {
    /// The highest `seq` of each page.
    pages: HashMap<u64, u32>,
    /// Sessions of which a fallback is counted.
    fell_back: HashSet<u64>,
}

impl Beacons {
    /// Counts a beacon. `false`: it was counted before.
    pub fn count(&self, recorder: &Recorder, cohort: Cohort, beacon: &Beacon) -> bool {
        let page = self.0.hasher.hash_one((&beacon.session, &beacon.page));
        let session = self.0.hasher.hash_one(&beacon.session);
        {
            let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.iter().any(|seen| seen.pages.get(&page).is_some_and(|&seq| seq >= beacon.seq)) {
                recorder.add(Counter::BeaconsRepeated, 1);
                return false;
            }
            if seen[0].pages.len() >= REMEMBERED {
                seen.swap(0, 1);
                seen[0] = Seen::default();
            }
            seen[0].pages.insert(page, beacon.seq);
            // Of a session of the control group polling is no fallback.
            let fell_back = !beacon.fallbacks.is_empty() && cohort == Cohort::Stream;
            if fell_back && !seen.iter().any(|seen| seen.fell_back.contains(&session)) {
                seen[0].fell_back.insert(session);
                recorder.add(Counter::SessionsFellBack, 1);
            }
        }
        recorder.add(Counter::Beacons, 1);
        recorder.add(Counter::Refreshes, beacon.refreshes.into());
        recorder.add(Counter::StatusChecks, beacon.status_checks.into());
        if let Some(ms) = beacon.first_update_ms {
            recorder.record(Measure::FirstUpdate, ms.into());
        }
        for &ms in &beacon.latencies_ms {
            recorder.record(Measure::ClientLatency, ms.into());
        }
        for fallback in &beacon.fallbacks {
            recorder.add(fallback.reason.counter(), 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::measure::sample::Sample;

    #[test]
    fn a_beacon_counts_once_and_a_session_falls_back_once() {
        let (beacons, recorder) = (Beacons::default(), Recorder::new(1));
        let send = |page: &str, seq: u32, cohort| {
            let body = format!(
                r#"{{"v":1,"session":"a","page":"{page}","seq":{seq},"mode":"poll","latencies_ms":[5,7],
                    "fallbacks":[{{"reason":"buffered","at_ms":1}}]}}"#
            );
            beacons.count(&recorder, cohort, &Beacon::parse(body.as_bytes()).expect("a beacon"));
        };
        send("p", 0, Cohort::Stream);
        send("p", 0, Cohort::Stream);
        send("p", 1, Cohort::Stream);
        send("p", 0, Cohort::Stream);
        send("q", 0, Cohort::Stream);
        let mut sample = Sample::new("n", 0, 1);
        recorder.collect(&mut sample);
        let count = |counter| sample.counters.get(counter);
        assert_eq!((count(Counter::Beacons), count(Counter::BeaconsRepeated)), (3, 2));
        assert_eq!((count(Counter::FallbackBuffered), count(Counter::SessionsFellBack)), (3, 1));
        assert_eq!(sample.histograms.get(Measure::ClientLatency).len(), 6);
    }
}
