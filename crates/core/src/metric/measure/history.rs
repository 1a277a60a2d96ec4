//! Samples to chart points and headline figures.

use super::{
    counters::Counter,
    sample::{Measure, Sample},
};
use crate::{
    metric::point::{DURATION_BOUNDS_S, HISTOGRAM_BOUNDS_MS, Point},
    metric::{
        kpi::{self, Kpi},
        numbers::{self, Basis, CohortCost, Reduction},
        sla::Objective,
        table::{Given, Metric},
    },
};
use std::collections::BTreeMap;

impl Sample {
    pub fn stream_cost(&self) -> CohortCost {
        CohortCost {
            requests: self.counters.get(Counter::StreamCohortRequests),
            bytes: self.counters.get(Counter::StreamCohortBytes),
            session_seconds: self.counters.get(Counter::StreamCohortSeconds),
        }
    }

    pub fn poll_cost(&self) -> CohortCost {
        CohortCost {
            requests: self.counters.get(Counter::PollCohortRequests),
            bytes: self.counters.get(Counter::PollCohortBytes),
            session_seconds: self.counters.get(Counter::PollCohortSeconds),
        }
    }

    pub fn request_reduction(&self, poll_interval_ms: u32) -> Option<Reduction> {
        numbers::request_reduction(self.stream_cost(), self.poll_cost(), poll_interval_ms)
    }

    pub fn bandwidth_reduction(&self, poll_interval_ms: u32) -> Option<Reduction> {
        let polls = self.counters.get(Counter::PollRequests);
        let bytes = self.counters.get(Counter::PollBytesIn) + self.counters.get(Counter::PollBytesOut);
        let bytes_per_poll = (polls > 0).then(|| bytes as f64 / polls as f64);
        numbers::bandwidth_reduction(self.stream_cost(), self.poll_cost(), poll_interval_ms, bytes_per_poll)
    }

    /// Mean age of a poller's news, ms.
    pub fn staleness(&self, poll_interval_ms: u32) -> (f64, Basis) {
        // The mean of few polls says little: below the floor the model is the better guess.
        let measured = self.histograms.get(Measure::PollStaleness).len() >= numbers::PERCENTILE_FLOOR;
        let mean = self.mean_of(Measure::PollStaleness).filter(|_| measured);
        let poll_ms = self.mean_of(Measure::PollDuration).unwrap_or(0.0) / 1_000.0;
        numbers::polling_staleness(mean, poll_interval_ms, poll_ms)
    }

    /// Attempts and deliveries due: what an error rate is a share of.
    pub fn operations(&self) -> u64 {
        self.counters.get(Counter::ConnectAttempts) + self.counters.get(Counter::DeliveriesDue)
    }

    pub fn error_rate(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        numbers::error_rate(
            count(Counter::ConnectFailed),
            count(Counter::DroppedSlow),
            count(Counter::ConnectAttempts),
            count(Counter::DeliveriesDue),
        )
    }

    pub fn connection_success_rate(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        numbers::connection_success_rate(count(Counter::ConnectEstablished), count(Counter::ConnectAttempts))
    }

    pub fn session_completion_rate(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        numbers::session_completion_rate(
            count(Counter::SessionsCompleted),
            count(Counter::SessionsFailed),
            count(Counter::SessionsAbandoned),
        )
    }

    pub fn fallback_activation_rate(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        numbers::fallback_activation_rate(
            count(Counter::SessionsFellBack),
            count(Counter::StreamCohortSessions),
        )
    }

    /// Of the mean, since what polling is compared by is one.
    pub fn latency_improvement(&self, poll_interval_ms: u32) -> Option<f64> {
        numbers::latency_improvement(self.mean_delivery_ms()?, self.staleness(poll_interval_ms).0)
    }

    pub fn mean_delivery_ms(&self) -> Option<f64> {
        self.mean_of(Measure::DeliveryLatency).map(|micros| micros / 1_000.0)
    }

    /// Good probes of those that could be made, percent.
    pub fn uptime(&self) -> Option<f64> {
        Some(100.0 - 100.0 * Objective::Uptime.counted(self).share()?)
    }

    /// Bytes. A row that is from before the counter has none of it.
    pub fn memory_per_connection(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        let unused = Some(count(Counter::UnusedMemorySum)).filter(|unused| *unused > 0)?;
        numbers::memory_per_connection(count(Counter::MemorySum), unused, count(Counter::StreamSeconds))
    }

    /// Percent of the limit, of all nodes in the sample together.
    pub fn memory_usage(&self) -> Option<f64> {
        let count = |counter| self.counters.get(counter);
        numbers::memory_usage(count(Counter::MemorySum), count(Counter::MemoryLimitSum))
    }

