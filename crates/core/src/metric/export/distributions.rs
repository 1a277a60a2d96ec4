//! Every histogram's name and bounds.

use super::{Distribution, Family, PREFIX, Unit, Values};
use crate::{
    metric::measure::sample::{Measure, Sample},
    metric::point::{DURATION_BOUNDS_S, HISTOGRAM_BOUNDS_MS},
};

/// The bounds are the board's, so that both tell the same counts.
pub fn distributions(total: &Sample) -> impl Iterator<Item = Family> + '_ {
    Measure::ALL.into_iter().map(move |measure| {
        let steps = measure.per_second();
        let bounds: Vec<u64> = match measure {
            Measure::ConnectionDuration => DURATION_BOUNDS_S.iter().map(|bound| bound * steps).collect(),
            _ => HISTOGRAM_BOUNDS_MS.iter().map(|bound| bound * steps / 1_000).collect(),
        };
        let histogram = total.histograms.get(measure);
        // Whole steps, so that the sum never shrinks by rounding.
        let sum: u64 = histogram
            .iter_recorded()
            .map(|value| histogram.median_equivalent(value.value_iterated_to()) * value.count_at_value())
            .fold(0, u64::saturating_add);
        let seconds = |value: u64| value as f64 / steps as f64;
        Family {
            name: format!("{PREFIX}{}_seconds", measure.name()).into(),
            unit: Unit::Seconds,
            help: measure.help(),
            values: Values::Histogram(Distribution {
                counts: total.buckets(measure, &bounds),
                bounds: bounds.into_iter().map(seconds).collect(),
                sum: seconds(sum),
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_at_their_bounds_in_seconds() {
        let mut sample = Sample::new("a", 0, 1);
        for micros in [900, 100_000, 100_900, 9_000_000] {
            sample.histograms.record_n(Measure::DeliveryLatency, micros, 1);
        }
        sample.histograms.record_n(Measure::ConnectionDuration, 59_000, 3);
        let family = |name: &str| {
            let name = format!("streamgauge_{name}_seconds");
            let found = distributions(&sample).find(|family| family.name == name).expect("a name");
            match found.values {
                Values::Histogram(distribution) => distribution,
                other => panic!("{other:?}"),
            }
        };
        let latency = family("delivery_latency");
        let at = |bound: f64| latency.bounds.iter().position(|b| *b == bound).expect("a bound");
        assert_eq!((latency.counts[at(0.001)], latency.counts[at(0.1)]), (1, 1));
        assert_eq!((latency.counts[at(0.2)], latency.counts.last()), (1, Some(&1)));
        assert!((latency.sum - 9.2018).abs() < 0.1, "{}", latency.sum);
        let duration = family("connection_duration");
        assert_eq!(duration.counts.iter().sum::<u64>(), 3);
        assert!((duration.sum - 177.0).abs() < 2.0, "{}", duration.sum);
    }
}
