//! Every metric's one definition, and every histogram's. Cards, charts, tables, CSV, JSON, `/metrics`, service levels, the
//! load tool and the docs read it.

use crate::metric::{
    histogram::histograms,
    numbers::{self, Basis},
};
use serde::{Deserialize, Serialize};

macro_rules! metrics {
    ($(
        $variant:ident {
            name: $name:literal, title: $title:expr, unit: $unit:ident, better: $better:ident,
            $(target: $target:literal,)? $(objective: $allowed:literal,)? $(charted: $charted:literal,)?
            by_region: $by_region:literal, samples: $samples:expr, floor: $floor:expr,
            formula: $formula:expr, value: |$given:ident| $value:expr $(,)?
        }
    )*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Metric { $(#[serde(rename = $name)] $variant,)* }

        impl Metric {
            pub const ALL: [Metric; [$(Metric::$variant),*].len()] = [$(Metric::$variant),*];

            /// Its one name, as alert rules, CSV and JSON have it; in columns with its unit at the end.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Metric::$variant => $title,)* }
            }

            pub fn unit(self) -> Unit {
                match self { $(Metric::$variant => Unit::$unit,)* }
            }

            pub fn better(self) -> Better {
                match self { $(Metric::$variant => Better::$better,)* }
            }

            /// The epic's, in the metric's unit.
            pub const fn target(self) -> Option<f64> {
                match self { $(Metric::$variant => metrics!(@some $($target)?),)* }
            }

            /// Share of events that may be bad where the metric is a service level.
            pub fn allowed(self) -> Option<f64> {
                match self { $(Metric::$variant => metrics!(@some $($allowed)?),)* }
            }

            /// Whether it is drawn over time: then each step of the charts holds it.
            pub const fn is_charted(self) -> bool {
                match self { $(Metric::$variant => metrics!(@or_false $($charted)?),)* }
            }

            /// Whether it is known for the followers of one region.
            pub fn is_by_region(self) -> bool {
                match self { $(Metric::$variant => $by_region,)* }
            }

            /// What [`Entry::samples`] counts.
            pub fn samples(self) -> &'static str {
                match self { $(Metric::$variant => $samples,)* }
            }

            /// Samples under which there is no value.
            pub fn floor(self) -> u64 {
                match self { $(Metric::$variant => $floor,)* }
            }

            /// In words; the arithmetic is in [`crate::metric::numbers`].
            pub fn formula(self) -> &'static str {
                match self { $(Metric::$variant => $formula,)* }
            }

            #[cfg(feature = "measure")]
            pub fn read(self, given: &Given<'_>) -> Reading {
                match self { $(Metric::$variant => { let $given = given; $value })* }
            }
        }
    };
    (@some $value:literal) => { Some($value) };
    (@some) => { None };
    (@or_false $value:literal) => { $value };
    (@or_false) => { false };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Percent,
    /// Of one core.
    CpuPercent,
    /// A percentile.
    MsP50,
    MsP95,
    MsP99,
    MsMean,
    /// Pages show kB.
    Bytes,
    /// Of a whole process; pages show MB.
    ProcessBytes,
    PerSecond,
    PerDelivery,
    PerSessionHour,
    /// Pages show kB.
    BytesPerSessionHour,
    Streams,
    Pollers,
    Attempts,
}