    /// Bytes, of the one Redis that all nodes share.
    pub fn redis_memory(&self) -> Option<f64> {
        let seconds = self.counters.get(Counter::RedisSeconds);
        (seconds > 0).then(|| self.counters.get(Counter::RedisMemorySum) as f64 / seconds as f64)
    }

    /// Delivery latency at a percentile, ms.
    pub fn delivery_ms(&self, percentile: f64) -> Option<f64> {
        self.percentile(Measure::DeliveryLatency, percentile, 1).map(|micros| micros / 1_000.0)
    }

    /// Counts by [`HISTOGRAM_BOUNDS_MS`], for a measure in microseconds.
    pub fn buckets_ms(&self, measure: Measure) -> Vec<u64> {
        self.buckets(measure, &HISTOGRAM_BOUNDS_MS.map(|bound| bound * 1_000))
    }

    /// Counts by [`DURATION_BOUNDS_S`].
    pub fn buckets_duration(&self) -> Vec<u64> {
        self.buckets(Measure::ConnectionDuration, &DURATION_BOUNDS_S.map(|bound| bound * 1_000))
    }

    pub(crate) fn buckets(&self, measure: Measure, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        let histogram = self.histograms.get(measure);
        for value in histogram.iter_recorded() {
            // Judged by the lower end of its step, so that what was recorded as the bound stays below it.
            let low = histogram.lowest_equivalent(value.value_iterated_to());
            let slot = bounds.partition_point(|&bound| bound < low);
            counts[slot] += value.count_at_value();
        }
        counts
    }
}

/// Merges what one node measured at different times.
pub fn merged<'a>(start: i64, step: i64, samples: impl IntoIterator<Item = &'a Sample>) -> Sample {
    let mut whole = Sample::new("", start, step);
    for sample in samples {
        whole.merge(sample);
    }
    whole
}

/// Rows of any nodes on their way into one for all of them. Nodes that measured in the same bucket covered it once:
/// levels and rates of the result are those of all nodes together.
pub struct Together {
    whole: Sample,
    /// Seconds that each node covered, by bucket.
    covered: BTreeMap<(i64, i64), BTreeMap<String, u64>>,
}

impl Together {
    pub fn new(start: i64, step: i64) -> Together {
        Together { whole: Sample::new("", start, step), covered: BTreeMap::new() }
    }

    pub fn add(&mut self, sample: &Sample) {
        self.whole.merge(sample);
        let bucket = self.covered.entry((sample.start, sample.step)).or_default();
        *bucket.entry(sample.node.clone()).or_default() += sample.counters.get(Counter::CoveredSeconds);
    }

    pub fn whole(mut self) -> Sample {
        let most = |nodes: &BTreeMap<String, u64>| nodes.values().copied().max().unwrap_or(0);
        let seconds = self.covered.values().map(most).sum();
        self.whole.counters.set(Counter::CoveredSeconds, seconds);
        self.whole
    }
}

/// All of them at once.
pub fn all_nodes<'a>(start: i64, step: i64, samples: impl IntoIterator<Item = &'a Sample>) -> Sample {
    let mut together = Together::new(start, step);
    samples.into_iter().for_each(|sample| together.add(sample));
    together.whole()
}

/// One chart point of a bucket of all nodes.
pub fn point(at: i64, whole: &Sample) -> Point {
    Point { at, values: Metric::CHARTED.map(|metric| in_one_step(metric, whole)) }
}

/// A metric of one step, in its unit. Nothing that is modelled: it would be the same in each step. One step has few values; floors would hide them, and
/// charts show noise honestly.
pub fn in_one_step(metric: Metric, sample: &Sample) -> Option<f64> {
    match metric {
        Metric::PollStaleness => sample.mean_of(Measure::PollStaleness),
        Metric::RequestReduction => bucket_reduction(sample),
        _ => {
            let reading = metric.read(&Given { sample, poll_interval_ms: 0 });
            reading.value.filter(|_| reading.basis != Some(Basis::Modelled))
        }
    }
}

fn bucket_reduction(whole: &Sample) -> Option<f64> {
    let streaming = whole.stream_cost().requests_per_hour()?;
    let polling = whole.poll_cost().requests_per_hour()?;
    Reduction { polling, streaming, basis: Basis::Measured }.percent()
}

/// What the four headline figures are computed from.
pub struct Headline<'a> {
    /// The whole window, all nodes.
    pub window: &'a Sample,
    /// The window before it, if it was measured.
    pub before: Option<&'a Sample>,
    pub poll_interval_ms: u32,
    pub open_streams: u64,
    /// `None` of a region: polls are not kept by it.
    pub pollers: Option<u64>,
    /// Of the nodes that are shown; `None` where none is told of them.
    pub max_connections: Option<u64>,
}

