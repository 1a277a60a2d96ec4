//! Every histogram's name and bounds.

use super::{Distribution, Family, PREFIX, Unit, Values};
use crate::{
    metric::measure::sample::{Measure, Sample},
    page::board::{DURATION_BOUNDS_S, HISTOGRAM_BOUNDS_MS},
};

/// Steps of a measure's own unit in a second.
fn per_second(measure: Measure) -> u64 {
    if measure.is_micros() { 1_000_000 } else { 1_000 }
}

fn named(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Delivery => ("delivery_latency", "Publish accepted to last byte handed to the kernel."),
        Measure::Connect => {
            ("connection_establishment", "Accept of a stream's connection to its response head flushed.")
        }
        Measure::Duration => ("connection_duration", "Lifetime of streams that were closed."),
        Measure::PublishLag => ("publish_lag", "Publish accepted to arrival at this node."),
        Measure::Staleness => ("poll_staleness", "Age of the news that a poll brought."),
        Measure::PollTime => ("poll_duration", "First byte of a poll to its response flushed."),
        Measure::FirstUpdate => ("first_update", "A page's first wish to its first status shown."),
        Measure::ClientLatency => {
            ("client_latency", "Publish to receipt in the browser, above the page's lowest recent latency.")
        }
        Measure::ProbeConnect => ("probe_connection", "The probe's first packet to its stream's head."),
        Measure::ProbePublish => ("probe_publish", "The probe's publish to its answer."),
        Measure::ProbeDelivery => ("probe_delivery", "The probe's publish to its arrival on its own stream."),
    }
}

/// The bounds are the board's, so that both tell the same counts.
pub fn distributions(total: &Sample) -> impl Iterator<Item = Family> + '_ {
    Measure::ALL.into_iter().map(move |measure| {
        let steps = per_second(measure);
        let bounds: Vec<u64> = match measure {
            Measure::Duration => DURATION_BOUNDS_S.iter().map(|bound| bound * steps).collect(),
            _ => HISTOGRAM_BOUNDS_MS.iter().map(|bound| bound * steps / 1_000).collect(),
        };
        let histogram = total.histograms.get(measure);
        // Whole steps, so that the sum never shrinks by rounding.
        let sum: u64 = histogram
            .iter_recorded()
            .map(|value| histogram.median_equivalent(value.value_iterated_to()) * value.count_at_value())
            .fold(0, u64::saturating_add);
        let seconds = |value: u64| value as f64 / steps as f64;
        let (name, help) = named(measure);
        Family {
            name: format!("{PREFIX}{name}_seconds").into(),
            unit: Unit::Seconds,
            help,
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
            sample.histograms.record_n(Measure::Delivery, micros, 1);
        }
        sample.histograms.record_n(Measure::Duration, 59_000, 3);
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