impl Unit {
    /// Beside a value on a page.
    pub fn shown(self) -> &'static str {
        match self {
            Unit::Percent => "%",
            Unit::CpuPercent => "% of one core",
            Unit::MsP50 => "ms p50",
            Unit::MsP95 => "ms p95",
            Unit::MsP99 => "ms p99",
            Unit::MsMean => "ms, mean",
            Unit::Bytes => "kB",
            Unit::ProcessBytes => "MB",
            Unit::PerSecond => "/s",
            Unit::PerDelivery => "a delivery",
            Unit::PerSessionHour => "a session hour",
            Unit::BytesPerSessionHour => "kB a session hour",
            Unit::Streams => "streams",
            Unit::Pollers => "pollers",
            Unit::Attempts => "attempts",
        }
    }

    /// A target's: without what the title says already.
    pub fn short(self) -> &'static str {
        match self {
            Unit::MsP50 | Unit::MsP95 | Unit::MsP99 | Unit::MsMean => "ms",
            Unit::CpuPercent => "%",
            other => other.shown(),
        }
    }

    /// Beside a value in JSON, where bytes are bytes.
    pub fn base(self) -> &'static str {
        match self {
            Unit::Bytes | Unit::ProcessBytes => "bytes",
            Unit::BytesPerSessionHour => "bytes a session hour",
            other => other.shown(),
        }
    }

    /// How many of the unit one of those that a page shows is.
    pub fn per_shown(self) -> f64 {
        match self {
            Unit::Bytes | Unit::BytesPerSessionHour => 1_000.0,
            Unit::ProcessBytes => 1_000_000.0,
            _ => 1.0,
        }
    }

    /// Of a histogram, whose percentiles have columns of their own.
    pub fn is_percentile(self) -> bool {
        matches!(self, Unit::MsP50 | Unit::MsP95 | Unit::MsP99)
    }

    /// The end of its column in CSV and JSON.
    pub fn suffix(self) -> &'static str {
        match self {
            Unit::Percent | Unit::CpuPercent => "_percent",
            Unit::MsP50 | Unit::MsP95 | Unit::MsP99 | Unit::MsMean => "_ms",
            Unit::Bytes | Unit::ProcessBytes => "_bytes",
            Unit::PerSecond => "_per_second",
            Unit::PerDelivery => "_per_delivery",
            Unit::PerSessionHour => "_per_session_hour",
            Unit::BytesPerSessionHour => "_per_session_hour",
            Unit::Streams | Unit::Pollers | Unit::Attempts => "",
        }
    }
}

/// Which side of the target is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

impl Metric {
    /// What charts draw over time, in the table's order.
    pub const CHARTED: [Metric; charted()] = {
        let mut all = [Metric::ALL[0]; charted()];
        let (mut at, mut found) = (0, 0);
        while at < Metric::ALL.len() {
            if Metric::ALL[at].is_charted() {
                all[found] = Metric::ALL[at];
                found += 1;
            }
            at += 1;
        }
        all
    };

    /// Whether a value is on the good side of the target.
    pub fn meets(self, value: f64) -> Option<bool> {
        let target = self.target()?;
        Some(match self.better() {
            Better::Lower => value < target,
            Better::Higher => value >= target,
        })
    }

    /// Whether it stands in the table of all metrics.
    pub fn is_listed(self) -> bool {
        !matches!(self.unit(), Unit::MsP50 | Unit::MsP99)
    }

    /// Whether it compares streaming with polling, and so says whether polling was measured or modelled.
    pub fn is_compared(self) -> bool {
        matches!(
            self,
            Metric::RequestReduction
                | Metric::BandwidthReduction
                | Metric::PollStaleness
                | Metric::LatencyImprovement
        )
    }

    /// "< 100 ms", "> 99.5 %".
    pub fn target_in_words(self) -> Option<String> {
        let side = match self.better() {
            Better::Lower => '<',
            Better::Higher => '>',
        };
        Some(format!("{side} {} {}", self.target()?, self.unit().short()))
    }

    /// Its column in CSV and JSON.
    pub fn column(self) -> String {
        let (name, suffix) = (self.name(), self.unit().suffix());
        if name.ends_with(suffix) { name.to_owned() } else { format!("{name}{suffix}") }
    }
}

histograms! {
    DeliveryLatency {
        name: "delivery_latency", title: "Delivery latency", step: Micros, by_region: true,
        samples: "deliveries", help: "Publish accepted to last byte handed to the kernel, for each follower."
    }
    ConnectionEstablishment {
        name: "connection_establishment", title: "Connection establishment", step: Micros,
        by_region: true, samples: "streams",
        help: "Accept of a stream's connection, or first byte on a kept one, to its response head flushed."
    }
    ConnectionDuration {
        name: "connection_duration", title: "Connection duration", step: Millis,
        by_region: false, samples: "closed streams", help: "Lifetime of streams that were closed."
    }
    PublishLag {
        name: "publish_lag", title: "Publish lag", step: Micros, by_region: false,
        samples: "events", help: "Publish accepted to arrival at this node: the share of Redis."
    }
    Hold {
        name: "hold", title: "Hold of a batch", step: Millis, by_region: false, samples: "events",
        help: "Arrival of a status event at its session's parked streams to its batch written, 0 if it went at once; where batch_ms is above 0."
    }
    PollStaleness {
        name: "poll_staleness", title: "Polling staleness", step: Millis, by_region: false,
        samples: "polls", help: "Age of the news that a poll brought."
    }
    PollDuration {
        name: "poll_duration", title: "Poll duration", step: Micros, by_region: false,
        samples: "polls", help: "First byte of a poll to its response flushed."
    }
    FirstUpdate {
        name: "first_update", title: "Time to first update", step: Millis,
        by_region: false, samples: "page reports", help: "A page begins to follow to its first status shown, by beacon."
    }
    ClientLatency {
        name: "client_latency", title: "Client-seen latency", step: Millis,
        by_region: true, samples: "page reports",
        help: "Publish to receipt in the browser, above the quickest recent receipt, by beacon."
    }
    ProbeConnection {
        name: "probe_connection", title: "Probe: connect", step: Micros,
        by_region: false, samples: "probes", help: "The probe's first packet to its stream's head."
    }
    ProbePublish {
        name: "probe_publish", title: "Probe: publish", step: Micros, by_region: false,
        samples: "probes", help: "The probe's publish to its answer."
    }
    ProbeDelivery {
        name: "probe_delivery", title: "Probe: delivery", step: Micros,
        by_region: false, samples: "probes", help: "The probe's publish to its arrival on its own stream."
    }
    RedisLatency {
        name: "redis_latency", title: "Latency of Redis", step: Micros,
        by_region: false, samples: "probes", help: "A PING to Redis, each second, to its answer."
    }
}

