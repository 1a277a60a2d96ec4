//! Every number of a window beside the others: its value, its unit, what it rests on, how it comes about.
//!
//! The formulas are those of [`crate::metric::numbers`]; this says them in words and counts what each had to go by.

use crate::metric::numbers::{self, Basis};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Number {
    Connect,
    ConnectionSuccess,
    Refused,
    Delivery,
    ClientLatency,
    PublishLag,
    ErrorRate,
    ProbeConnect,
    ProbePublish,
    ProbeDelivery,
    Uptime,
    StreamingRequests,
    PollingRequests,
    RequestReduction,
    StreamingBytes,
    PollingBytes,
    BandwidthReduction,
    PollingStaleness,
    LatencyImprovement,
    FallbackRate,
    CompletionRate,
    FirstUpdate,
    MemoryPerConnection,
}

impl Number {
    pub const ALL: [Number; 23] = [
        Number::Connect,
        Number::ConnectionSuccess,
        Number::Refused,
        Number::Delivery,
        Number::ClientLatency,
        Number::PublishLag,
        Number::ErrorRate,
        Number::ProbeConnect,
        Number::ProbePublish,
        Number::ProbeDelivery,
        Number::Uptime,
        Number::StreamingRequests,
        Number::PollingRequests,
        Number::RequestReduction,
        Number::StreamingBytes,
        Number::PollingBytes,
        Number::BandwidthReduction,
        Number::PollingStaleness,
        Number::LatencyImprovement,
        Number::FallbackRate,
        Number::CompletionRate,
        Number::FirstUpdate,
        Number::MemoryPerConnection,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Number::Connect => "Connection establishment",
            Number::ConnectionSuccess => "Connection success",
            Number::Refused => "Refused by a limit",
            Number::Delivery => "Delivery latency",
            Number::ClientLatency => "Client-seen latency",
            Number::PublishLag => "Publish lag",
            Number::ErrorRate => "Error rate",
            Number::ProbeConnect => "Probe: connect",
            Number::ProbePublish => "Probe: publish",
            Number::ProbeDelivery => "Probe: delivery",
            Number::Uptime => "Uptime",
            Number::StreamingRequests => "Requests, streaming",
            Number::PollingRequests => "Requests, polling",
            Number::RequestReduction => "Request reduction",
            Number::StreamingBytes => "Bytes, streaming",
            Number::PollingBytes => "Bytes, polling",
            Number::BandwidthReduction => "Bandwidth reduction",
            Number::PollingStaleness => "Polling staleness",
            Number::LatencyImprovement => "Latency improvement",
            Number::FallbackRate => "Fallback rate",
            Number::CompletionRate => "Session completion",
            Number::FirstUpdate => "Time to first update",
            Number::MemoryPerConnection => "Memory per connection",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Number::Connect
            | Number::Delivery
            | Number::ClientLatency
            | Number::PublishLag
            | Number::ProbeConnect
            | Number::ProbePublish
            | Number::ProbeDelivery
            | Number::FirstUpdate => "ms p95",
            Number::PollingStaleness => "ms, mean",
            Number::Refused => "attempts",
            Number::StreamingRequests | Number::PollingRequests => "a session hour",
            Number::StreamingBytes | Number::PollingBytes => "kB a session hour",
            Number::MemoryPerConnection => "kB",
            Number::ConnectionSuccess
            | Number::ErrorRate
            | Number::Uptime
            | Number::RequestReduction
            | Number::BandwidthReduction
            | Number::LatencyImprovement
            | Number::FallbackRate
            | Number::CompletionRate => "%",
        }
    }

    /// How it comes about.
    pub fn formula(self) -> &'static str {
        match self {
            Number::Connect => "accept, or first byte on a kept connection, to response head flushed",
            Number::ConnectionSuccess => "established / attempted; refusals by a limit are apart",
            Number::Refused => "attempts that a limit turned away: the node's, a user's or an address's",
            Number::Delivery => "publish accepted to last byte handed to the kernel, for each subscriber",
            Number::ClientLatency => {
                "publish to receipt in the browser, above the page's lowest recent latency, by beacon"
            }
            Number::PublishLag => "publish accepted to arrival at the node: the share of Redis",
            Number::ErrorRate => {
                "(failed attempts + deliveries dropped because slow) / (attempts + deliveries due)"
            }
            Number::ProbeConnect => "the probe's first packet to its stream's head",
            Number::ProbePublish => "the probe's publish, sent, to its answer",
            Number::ProbeDelivery => "the probe's publish, sent, to its arrival on the probe's stream",
            Number::Uptime => "good probes / (good + bad); one that could not run counts for neither",
            Number::StreamingRequests | Number::PollingRequests => {
                "requests of the cohort's sessions / time for which they had a follower"
            }
            Number::StreamingBytes | Number::PollingBytes => {
                "bytes on the wire, both directions, heads included / time for which they had a follower"
            }
            Number::RequestReduction | Number::BandwidthReduction => {
                "1 - streaming / polling, each a session hour"
            }
            Number::PollingStaleness => {
                "age of the news that a poll brings; modelled: interval / 2 + poll time"
            }
            Number::LatencyImprovement => "1 - mean delivery latency / polling staleness",
            Number::FallbackRate => {
                "sessions of which a page reported a fallback / sessions of the stream cohort"
            }
            Number::CompletionRate => "completed / (completed + failed + abandoned)",
            Number::FirstUpdate => "a page asks to first status shown, by beacon",
            Number::MemoryPerConnection => "(resident - resident without a stream) / open streams",
        }
    }

    /// What [`Entry::samples`] counts.
    pub fn sample_unit(self) -> &'static str {
        match self {
            Number::Connect => "connects",
            Number::ConnectionSuccess | Number::Refused => "attempts",
            Number::Delivery | Number::LatencyImprovement => "deliveries",
            Number::ClientLatency | Number::FirstUpdate => "reports of pages",
            Number::PublishLag => "events",
            Number::ErrorRate => "operations",
            Number::ProbeConnect | Number::ProbePublish | Number::ProbeDelivery | Number::Uptime => "probes",
            Number::StreamingRequests
            | Number::PollingRequests
            | Number::RequestReduction
            | Number::StreamingBytes
            | Number::PollingBytes
            | Number::BandwidthReduction => "followed seconds",
            Number::PollingStaleness => "polls",
            Number::FallbackRate | Number::CompletionRate => "sessions",
            Number::MemoryPerConnection => "streams open on average",
        }
    }

    /// Samples under which there is no value.
    pub fn floor(self) -> u64 {
        match self {
            Number::Connect
            | Number::Delivery
            | Number::ClientLatency
            | Number::PublishLag
            | Number::ProbeConnect
            | Number::ProbePublish
            | Number::ProbeDelivery
            | Number::FirstUpdate
            | Number::LatencyImprovement
            | Number::FallbackRate => numbers::PERCENTILE_FLOOR,
            Number::ErrorRate => numbers::RATE_FLOOR,
            Number::Uptime => numbers::PROBE_FLOOR,
            Number::StreamingRequests
            | Number::PollingRequests
            | Number::RequestReduction
            | Number::StreamingBytes
            | Number::PollingBytes
            | Number::BandwidthReduction => numbers::COHORT_FLOOR_SECONDS,
            Number::MemoryPerConnection => numbers::MEMORY_FLOOR,
            Number::ConnectionSuccess | Number::CompletionRate => 1,
            // None is a count too, and without a poll there is the model.
            Number::Refused | Number::PollingStaleness => 0,
        }
    }
}

