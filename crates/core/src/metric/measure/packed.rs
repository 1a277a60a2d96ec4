//! A sample as it is kept in memory, and on its way to PostgreSQL.

use super::{
    counters::{Counter, Counters},
    sample::{Measure, Sample},
};
use serde::{Deserialize, Serialize};
use std::array;

/// A sample in some 400 bytes: a board holds two hours of them. What was not counted takes no room, counts take as much
/// as their digits, and histograms are in HdrHistogram's compressed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    pub node: String,
    pub region: String,
    /// Unix seconds.
    pub start: i64,
    /// Seconds.
    pub step: i64,
    /// A [`Body`].
    body: Box<[u8]>,
}

/// Compressed histograms in [`Measure::ALL`]'s order; `None` when empty.
pub type Compressed<T> = [Option<T>; Measure::ALL.len()];

/// By the places of counters and measures in their lists: kept in memory alone, so a later version may order them anew.
#[derive(Default, Serialize, Deserialize)]
struct Body<'a> {
    counters: Vec<(u8, u64)>,
    #[serde(borrow)]
    histograms: Vec<(u8, &'a [u8])>,
}

const _: () = assert!(Counters::LEN <= u8::MAX as usize);

impl Packed {
    pub fn new(
        node: String,
        region: String,
        (start, step): (i64, i64),
        counters: &Counters,
        histograms: Compressed<Vec<u8>>,
    ) -> Packed {
        let counters = counters.counted().map(|(counter, amount)| (counter as u8, amount)).collect();
        let histograms = (0..).zip(&histograms).filter_map(|(place, bytes)| Some((place, bytes.as_deref()?)));
        let body = Body { counters, histograms: histograms.collect() };
        // Numbers and bytes written to memory: nothing can fail.
        let body = postcard::to_allocvec(&body).unwrap_or_default().into_boxed_slice();
        Packed { node, region, start, step, body }
    }

    fn body(&self) -> Body<'_> {
        // Made by `new` alone: nothing can fail.
        postcard::from_bytes(&self.body).unwrap_or_default()
    }

    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for (place, amount) in self.body().counters {
            if let Some(&counter) = Counter::ALL.get(usize::from(place)) {
                counters.set(counter, amount);
            }
        }
        counters
    }

    pub fn histograms(&self) -> Compressed<&[u8]> {
        let body = self.body();
        array::from_fn(|at| {
            body.histograms.iter().find(|(place, _)| usize::from(*place) == at).map(|(_, bytes)| *bytes)
        })
    }

    /// A histogram that cannot be read (of another version, or damaged) is left out; the counters stay.
    pub fn unpack(&self) -> Sample {
        let mut sample = Sample::new(self.node.clone(), self.start, self.step);
        sample.region.clone_from(&self.region);
        sample.counters = self.counters();
        for (measure, bytes) in Measure::ALL.into_iter().zip(self.histograms()) {
            if let Some(bytes) = bytes {
                sample.histograms.merge_encoded(measure, bytes);
            }
        }
        sample
    }
}

impl Sample {
    pub fn pack(&self) -> Packed {
        Packed::new(
            self.node.clone(),
            self.region.clone(),
            (self.start, self.step),
            &self.counters,
            Measure::ALL.map(|measure| self.histograms.encode(measure)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_of_a_busy_server_is_small() {
        let mut sample = Sample::new("node-1", 1_700_000_000, 10);
        for &counter in Counter::ALL.iter().step_by(3) {
            sample.counters.add(counter, 200_000_000);
        }
        (0..3_000).for_each(|n| sample.histograms.record_n(Measure::DeliveryLatency, 100 + n % 400, 1));
        sample.histograms.record_n(Measure::ProbeDelivery, 900, 1);
        let packed = sample.pack();
        assert!(packed.body.len() < 400, "{} bytes", packed.body.len());
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            counts in prop::collection::vec((0..Counters::LEN, any::<u64>()), 0..20),
            values in prop::collection::vec((0..Measure::ALL.len(), 1u64..10_000_000), 0..20),
        ) {
            let mut sample = Sample::new("a", 20, 10);
            sample.region = "north".into();
            for (counter, amount) in counts {
                sample.counters.set(Counter::ALL[counter], amount);
            }
            for (measure, value) in values {
                sample.histograms.record_n(Measure::ALL[measure], value, 1);
            }
            let packed = sample.pack();
            let back = packed.unpack();
            prop_assert_eq!((&back.node, &back.region, back.start, back.step), (&sample.node, &sample.region, 20, 10));
            prop_assert_eq!(back.counters, sample.counters);
            for measure in Measure::ALL {
                prop_assert_eq!(back.histograms.get(measure), sample.histograms.get(measure));
            }
        }
    }
}