/// How many there are.
const fn charted() -> usize {
    let (mut at, mut found) = (0, 0);
    while at < Metric::ALL.len() {
        if Metric::ALL[at].is_charted() {
            found += 1;
        }
        at += 1;
    }
    found
}

metrics! {
    ConnectionEstablishmentP95 {
        name: "connection_establishment_p95", title: Measure::ConnectionEstablishment.title(), unit: MsP95, better: Lower, target: 200.0,
        objective: 0.05, by_region: true, samples: Measure::ConnectionEstablishment.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::ConnectionEstablishment.help(), value: |given| given.p95(Measure::ConnectionEstablishment)
    }
    ConnectionSuccessRate {
        name: "connection_success_rate", title: "Connection success", unit: Percent, better: Higher,
        by_region: true, samples: "attempts", floor: 1,
        formula: "streams opened / attempts; those refused by a limit are counted apart",
        value: |given| given.of(given.sample.connection_success_rate(), given.count(Counter::ConnectAttempts))
    }
    ConnectRefused {
        name: "connect_refused", title: "Refused by a limit", unit: Attempts, better: Lower, by_region: false,
        samples: "attempts", floor: 0, formula: "attempts that a limit of the node, a user or an address refused",
        value: |given| {
            let refused = given.count(Counter::ConnectRefused);
            let known = Some(refused as f64).filter(|_| given.sample.tells(Counter::ConnectRefused));
            given.of(known, given.count(Counter::ConnectAttempts) + refused)
        }
    }
    DeliveryLatencyP50 {
        name: "delivery_latency_p50", title: Measure::DeliveryLatency.title(), unit: MsP50, better: Lower, charted: true,
        by_region: true, samples: Measure::DeliveryLatency.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::DeliveryLatency.help(), value: |given| given.percentile(Measure::DeliveryLatency, 50.0)
    }
    DeliveryLatencyP95 {
        name: "delivery_latency_p95", title: Measure::DeliveryLatency.title(), unit: MsP95, better: Lower, target: 100.0,
        objective: 0.05, charted: true, by_region: true, samples: Measure::DeliveryLatency.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::DeliveryLatency.help(), value: |given| given.p95(Measure::DeliveryLatency)
    }
    DeliveryLatencyP99 {
        name: "delivery_latency_p99", title: Measure::DeliveryLatency.title(), unit: MsP99, better: Lower, charted: true,
        by_region: true, samples: Measure::DeliveryLatency.samples(), floor: 100,
        formula: Measure::DeliveryLatency.help(), value: |given| given.percentile(Measure::DeliveryLatency, 99.0)
    }
    AvgLatency {
        name: "avg_latency", title: "Mean delivery latency", unit: MsMean, better: Lower, by_region: true,
        samples: Measure::DeliveryLatency.samples(), floor: 1, formula: Measure::DeliveryLatency.help(),
        value: |given| given.of(given.sample.mean_delivery_ms(), given.values(Measure::DeliveryLatency))
    }
    ClientLatencyP95 {
        name: "client_latency_p95", title: Measure::ClientLatency.title(), unit: MsP95, better: Lower,
        by_region: true, samples: Measure::ClientLatency.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::ClientLatency.help(), value: |given| given.p95(Measure::ClientLatency)
    }
    PublishLagP95 {
        name: "publish_lag_p95", title: Measure::PublishLag.title(), unit: MsP95, better: Lower, by_region: false,
        samples: Measure::PublishLag.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::PublishLag.help(), value: |given| given.p95(Measure::PublishLag)
    }
    HoldP95 {
        name: "hold_p95", title: Measure::Hold.title(), unit: MsP95, better: Lower, by_region: false,
        samples: Measure::Hold.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::Hold.help(), value: |given| given.p95(Measure::Hold)
    }
    ErrorRate {
        name: "error_rate", title: "Error rate", unit: Percent, better: Lower, target: 0.1, objective: 0.001,
        charted: true, by_region: true, samples: "operations", floor: numbers::RATE_FLOOR,
        formula: "(failed attempts + deliveries dropped for slow followers) / (attempts + deliveries due)",
        value: |given| given.of(given.sample.error_rate(), given.sample.operations())
    }
    ProbeConnectionP95 {
        name: "probe_connection_p95", title: Measure::ProbeConnection.title(), unit: MsP95, better: Lower,
        by_region: false, samples: Measure::ProbeConnection.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::ProbeConnection.help(), value: |given| given.p95(Measure::ProbeConnection)
    }
    ProbePublishP95 {
        name: "probe_publish_p95", title: Measure::ProbePublish.title(), unit: MsP95, better: Lower,
        by_region: false, samples: Measure::ProbePublish.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::ProbePublish.help(), value: |given| given.p95(Measure::ProbePublish)
    }
    ProbeDeliveryP95 {
        name: "probe_delivery_p95", title: Measure::ProbeDelivery.title(), unit: MsP95, better: Lower,
        by_region: false, samples: Measure::ProbeDelivery.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::ProbeDelivery.help(), value: |given| given.p95(Measure::ProbeDelivery)
    }
    Uptime {
        name: "uptime", title: "Uptime", unit: Percent, better: Higher, target: 99.5, objective: 0.005,
        by_region: false, samples: "probes", floor: numbers::PROBE_FLOOR,
        formula: "good probes / (good + bad); a probe that could not run counts for neither",
        value: |given| {
            given.of(given.sample.uptime(), given.count(Counter::ProbesGood) + given.count(Counter::ProbesBad))
        }
    }
    ActiveConnections {
        name: "active_connections", title: "Active connections", unit: Streams, better: Higher, target: 500.0,
        charted: true, by_region: true, samples: "seconds", floor: 1, formula: "open streams, mean over time",
        value: |given| given.level(Counter::StreamSeconds)
    }
    ActivePollers {
        name: "active_pollers", title: "Active pollers", unit: Pollers, better: Lower, charted: true, by_region: false,
        samples: "seconds", floor: 1, formula: "followers that poll, mean over time",
        value: |given| given.level(Counter::PollerSeconds)
    }
    Published {
        name: "published", title: "Events published", unit: PerSecond, better: Higher, charted: true, by_region: false,
        samples: "seconds", floor: 1, formula: "status events accepted / seconds",
        value: |given| given.level(Counter::Published)
    }
    Delivered {
        name: "delivered", title: "Deliveries", unit: PerSecond, better: Higher, charted: true, by_region: true,
        samples: "seconds", floor: 1, formula: "deliveries / seconds",
        value: |given| given.level(Counter::Delivered)
    }
    SocketWritesPerDelivery {
        name: "socket_writes_per_delivery", title: "Socket writes", unit: PerDelivery, better: Lower,
        by_region: false, samples: "deliveries", floor: numbers::PERCENTILE_FLOOR,
        formula: "writes of status events to followers' sockets / deliveries; batching makes it less than one",
        value: |given| given.ratio(Counter::SocketWrites, Counter::Delivered)
    }
    StreamingRequests {
        name: "streaming_requests", title: "Requests, streaming", unit: PerSessionHour, better: Lower,
        by_region: false, samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "requests of the cohort's sessions / time for which they had a follower",
        value: |given| {
            let cost = given.sample.stream_cost();
            given.of(cost.requests_per_hour(), cost.session_seconds)
        }
    }
    PollingRequests {
        name: "polling_requests", title: "Requests, polling", unit: PerSessionHour, better: Lower,
        by_region: false, samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "requests of the cohort's sessions / time for which they had a follower",
        value: |given| {
            let cost = given.sample.poll_cost();
            given.of(cost.requests_per_hour(), cost.session_seconds)
        }
    }
    RequestReduction {
        name: "request_reduction", title: "Request reduction", unit: Percent, better: Higher, target: 95.0,
        charted: true, by_region: false, samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "1 - streaming / polling, each a session hour",
        value: |given| given.reduced(given.sample.request_reduction(given.poll_interval_ms))
    }
    StreamingBytes {
        name: "streaming_bytes", title: "Bytes, streaming", unit: BytesPerSessionHour, better: Lower,
        by_region: false, samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "bytes on the wire, both directions, heads included / time for which they had a follower",
        value: |given| {
            let cost = given.sample.stream_cost();
            given.of(cost.bytes_per_hour(), cost.session_seconds)
        }
    }
    PollingBytes {
        name: "polling_bytes", title: "Bytes, polling", unit: BytesPerSessionHour, better: Lower, by_region: false,
        samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "bytes on the wire, both directions, heads included / time for which they had a follower",
        value: |given| {
            let cost = given.sample.poll_cost();
            given.of(cost.bytes_per_hour(), cost.session_seconds)
        }
    }
    BandwidthReduction {
        name: "bandwidth_reduction", title: "Bandwidth reduction", unit: Percent, better: Higher,
        target: 80.0, by_region: false, samples: "followed seconds", floor: numbers::COHORT_FLOOR_SECONDS,
        formula: "1 - streaming / polling, each a session hour",
        value: |given| given.reduced(given.sample.bandwidth_reduction(given.poll_interval_ms))
    }
    PollStaleness {
        name: "poll_staleness", title: "Polling staleness", unit: MsMean, better: Lower, charted: true, by_region: false,
        samples: "polls", floor: 0, formula: "age of the news that a poll brings; modelled: interval / 2 + poll time",
        value: |given| {
            let (ms, basis) = given.sample.staleness(given.poll_interval_ms);
            Reading { basis: Some(basis), ..given.of(Some(ms), given.values(Measure::PollStaleness)) }
        }
    }
    LatencyImprovement {
        name: "latency_improvement", title: "Latency improvement", unit: Percent, better: Higher,
        by_region: true, samples: "deliveries", floor: numbers::PERCENTILE_FLOOR,
        formula: "1 - mean delivery latency / polling staleness",
        value: |given| {
            let basis = given.sample.staleness(given.poll_interval_ms).1;
            let improvement = given.sample.latency_improvement(given.poll_interval_ms);
            Reading { basis: Some(basis), ..given.of(improvement, given.count(Counter::Delivered)) }
        }
    }
    FallbackRate {
        name: "fallback_rate", title: "Fallback rate", unit: Percent, better: Lower, target: 5.0,
        objective: 0.05, by_region: false, samples: "sessions", floor: numbers::PERCENTILE_FLOOR,
        formula: "sessions of which a page reported a fallback / sessions of the stream cohort",
        value: |given| {
            given.of(given.sample.fallback_activation_rate(), given.count(Counter::StreamCohortSessions))
        }
    }
    SessionCompletionRate {
        name: "session_completion_rate", title: "Session completion", unit: Percent, better: Higher,
        by_region: false, samples: "sessions", floor: 1, formula: "completed / (completed + failed + abandoned)",
        value: |given| {
            let ended = [Counter::SessionsCompleted, Counter::SessionsFailed, Counter::SessionsAbandoned];
            let ended = ended.map(|counter| given.count(counter)).iter().sum();
            given.of(given.sample.session_completion_rate(), ended)
        }
    }
    FirstUpdateP95 {
        name: "first_update_p95", title: Measure::FirstUpdate.title(), unit: MsP95, better: Lower,
        by_region: false, samples: Measure::FirstUpdate.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::FirstUpdate.help(), value: |given| given.p95(Measure::FirstUpdate)
    }
    Memory {
        name: "memory", title: "Memory", unit: ProcessBytes, better: Lower, charted: true, by_region: false, samples: "seconds", floor: 1,
        formula: "resident memory, mean over time, all nodes together", value: |given| given.level(Counter::MemorySum)
    }
    MemoryUsage {
        name: "memory_usage", title: "Memory usage", unit: Percent, better: Lower, by_region: false,
        samples: "seconds", floor: 1,
        formula: "resident memory / limit, all nodes together; alert rules judge each node by itself",
        value: |given| given.of(given.sample.memory_usage(), given.count(Counter::CoveredSeconds))
    }
    MemoryPerConnection {
        name: "memory_per_connection", title: "Memory per connection", unit: Bytes, better: Lower,
        by_region: false, samples: "streams open on average", floor: numbers::MEMORY_FLOOR,
        formula: "(resident - resident without a stream) / open streams",
        value: |given| {
            let open = given.sample.level(Counter::StreamSeconds).unwrap_or(0.0);
            given.of(given.sample.memory_per_connection(), open as u64)
        }
    }
    Cpu {
        name: "cpu", title: "CPU", unit: CpuPercent, better: Lower, charted: true, by_region: false, samples: "seconds", floor: 1,
        formula: "CPU time / time, all nodes together",
        value: |given| {
            let reading = given.level(Counter::CpuMicros);
            Reading { value: reading.value.map(|micros| micros / 10_000.0), ..reading }
        }
    }
    RedisMemory {
        name: "redis_memory", title: "Memory of Redis", unit: ProcessBytes, better: Lower, charted: true, by_region: false,
        samples: "seconds", floor: 1, formula: "memory of the Redis that all nodes share, mean over time",
        value: |given| given.of(given.sample.redis_memory(), given.count(Counter::RedisSeconds))
    }
    RedisLatencyP95 {
        name: "redis_latency_p95", title: Measure::RedisLatency.title(), unit: MsP95, better: Lower,
        by_region: false, samples: Measure::RedisLatency.samples(), floor: numbers::PERCENTILE_FLOOR,
        formula: Measure::RedisLatency.help(), value: |given| given.p95(Measure::RedisLatency)
    }
}