/// One number of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub number: Number,
    /// In the number's unit; `None`: not enough data.
    pub value: Option<f64>,
    /// What the value rests on, in [`Number::sample_unit`].
    pub samples: u64,
    /// For what compares with polling.
    pub basis: Option<Basis>,
}

#[cfg(feature = "measure")]
mod measured {
    use super::{Entry, Number};
    use crate::metric::{
        measure::{
            counters::Counter,
            sample::{Measure, Sample},
        },
        numbers::{Basis, Reduction},
    };

    /// All numbers of a window, in [`Number::ALL`]'s order.
    pub fn ledger(sample: &Sample, poll_interval_ms: u32) -> Vec<Entry> {
        Number::ALL.into_iter().map(|number| entry(number, sample, poll_interval_ms)).collect()
    }

    fn entry(number: Number, sample: &Sample, poll_interval_ms: u32) -> Entry {
        let count = |counter| sample.counters.get(counter);
        let p95 = |measure: Measure| {
            let scale = if measure.is_micros() { 1_000.0 } else { 1.0 };
            let value = sample.percentile(measure, 95.0, 1).map(|value| value / scale);
            (value, sample.histograms.get(measure).len(), None)
        };
        let (stream, poll) = (sample.stream_cost(), sample.poll_cost());
        let kilo = |bytes: Option<f64>| bytes.map(|bytes| bytes / 1_000.0);
        let reduced = |reduction: Option<Reduction>| {
            let basis = reduction.map(|reduction| reduction.basis);
            let rests_on = match basis {
                Some(Basis::Measured) => stream.session_seconds.min(poll.session_seconds),
                _ => stream.session_seconds,
            };
            (reduction.and_then(Reduction::percent), rests_on, basis)
        };
        let (value, samples, basis) = match number {
            Number::Connect => p95(Measure::Connect),
            Number::Delivery => p95(Measure::Delivery),
            Number::ClientLatency => p95(Measure::ClientLatency),
            Number::PublishLag => p95(Measure::PublishLag),
            Number::ProbeConnect => p95(Measure::ProbeConnect),
            Number::ProbePublish => p95(Measure::ProbePublish),
            Number::ProbeDelivery => p95(Measure::ProbeDelivery),
            Number::FirstUpdate => p95(Measure::FirstUpdate),
            Number::ConnectionSuccess => {
                (sample.connection_success_rate(), count(Counter::ConnectAttempts), None)
            }
            Number::Refused => {
                let refused = count(Counter::ConnectRefused);
                let told = Some(refused as f64).filter(|_| sample.tells(Counter::ConnectRefused));
                (told, count(Counter::ConnectAttempts) + refused, None)
            }
            Number::ErrorRate => (sample.error_rate(), sample.operations(), None),
            Number::Uptime => (sample.uptime(), count(Counter::ProbesGood) + count(Counter::ProbesBad), None),
            Number::StreamingRequests => (stream.requests_per_hour(), stream.session_seconds, None),
            Number::PollingRequests => (poll.requests_per_hour(), poll.session_seconds, None),
            Number::StreamingBytes => (kilo(stream.bytes_per_hour()), stream.session_seconds, None),
            Number::PollingBytes => (kilo(poll.bytes_per_hour()), poll.session_seconds, None),
            Number::RequestReduction => reduced(sample.request_reduction(poll_interval_ms)),
            Number::BandwidthReduction => reduced(sample.bandwidth_reduction(poll_interval_ms)),
            Number::PollingStaleness => {
                let (ms, basis) = sample.staleness(poll_interval_ms);
                (Some(ms), sample.histograms.get(Measure::Staleness).len(), Some(basis))
            }
            Number::LatencyImprovement => {
                let basis = sample.staleness(poll_interval_ms).1;
                (sample.latency_improvement(poll_interval_ms), count(Counter::Delivered), Some(basis))
            }
            Number::FallbackRate => {
                (sample.fallback_activation_rate(), count(Counter::StreamCohortSessions), None)
            }
            Number::CompletionRate => {
                let ended = [Counter::SessionsCompleted, Counter::SessionsFailed, Counter::SessionsAbandoned];
                (sample.session_completion_rate(), ended.map(count).iter().sum(), None)
            }
            Number::MemoryPerConnection => {
                let open = sample.level(Counter::StreamSeconds).unwrap_or(0.0);
                (kilo(sample.memory_per_connection()), open as u64, None)
            }
        };
        Entry { number, value: value.filter(|_| samples >= number.floor()), samples, basis }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn check(sample: &Sample, number: Number, value: Option<f64>, samples: u64) {
            let entry = entry(number, sample, 3_000);
            assert_eq!((entry.value, entry.samples), (value, samples), "{number:?}");
        }

        fn counted(counters: &[(Counter, u64)]) -> Sample {
            let mut sample = Sample::new("a", 0, 60);
            for &(counter, value) in counters {
                sample.counters.add(counter, value);
            }
            sample
        }

        #[test]
        fn of_nothing_there_is_not_enough_data() {
            let told = ledger(&Sample::new("a", 0, 60), 3_000);
            for entry in &told {
                match entry.number {
                    Number::Refused => assert_eq!(entry.value, Some(0.0)),
                    Number::PollingStaleness => {
                        assert_eq!((entry.value, entry.basis), (Some(1_500.0), Some(Basis::Modelled)));
                    }
                    _ => assert_eq!((entry.value, entry.samples), (None, 0), "{:?}", entry.number),
                }
            }
            assert!(told.iter().map(|entry| entry.number).eq(Number::ALL));
        }

        #[test]
        fn what_is_not_kept_by_region_is_not_told_of_one() {
            let mut sample = counted(&[(Counter::ConnectAttempts, 200), (Counter::ConnectEstablished, 200)]);
            sample.region = "eu-west".into();
            check(&sample, Number::Refused, None, 200);
            check(&sample, Number::ConnectionSuccess, Some(100.0), 200);
        }

        #[test]
        fn each_says_what_it_rests_on() {
            use Counter as C;
            let sample =
                counted(&[(C::ConnectAttempts, 40), (C::ConnectEstablished, 39), (C::ConnectRefused, 2)]);
            check(&sample, Number::ConnectionSuccess, Some(97.5), 40);
            check(&sample, Number::Refused, Some(2.0), 42);
            check(&sample, Number::ErrorRate, None, 40);

            let sample =
                counted(&[(C::SessionsCompleted, 3), (C::SessionsFailed, 1), (C::StreamCohortSessions, 19)]);
            check(&sample, Number::CompletionRate, Some(75.0), 4);
            check(&sample, Number::FallbackRate, None, 19);

            let sample = counted(&[(C::ProbesGood, 9), (C::ProbesBad, 1), (C::ProbesUnknown, 5)]);
            check(&sample, Number::Uptime, Some(90.0), 10);
        }

        #[test]
        fn a_comparison_rests_on_the_poorer_side() {
            use Counter as C;
            let costs = [
                (C::StreamCohortRequests, 2),
                (C::StreamCohortBytes, 40_000),
                (C::StreamCohortSeconds, 3_600),
                (C::PollCohortRequests, 100),
                (C::PollCohortBytes, 50_000),
                (C::PollCohortSeconds, 300),
            ];
            let sample = counted(&costs);
            check(&sample, Number::StreamingRequests, Some(2.0), 3_600);
            check(&sample, Number::PollingBytes, Some(600.0), 300);
            let reduction = entry(Number::RequestReduction, &sample, 3_000);
            assert_eq!((reduction.samples, reduction.basis), (300, Some(Basis::Measured)));
            let modelled = entry(Number::RequestReduction, &counted(&costs[..3]), 3_000);
            assert_eq!((modelled.samples, modelled.basis), (3_600, Some(Basis::Modelled)));
        }

        #[test]
        fn memory_is_told_of_many_streams_only() {
            use Counter as C;
            // Two seconds, 20 MB without a stream, 1 kB each.
            let of = |streams: u64| {
                counted(&[
                    (C::CoveredSeconds, 2),
                    (C::StreamSeconds, 2 * streams),
                    (C::UnusedMemorySum, 2 * 20_000_000),
                    (C::MemorySum, 2 * (20_000_000 + streams * 1_000)),
                ])
            };
            check(&of(500), Number::MemoryPerConnection, Some(1.0), 500);
            check(&of(99), Number::MemoryPerConnection, None, 99);
        }
    }
}

#[cfg(feature = "measure")]
pub use measured::ledger;
