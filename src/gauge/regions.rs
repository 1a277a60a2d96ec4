//! The same buckets by region, for the regions from which anybody came.

use crate::{geo::Geo, measure::Recorder};
use parking_lot::Mutex;
use std::array;
use streamgauge_core::metric::{
    measure::{counters::Counter, packed::Packed, sample::Sample},
    region::Region,
};

pub struct RegionBuckets {
    node: String,
    open: Mutex<[Option<Bucket>; Region::COUNT]>,
}

struct Bucket {
    /// Filling now.
    sample: Sample,
    /// Streams from there: begun, less those that are over.
    streams: u64,
}

impl RegionBuckets {
    pub fn new(node: String) -> RegionBuckets {
        RegionBuckets { node, open: Mutex::new(array::from_fn(|_| None)) }
    }

    /// Takes one second in. `start`: of the bucket that is filling now. Answers the buckets that this closed.
    pub fn tick(&self, recorder: &Recorder, geo: &Geo, start: i64, step: i64) -> Vec<Packed> {
        let mut open = self.open.lock();
        let mut closed = Vec::new();
        for index in 1..Region::COUNT {
            let region = Region::at(index);
            let Some(name) = geo.regions.name(region) else { continue };
            let empty = || Sample { region: name.clone(), ..Sample::new(self.node.clone(), start, step) };
            let mut tick = empty();
            if !recorder.collect_at(region, &mut tick) {
                continue;
            }
            let bucket = open[index].get_or_insert_with(|| Bucket { sample: empty(), streams: 0 });
            if bucket.sample.start != start {
                closed.push(std::mem::replace(&mut bucket.sample, empty()).pack());
            }
            let count = |counter| tick.counters.get(counter);
            let over = count(Counter::StreamsClosed) + count(Counter::ConnectFailed);
            bucket.streams = (bucket.streams + count(Counter::ConnectAttempts)).saturating_sub(over);
            tick.counters.add(Counter::StreamSeconds, bucket.streams);
            tick.counters.add(Counter::Seconds, 1);
            tick.counters.add(Counter::CoveredSeconds, 1);
            bucket.sample.merge(&tick);
        }
        closed
    }

    /// The buckets that are filling, for a server that stops.
    pub fn close(&self) -> Vec<Packed> {
        let open = self.open.lock();
        open.iter().flatten().map(|bucket| bucket.sample.pack()).collect()
    }
}