/// One metric of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(rename = "number")]
    pub metric: Metric,
    /// As [`Unit::shown`] says; `None`: not enough data.
    pub value: Option<f64>,
    /// What the value rests on, in [`Metric::samples`].
    pub samples: u64,
    /// For what compares with polling.
    pub basis: Option<Basis>,
}

#[cfg(feature = "measure")]
use measured::Counter;
#[cfg(feature = "measure")]
pub use measured::{Given, Reading, entries};

#[cfg(feature = "measure")]
mod measured {
    use super::{Entry, Metric};
    pub use crate::metric::measure::counters::Counter;
    use crate::metric::{
        histogram::Measure,
        measure::sample::Sample,
        numbers::{Basis, Reduction},
    };

    /// What a metric is read from.
    pub struct Given<'a> {
        pub sample: &'a Sample,
        pub poll_interval_ms: u32,
    }

    /// A value in the metric's unit, however few samples it rests on.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Reading {
        pub value: Option<f64>,
        pub samples: u64,
        pub basis: Option<Basis>,
    }

    impl Given<'_> {
        pub(super) fn of(&self, value: Option<f64>, samples: u64) -> Reading {
            Reading { value, samples, basis: None }
        }

        pub(super) fn count(&self, counter: Counter) -> u64 {
            self.sample.counters.get(counter)
        }

        pub(super) fn values(&self, measure: Measure) -> u64 {
            self.sample.histograms.get(measure).len()
        }

        pub(super) fn p95(&self, measure: Measure) -> Reading {
            self.percentile(measure, 95.0)
        }

        /// In milliseconds.
        pub(super) fn percentile(&self, measure: Measure, percentile: f64) -> Reading {
            let value = self.sample.percentile(measure, percentile, 1).map(|value| measure.ms(value));
            self.of(value, self.values(measure))
        }

        /// One counter by another.
        pub(super) fn ratio(&self, part: Counter, whole: Counter) -> Reading {
            let all = self.count(whole);
            let known = all > 0 && self.sample.tells(part);
            self.of(known.then(|| self.count(part) as f64 / all as f64), all)
        }

        /// What is added up each second, by the seconds.
        pub(super) fn level(&self, sum: Counter) -> Reading {
            self.of(self.sample.level(sum), self.count(Counter::CoveredSeconds))
        }

        /// It rests on the cohort of which there is less.
        pub(super) fn reduced(&self, reduction: Option<Reduction>) -> Reading {
            let (stream, poll) = (self.sample.stream_cost(), self.sample.poll_cost());
            let basis = reduction.map(|reduction| reduction.basis);
            let samples = match basis {
                Some(Basis::Measured) => stream.session_seconds.min(poll.session_seconds),
                _ => stream.session_seconds,
            };
            Reading { value: reduction.and_then(Reduction::percent), samples, basis }
        }
    }

    /// The metrics of a window, in [`Metric::ALL`]'s order. Of a histogram its p95 stands for the other percentiles.
    pub fn entries(sample: &Sample, poll_interval_ms: u32) -> Vec<Entry> {
        let given = Given { sample, poll_interval_ms };
        let listed = Metric::ALL.into_iter().filter(|metric| metric.is_listed());
        listed.map(|metric| entry(metric, &given)).collect()
    }

    pub(super) fn entry(metric: Metric, given: &Given<'_>) -> Entry {
        let Reading { value, samples, basis } = metric.read(given);
        let shown = value.map(|value| value / metric.unit().per_shown());
        Entry { metric, value: shown.filter(|_| samples >= metric.floor()), samples, basis }
    }
}