impl Headline<'_> {
    pub fn kpis(&self) -> Vec<Kpi> {
        let window = self.window;
        let interval = self.poll_interval_ms;
        let enough = |sample: &&Sample| {
            sample.histograms.get(Measure::DeliveryLatency).len() >= numbers::PERCENTILE_FLOOR
        };
        let judged = |sample: &&Sample| sample.operations() >= numbers::RATE_FLOOR;
        vec![
            kpi::update_latency(
                (window.delivery_ms(95.0), window.mean_delivery_ms()),
                window.histograms.get(Measure::DeliveryLatency).len(),
                self.before.filter(enough).and_then(|sample| sample.delivery_ms(95.0)),
                window.staleness(interval),
            ),
            kpi::request_reduction(
                window.request_reduction(interval),
                window.counters.get(Counter::StreamCohortSeconds),
                self.before.and_then(|sample| sample.request_reduction(interval)?.percent()),
            ),
            kpi::active_connections(
                self.open_streams,
                self.pollers,
                self.max_connections,
                window.counters.get(Counter::Seconds),
                self.before.and_then(|sample| sample.level(Counter::StreamSeconds)),
            ),
            kpi::error_rate(
                window.error_rate(),
                window.operations(),
                self.before.filter(judged).and_then(Sample::error_rate),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(node: &str, seconds: u64, streams: u64, delivered: u64) -> Sample {
        let mut sample = Sample::new(node, 100, 10);
        sample.counters.add(Counter::Seconds, seconds);
        sample.counters.add(Counter::CoveredSeconds, seconds);
        sample.counters.add(Counter::StreamSeconds, streams * seconds);
        sample.counters.add(Counter::Delivered, delivered);
        sample.histograms.record_n(Measure::DeliveryLatency, 5_000, delivered);
        sample
    }

    #[test]
    fn a_point_sums_levels_over_nodes_and_not_over_time() {
        let rows = [sample("a", 10, 30, 100), sample("b", 10, 12, 50)];
        let minute = all_nodes(100, 10, &rows);
        let first = point(100, &minute);
        let (streams, delivered) = (Metric::ActiveConnections, Metric::Delivered);
        assert_eq!((first.of(streams), first.of(delivered)), (Some(42.0), Some(15.0)));
        assert!((first.of(Metric::DeliveryLatencyP95).expect("deliveries") - 5.0).abs() < 0.05);
        // Merged again over time it stays the level of both.
        let mut later = minute.clone();
        later.start = 110;
        assert_eq!(point(100, &merged(100, 20, [&minute, &later])).of(streams), Some(42.0));
        // A node that was there half of the time counts for half.
        let half = all_nodes(100, 10, &[sample("a", 10, 30, 100), sample("b", 5, 12, 50)]);
        assert_eq!(point(100, &half).of(streams), Some(36.0));
        // Two processes of one node, one after the other, cover what they measured together.
        let again = all_nodes(100, 10, &[sample("a", 4, 10, 0), sample("a", 5, 10, 0)]);
        assert_eq!(again.level(Counter::StreamSeconds), Some(10.0));
    }

    #[test]
    fn a_bucket_that_nobody_measured_is_a_hole() {
        assert_eq!(point(100, &all_nodes(100, 10, &[])), Point::hole(100));
        let idle = point(100, &sample("a", 10, 0, 0));
        assert_eq!(
            (idle.of(Metric::ActiveConnections), idle.of(Metric::DeliveryLatencyP95)),
            (Some(0.0), None)
        );
    }

    #[test]
    fn a_point_has_what_was_measured_and_no_model() {
        let mut polled = sample("a", 10, 1, 0);
        polled.histograms.record_n(Measure::PollStaleness, 1_520, 3);
        polled.counters.add(Counter::StreamCohortSeconds, 20);
        polled.counters.add(Counter::StreamCohortRequests, 1);
        let modelled = point(100, &polled);
        // HdrHistogram's mean takes the middle of a step.
        assert!((modelled.of(Metric::PollStaleness).expect("polls") - 1_520.0).abs() < 8.0);
        assert_eq!(modelled.of(Metric::RequestReduction), None, "no session was polled in this step");
        polled.counters.add(Counter::PollCohortSeconds, 20);
        polled.counters.add(Counter::PollCohortRequests, 10);
        let measured = point(100, &polled).of(Metric::RequestReduction);
        assert_eq!(measured, Some(90.0), "below the floor of a comparison, and shown");
    }

    #[test]
    fn buckets_count_everything_once() {
        let mut sample = Sample::new("a", 0, 10);
        for (millis, count) in [(1, 3), (99, 5), (100_000, 2)] {
            sample.histograms.record_n(Measure::DeliveryLatency, millis * 1_000, count);
        }
        let counts = sample.buckets_ms(Measure::DeliveryLatency);
        assert_eq!(counts.len(), HISTOGRAM_BOUNDS_MS.len() + 1);
        assert_eq!((counts[0], counts[6], counts[12]), (3, 5, 2));
    }
}
