//! What is counted. Every counter adds up over time and over nodes.
//!
//! A counter is one row here: its name as PostgreSQL, CSV, JSON and `/metrics` have it. There counters that differ only by
//! a reason, a way or a cohort are one metric with that label.

use crate::metric::export::Unit;
use std::fmt::Write;

macro_rules! counters {
    (
        $($family:literal $(by $label:literal)?: $unit:ident, $help:literal {
            $($(#[$doc:meta])* $variant:ident => $name:literal $(as $value:literal)?,)*
        })*
        elsewhere { $($(#[$other_doc:meta])* $other:ident => $other_name:literal,)* }
    ) => {
        /// One counted thing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $($($(#[$doc])* #[doc = $help] $variant,)*)*
            $($(#[$other_doc])* $other,)*
        }

        impl Counter {
            pub const ALL: &[Counter] = &[$($(Counter::$variant,)*)* $(Counter::$other,)*];

            /// As metrics of `/metrics`.
            pub const FAMILIES: &[Family] = &[$(Family {
                name: $family,
                unit: Unit::$unit,
                help: $help,
                label: counters!(@some $($label)?),
                counters: &[$((concat!("" $(, $value)?), Counter::$variant),)*],
            },)*];

            pub fn name(self) -> &'static str {
                match self {
                    $($(Counter::$variant => $name,)*)*
                    $(Counter::$other => $other_name,)*
                }
            }
        }
    };
    (@some $value:literal) => { Some($value) };
    (@some) => { None };
}

/// One metric of `/metrics`.
pub struct Family {
    /// Without prefix, with its unit.
    pub name: &'static str,
    pub unit: Unit,
    /// A sentence.
    pub help: &'static str,
    /// What its counters differ by.
    pub label: Option<&'static str>,
    /// With the label's value.
    pub counters: &'static [(&'static str, Counter)],
}

counters! {
    "seconds": Seconds, "Seconds that were measured." {
        /// Seconds in which a node measured, summed over nodes.
        Seconds => "seconds",
    }

    "connect_attempts": One, "Requests for a stream that were let in or failed; refusals by a limit are apart." {
        /// Requests for a stream that were let in or failed; refusals by a limit are apart.
        ConnectAttempts => "connect_attempts",
    }
    "connect_established": One, "Streams whose head was flushed." {
        /// Streams whose head was flushed.
        ConnectEstablished => "connect_established",
    }
    "connect_failed": One, "Requests for a stream that the server failed." {
        /// Attempts that the server failed.
        ConnectFailed => "connect_failed",
    }
    "connect_refused": One, "Requests for a stream that a limit refused." {
        /// Attempts that a limit refused.
        ConnectRefused => "connect_refused",
    }
    "streams_closed" by "reason": One, "Streams that ended." {
        ClosedByClient => "closed_by_client" as "client",
        ClosedAtEnd => "closed_at_end" as "end",
        ClosedSlow => "closed_slow" as "slow",
        ClosedIdle => "closed_idle" as "idle",
        ClosedByDrain => "closed_by_drain" as "drain",
        /// The ticket's time was over.
        ClosedExpired => "closed_expired" as "expired",
    }
    "stream_seconds": Seconds, "Open streams, summed over the measured seconds." {
        /// Open streams, summed each second.
        StreamSeconds => "stream_seconds",
    }
    "poller_seconds": Seconds, "Time for which sessions were followed by polling, on whichever nodes, summed over sessions." {
        /// Time for which sessions were followed by polling, summed over sessions.
        PollerSeconds => "poller_seconds",
    }

    "published": One, "Status events accepted on this node." {
        /// Status events accepted on this node.
        Published => "published",
    }
    "publish_failed": One, "Status events that could not be accepted because Redis was away." {
        /// Status events that could not be accepted because the broker was away.
        PublishFailed => "publish_failed",
    }
    "plain_messages_dropped" by "reason": One, "Messages that back ends published to Redis by themselves: no status, or not taken in." {
        /// Messages that back ends published to Redis by themselves and that are no status.
        PlainBad => "plain_bad" as "bad",
        /// The same, and good ones, but Redis or this node could not take them in.
        PlainLost => "plain_lost" as "lost",
    }
    "deliveries_due": One, "Events times the followers that were there: made, plus those not made." {
        /// Events times followers that were there when it came, snapshots and replays included.
        DeliveriesDue => "deliveries_due",
    }
    "delivered": One, "Deliveries whose last byte was handed to the kernel." {
        /// Last byte handed to the kernel.
        Delivered => "delivered",
    }
    "socket_writes": One, "Writes of status events to followers' sockets: one for each follower and write, however many events it held. What waited for room counts once more." {
        SocketWrites => "socket_writes",
    }
    "deliveries_not_made" by "reason": One, "Deliveries that were due and not made; only those to slow followers are failures." {
        /// Progress of a slow follower that a later event of the same stage made old.
        Conflated => "conflated" as "conflated",
        /// Dropped because the follower's queue was full: a failure.
        DroppedSlow => "dropped_slow" as "slow",
        /// Dropped because the follower had gone: no failure, but no delivery either.
        DroppedGone => "dropped_gone" as "gone",
        /// Not sent because the follower's snapshot or replay had it already.
        Repeated => "repeated" as "repeated",
    }
    "gaps": One, "Followers told that events are missing." {
        /// Followers told of a gap.
        Gaps => "gaps",
    }

    "requests" by "way": One, "Requests to follow a session." {
        StreamRequests => "stream_requests" as "stream",
        PollRequests => "poll_requests" as "poll",
    }
    "received_bytes" by "way": Bytes, "Bytes on the wire of requests to follow, heads included." {
        /// Wire bytes of stream requests, heads included.
        StreamBytesIn => "stream_bytes_in" as "stream",
        PollBytesIn => "poll_bytes_in" as "poll",
    }
    "sent_bytes" by "way": Bytes, "Bytes on the wire of the answers to them, heads included." {
        StreamBytesOut => "stream_bytes_out" as "stream",
        PollBytesOut => "poll_bytes_out" as "poll",
    }
    "opening_bytes": Bytes, "Of the bytes of streams what it took to open them: request, head, and what is sent first." {
        /// The part of them that opened streams: the request, the head, and the first events for the follower.
        OpeningBytes => "opening_bytes",
    }
    "polls_unchanged": One, "Polls answered 304." {
        /// Polls answered 304.
        PollsUnchanged => "polls_unchanged",
    }

    "cohort_requests" by "cohort": One, "Requests to follow sessions of the cohort, whichever way." {
        /// Stream and poll requests of sessions in the stream cohort (a fallback's polls are part of its cost).
        StreamCohortRequests => "stream_cohort_requests" as "stream",
        PollCohortRequests => "poll_cohort_requests" as "poll",
    }
    "cohort_bytes" by "cohort": Bytes, "Bytes on the wire of both directions for sessions of the cohort." {
        StreamCohortBytes => "stream_cohort_bytes" as "stream",
        PollCohortBytes => "poll_cohort_bytes" as "poll",
    }
    "cohort_followed_seconds" by "cohort": Seconds, "Time for which sessions of the cohort had a follower, summed over sessions." {
        /// Followed time of the cohort's sessions, summed each second.
        StreamCohortSeconds => "stream_cohort_seconds" as "stream",
        PollCohortSeconds => "poll_cohort_seconds" as "poll",
    }

    "sessions_started": One, "Sessions that began on this node." {
        SessionsStarted => "sessions_started",
    }
    "sessions_ended" by "reason": One, "Sessions that ended." {
        SessionsCompleted => "sessions_completed" as "completed",
        SessionsFailed => "sessions_failed" as "failed",
        SessionsAbandoned => "sessions_abandoned" as "abandoned",
    }
    "stream_cohort_sessions": One, "Sessions told to stream that began on this node." {
        /// Sessions of the stream cohort that began here: what fallbacks are divided by.
        StreamCohortSessions => "stream_cohort_sessions",
    }
    "sessions_fell_back": One, "Sessions told to stream of which a page reported that it polls." {
        /// Among them, those of which a page reported a fallback.
        SessionsFellBack => "sessions_fell_back",
    }

    "fallbacks" by "reason": One, "Fallbacks to polling that pages reported." {
        FallbackNoEventSource => "fallback_no_event_source" as "no_event_source",
        FallbackConnectFailed => "fallback_connect_failed" as "connect_failed",
        FallbackWatchdog => "fallback_watchdog" as "watchdog",
        FallbackBuffered => "fallback_buffered" as "buffered",
        FallbackRefused => "fallback_refused" as "refused",
        FallbackTooManyTabs => "fallback_too_many_tabs" as "too_many_tabs",
    }
    "beacons": One, "Reports of pages that were counted." {
        Beacons => "beacons",
    }
    "beacons_ignored" by "reason": One, "Reports of pages that were counted before or are none." {
        /// Counted before.
        BeaconsRepeated => "beacons_repeated" as "repeated",
        /// Refused: not in their shape, or of no session of ours.
        BeaconsBad => "beacons_bad" as "bad",
    }
    "probes" by "result": One, "Streams that the node opened to itself; an unknown one could not be tried." {
        /// Probes that were served in time.
        ProbesGood => "probes_good" as "good",
        /// Probes that were not.
        ProbesBad => "probes_bad" as "bad",
        /// Probes that could not be made: they say nothing about the service.
        ProbesUnknown => "probes_unknown" as "unknown",
    }
    "socket_bytes" by "source": Bytes, "Bytes of connections that ended, as the server and as the kernel counted them." {
        /// What the meter counted on the same connections.
        MeterBytesIn => "meter_bytes_in" as "meter_in",
        /// Bytes that the kernel says it received and had acknowledged on connections that the meter counted whole.
        KernelBytesIn => "kernel_bytes_in" as "kernel_in",
        MeterBytesOut => "meter_bytes_out" as "meter_out",
        KernelBytesOut => "kernel_bytes_out" as "kernel_out",
    }
    "rows_late": One, "Rows of 10 s that came to PostgreSQL after others of their time were dropped, and were left out." {
        /// 10 s rows that were stored no more: others of their time had been dropped.
        RowsLate => "rows_late",
    }
    "redis_probes_failed": One, "Probes of Redis without an answer within a second." {
        /// Probes of Redis without an answer within a second; the others are in the histogram `redis_latency`.
        RedisProbesFailed => "redis_probes_failed",
    }
    "refreshes": One, "Pages that were reloaded." {
        /// Pages that were reloaded.
        Refreshes => "refreshes",
    }
    "status_checks": One, "Times that a user asked for the status by hand." {
        /// Times that a user asked for the status by hand.
        StatusChecks => "status_checks",
    }

    // What the process's own metrics tell, exactly and from its start; and what only rows by region or of several nodes tell.
    elsewhere {
        /// Seconds in which any node measured: divides sums over time into levels and rates of all nodes together.
        CoveredSeconds => "covered_seconds",
        /// Streams that ended, for whatever reason: with `connect_established` it tells a region's open ones.
        StreamsClosed => "streams_closed",
        /// Streams that the node allows, summed each second.
        MaxConnectionsSum => "max_connections_sum",
        /// Memory of Redis, bytes, summed each second in which it was known: the same Redis for all nodes.
        RedisMemorySum => "redis_memory_sum",
        RedisSeconds => "redis_seconds",
        /// CPU time used, microseconds.
        CpuMicros => "cpu_micros",
        /// Resident bytes, summed each second.
        MemorySum => "memory_sum",
        /// Bytes that the node may use (of its control group, else of the machine), summed each second with `memory_sum`.
        MemoryLimitSum => "memory_limit_sum",
        /// Resident bytes when the node last had no stream, summed each second.
        UnusedMemorySum => "unused_memory_sum",
    }
}

impl Counter {
    /// Whether it is kept by the follower's region too. Of a region the others are unknown, not zero.
    pub fn is_by_region(self) -> bool {
        matches!(
            self,
            Counter::Seconds
                | Counter::CoveredSeconds
                | Counter::StreamSeconds
                | Counter::StreamsClosed
                | Counter::ConnectAttempts
                | Counter::ConnectEstablished
                | Counter::ConnectFailed
                | Counter::DeliveriesDue
                | Counter::Delivered
                | Counter::DroppedSlow
                | Counter::FallbackNoEventSource
                | Counter::FallbackConnectFailed
                | Counter::FallbackWatchdog
                | Counter::FallbackBuffered
                | Counter::FallbackRefused
                | Counter::FallbackTooManyTabs
        )
    }
}

const COUNT: usize = Counter::ALL.len();

/// All counters of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters([u64; COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Counters([0; COUNT])
    }
}

impl Counters {
    pub const LEN: usize = COUNT;

    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    pub fn add(&mut self, counter: Counter, amount: u64) {
        let cell = &mut self.0[counter as usize];
        *cell = cell.saturating_add(amount);
    }

    pub fn set(&mut self, counter: Counter, amount: u64) {
        self.0[counter as usize] = amount;
    }

    pub fn merge(&mut self, other: &Counters) {
        for &counter in Counter::ALL {
            self.add(counter, other.get(counter));
        }
    }

    /// Takes out what was merged in before.
    pub fn unmerge(&mut self, other: &Counters) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_sub(theirs);
        }
    }

    /// The counters that are not zero.
    pub fn counted(&self) -> impl Iterator<Item = (Counter, u64)> {
        Counter::ALL.iter().map(|&counter| (counter, self.get(counter))).filter(|(_, amount)| *amount > 0)
    }

    /// The counters that are not zero, as a JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        self.counted()
            .map(|(counter, amount)| (counter.name().to_owned(), serde_json::Value::from(amount)))
            .collect()
    }

    /// The same as text.
    pub fn to_json_text(&self) -> String {
        let mut text = String::from("{");
        for (counter, amount) in self.counted() {
            if text.len() > 1 {
                text.push(',');
            }
            // Writing into a String cannot fail; names need no escaping.
            let _ = write!(text, "\"{}\":{amount}", counter.name());
        }
        text + "}"
    }

    /// Reads what [`Counters::to_json`] wrote; names of other versions are passed over.
    pub fn from_json(json: &serde_json::Value) -> Counters {
        let mut counters = Counters::default();
        for &counter in Counter::ALL {
            counters.add(counter, json.get(counter.name()).and_then(serde_json::Value::as_u64).unwrap_or(0));
        }
        // Rows of before there were rows for all nodes are of one node each.
        if counters.get(Counter::CoveredSeconds) == 0 {
            counters.set(Counter::CoveredSeconds, counters.get(Counter::Seconds));
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: HashSet<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        assert_eq!(names.len(), Counters::LEN);
        let mut counters = Counters::default();
        for (index, &counter) in Counter::ALL.iter().enumerate() {
            counters.add(counter, index as u64);
        }
        assert_eq!(Counters::from_json(&counters.to_json()), counters);
        let text = serde_json::from_str::<serde_json::Value>(&counters.to_json_text()).expect("JSON");
        assert_eq!(text, counters.to_json());
        let mut twice = counters;
        twice.merge(&counters);
        twice.unmerge(&counters);
        assert_eq!(twice, counters);
    }
}