#[cfg(all(test, feature = "measure"))]
mod tests {
    use super::{Counter, Entry, Given, Metric, entries, measured::entry};
    use crate::metric::{histogram::Measure, measure::sample::Sample, numbers::Basis};
    use std::{collections::BTreeSet, fmt::Write};

    fn of(metric: Metric, sample: &Sample) -> Entry {
        entry(metric, &Given { sample, poll_interval_ms: 3_000 })
    }

    fn check(sample: &Sample, metric: Metric, value: Option<f64>, samples: u64) {
        let entry = of(metric, sample);
        assert_eq!((entry.value, entry.samples), (value, samples), "{metric:?}");
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
        let all = entries(&Sample::new("a", 0, 60), 3_000);
        for entry in &all {
            match entry.metric {
                Metric::ConnectRefused => assert_eq!(entry.value, Some(0.0)),
                Metric::PollStaleness => {
                    assert_eq!((entry.value, entry.basis), (Some(1_500.0), Some(Basis::Modelled)));
                }
                _ => assert_eq!((entry.value, entry.samples), (None, 0), "{:?}", entry.metric),
            }
        }
        let listed = Metric::ALL.into_iter().filter(|metric| metric.is_listed());
        assert!(all.iter().map(|entry| entry.metric).eq(listed));
        assert!(!Metric::DeliveryLatencyP99.is_listed() && Metric::DeliveryLatencyP95.is_listed());
    }

    #[test]
    fn what_is_not_kept_by_region_is_not_told_of_one() {
        let mut sample = counted(&[(Counter::ConnectAttempts, 200), (Counter::ConnectEstablished, 200)]);
        sample.region = "eu-west".into();
        check(&sample, Metric::ConnectRefused, None, 200);
        check(&sample, Metric::ConnectionSuccessRate, Some(100.0), 200);
    }

    #[test]
    fn each_says_what_it_rests_on() {
        use Counter as C;
        let sample =
            counted(&[(C::ConnectAttempts, 40), (C::ConnectEstablished, 39), (C::ConnectRefused, 2)]);
        check(&sample, Metric::ConnectionSuccessRate, Some(97.5), 40);
        check(&sample, Metric::ConnectRefused, Some(2.0), 42);
        check(&sample, Metric::ErrorRate, None, 40);

        let sample =
            counted(&[(C::SessionsCompleted, 3), (C::SessionsFailed, 1), (C::StreamCohortSessions, 19)]);
        check(&sample, Metric::SessionCompletionRate, Some(75.0), 4);
        check(&sample, Metric::FallbackRate, None, 19);

        let sample = counted(&[(C::ProbesGood, 9), (C::ProbesBad, 1), (C::ProbesUnknown, 5)]);
        check(&sample, Metric::Uptime, Some(90.0), 10);
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
        check(&sample, Metric::StreamingRequests, Some(2.0), 3_600);
        check(&sample, Metric::PollingBytes, Some(600.0), 300);
        let reduction = of(Metric::RequestReduction, &sample);
        assert_eq!((reduction.samples, reduction.basis), (300, Some(Basis::Measured)));
        let modelled = of(Metric::RequestReduction, &counted(&costs[..3]));
        assert_eq!((modelled.samples, modelled.basis), (3_600, Some(Basis::Modelled)));
    }

    #[test]
    fn a_batch_is_one_write_of_several_deliveries() {
        use Counter as C;
        let mut sample = counted(&[(C::SocketWrites, 10), (C::Delivered, 40)]);
        check(&sample, Metric::SocketWritesPerDelivery, Some(0.25), 40);
        check(
            &counted(&[(C::SocketWrites, 19), (C::Delivered, 19)]),
            Metric::SocketWritesPerDelivery,
            None,
            19,
        );
        sample.region = "eu-west".into();
        check(&sample, Metric::SocketWritesPerDelivery, None, 40);
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
        check(&of(500), Metric::MemoryPerConnection, Some(1.0), 500);
        check(&of(99), Metric::MemoryPerConnection, None, 99);
    }

    #[test]
    fn a_metric_by_region_is_known_of_a_region_and_no_other_is() {
        let mut sample = Sample::new("a", 0, 60);
        for &counter in Counter::ALL {
            sample.counters.add(counter, if counter.is_by_region() { 200 } else { 0 });
        }
        for measure in Measure::ALL.into_iter().filter(|measure| measure.is_by_region()) {
            sample.histograms.record_n(measure, 5, 200);
        }
        sample.counters.set(Counter::CoveredSeconds, 60);
        sample.region = "eu-west".into();
        for metric in Metric::ALL {
            // Polling is compared with a model where none was measured.
            if metric != Metric::PollStaleness {
                assert_eq!(of(metric, &sample).value.is_some(), metric.is_by_region(), "{metric:?}");
            }
        }
    }

    #[test]
    fn names_and_columns_are_unique_and_plain() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        let columns: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.column()).collect();
        assert_eq!((names.len(), columns.len()), (Metric::ALL.len(), Metric::ALL.len()));
        let plain = |name: &&str| {
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        assert!(names.iter().all(plain), "{names:?}");
        let of_histograms: BTreeSet<_> =
            Measure::ALL.iter().map(|measure| format!("{}_p95", measure.name())).collect();
        let p95 = names.iter().filter(|name| name.ends_with("_p95"));
        assert!(p95.into_iter().all(|name| of_histograms.contains(*name)));
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).expect("JSON"), metric.name());
        }
    }

    /// `DeliveryLatencyP95` as `delivery_latency_p95`.
    fn in_snake_case(variant: &dyn std::fmt::Debug) -> String {
        let variant = format!("{variant:?}");
        let split = variant.chars().map(|letter| match letter {
            'A'..='Z' => format!("_{}", letter.to_ascii_lowercase()),
            _ => letter.into(),
        });
        split.collect::<String>().trim_start_matches('_').to_owned()
    }

    #[test]
    fn what_the_code_calls_a_metric_is_its_name() {
        for metric in Metric::ALL {
            assert_eq!(in_snake_case(&metric), metric.name());
        }
        for measure in Measure::ALL {
            assert_eq!(in_snake_case(&measure), measure.name());
        }
        for counter in Counter::ALL {
            assert_eq!(in_snake_case(counter), counter.name());
        }
    }

    #[test]
    fn charts_draw_what_the_table_marks_in_its_order() {
        let marked: Vec<Metric> = Metric::ALL.into_iter().filter(|metric| metric.is_charted()).collect();
        assert_eq!(Metric::CHARTED.as_slice(), marked);
        assert!(marked.contains(&Metric::RedisMemory) && !marked.contains(&Metric::Uptime));
    }

    #[test]
    fn a_target_is_met_on_its_good_side_alone() {
        let check = |metric: Metric, value, met| assert_eq!(metric.meets(value), met, "{metric:?} {value}");
        check(Metric::DeliveryLatencyP95, 99.9, Some(true));
        check(Metric::DeliveryLatencyP95, 100.0, Some(false));
        check(Metric::RequestReduction, 95.0, Some(true));
        check(Metric::RequestReduction, 94.9, Some(false));
        check(Metric::Cpu, 1.0, None);
        let words = Metric::ALL.map(Metric::target_in_words);
        let words: Vec<_> = words.iter().flatten().map(String::as_str).collect();
        assert_eq!(
            words,
            ["< 200 ms", "< 100 ms", "< 0.1 %", "> 99.5 %", "> 500 streams", "> 95 %", "> 80 %", "< 5 %"]
        );
    }

    /// `UPDATE_DOCS=1` writes it.
    #[test]
    fn the_docs_have_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let mut table = String::from(
            "| name | title | unit | better | target | by region | no value below | formula |\n|---|---|---|---|---|---|---|---|\n",
        );
        for metric in Metric::ALL {
            let (better, by_region) =
                (format!("{:?}", metric.better()).to_lowercase(), metric.is_by_region());
            let _ = writeln!(
                table,
                "| `{}` | {} | {} | {better} | {} | {} | {} {} | {} |",
                metric.name(),
                metric.title(),
                metric.unit().shown(),
                metric.target_in_words().unwrap_or_default(),
                if by_region { "yes" } else { "no" },
                metric.floor(),
                metric.samples(),
                metric.formula(),
            );
        }
        let docs = std::fs::read_to_string(path).expect("docs/metrics.md");
        let (before, rest) = docs.split_once("<!-- metrics -->\n").expect("a beginning");
        let (found, after) = rest.split_once("<!-- end -->").expect("an end");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let new = format!("{before}<!-- metrics -->\n{table}<!-- end -->{after}");
            std::fs::write(path, new).expect("written");
        } else {
            assert_eq!(found, table, "run the core tests once with UPDATE_DOCS=1");
        }
    }
}
