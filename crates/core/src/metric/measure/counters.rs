//! What is counted. Every counter adds up over time and over nodes.

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// One counted thing. Its name is the same in PostgreSQL and in exports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            pub const ALL: &[Counter] = &[$(Counter::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// Seconds in which a node measured, summed over nodes.
    Seconds => "seconds",
    /// Seconds in which any node measured: divides sums over time into levels and rates of all nodes together.
    CoveredSeconds => "covered_seconds",

    /// Requests for a stream that were let in or failed; refusals by a limit are apart.
    ConnectAttempts => "connect_attempts",
    /// Streams whose head was flushed.
    ConnectEstablished => "connect_established",
    /// Attempts that the server failed.
    ConnectFailed => "connect_failed",
    /// Attempts that a limit refused.
    ConnectRefused => "connect_refused",
    ClosedByClient => "closed_by_client",
    ClosedAtEnd => "closed_at_end",
    ClosedSlow => "closed_slow",
    ClosedIdle => "closed_idle",
    ClosedByDrain => "closed_by_drain",
    /// The ticket's time was over.
    ClosedExpired => "closed_expired",
    /// Streams that ended, for whatever reason: with `connect_established` it tells a region's open ones.
    StreamsClosed => "streams_closed",
    /// Open streams, summed each second.
    StreamSeconds => "stream_seconds",
    /// Time for which sessions were followed by polling, summed over sessions.
    PollerSeconds => "poller_seconds",
    /// Streams that the node allows, summed each second.
    MaxConnectionsSum => "max_connections_sum",
    /// Memory of Redis, bytes, summed each second in which it was known: the same Redis for all nodes.
    RedisMemorySum => "redis_memory_sum",
    RedisSeconds => "redis_seconds",

    /// Status events accepted on this node.
    Published => "published",
    /// Status events that could not be accepted because the broker was away.
    PublishFailed => "publish_failed",
    /// Messages that back ends published to Redis by themselves and that are no status.
    PlainBad => "plain_bad",
    /// The same, and good ones, but Redis or this node could not take them in.
    PlainLost => "plain_lost",
    /// Events times followers that were there when it came, snapshots and replays included.
    DeliveriesDue => "deliveries_due",
    /// Last byte handed to the kernel.
    Delivered => "delivered",
    /// Progress of a slow follower that a later event of the same stage made old.
    Conflated => "conflated",
    /// Dropped because the follower's queue was full: a failure.
    DroppedSlow => "dropped_slow",
    /// Dropped because the follower had gone: no failure, but no delivery either.
    DroppedGone => "dropped_gone",
    /// Not sent because the follower's snapshot or replay had it already.
    Repeated => "repeated",
    /// Followers told of a gap.
    Gaps => "gaps",

    StreamRequests => "stream_requests",
    /// Wire bytes of stream requests, heads included.
    StreamBytesIn => "stream_bytes_in",
    StreamBytesOut => "stream_bytes_out",
    /// Of them what it took to open streams: request, head, and what a follower is told first.
    OpeningBytes => "opening_bytes",
    PollRequests => "poll_requests",
    /// Polls answered 304.
    PollsUnchanged => "polls_unchanged",
    PollBytesIn => "poll_bytes_in",
    PollBytesOut => "poll_bytes_out",

    /// Stream and poll requests of sessions in the stream cohort (a fallback's polls are part of its cost).
    StreamCohortRequests => "stream_cohort_requests",
    StreamCohortBytes => "stream_cohort_bytes",
    /// Followed time of the cohort's sessions, summed each second.
    StreamCohortSeconds => "stream_cohort_seconds",
    PollCohortRequests => "poll_cohort_requests",
    PollCohortBytes => "poll_cohort_bytes",
    PollCohortSeconds => "poll_cohort_seconds",

    SessionsStarted => "sessions_started",
    SessionsCompleted => "sessions_completed",
    SessionsFailed => "sessions_failed",
    SessionsAbandoned => "sessions_abandoned",

    /// Sessions of the stream cohort that began here: what fallbacks are divided by.
    StreamCohortSessions => "stream_cohort_sessions",
    /// Among them, those of which a page reported a fallback.
    SessionsFellBack => "sessions_fell_back",

    Beacons => "beacons",
    /// Counted before.
    BeaconsRepeated => "beacons_repeated",
    /// Refused: not in their shape, or of no session of ours.
    BeaconsBad => "beacons_bad",
    /// Pages that were reloaded.
    Refreshes => "refreshes",
    /// Times that a user asked for the status by hand.
    StatusChecks => "status_checks",
    FallbackNoEventSource => "fallback_no_event_source",
    FallbackConnectFailed => "fallback_connect_failed",
    FallbackWatchdog => "fallback_watchdog",
    FallbackBuffered => "fallback_buffered",
    FallbackRefused => "fallback_refused",
    FallbackTooManyTabs => "fallback_too_many_tabs",

    /// Probes that were served in time.
    ProbesGood => "probes_good",
    /// Probes that were not.
    ProbesBad => "probes_bad",
    /// Probes that could not be made: they say nothing about the service.
    ProbesUnknown => "probes_unknown",

    /// Bytes that the kernel says it received and had acknowledged on connections that the meter counted whole.
    KernelBytesIn => "kernel_bytes_in",
    KernelBytesOut => "kernel_bytes_out",
    /// What the meter counted on the same connections.
    MeterBytesIn => "meter_bytes_in",
    MeterBytesOut => "meter_bytes_out",

    /// 10 s rows that were stored no more: others of their time had been dropped.
    RowsLate => "rows_late",

    /// CPU time used, microseconds.
    CpuMicros => "cpu_micros",
    /// Resident bytes, summed each second.
    MemorySum => "memory_sum",
    /// Resident bytes when the node last had no stream, summed each second.
    UnusedMemorySum => "unused_memory_sum",
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
        let mut twice = counters;
        twice.merge(&counters);
        twice.unmerge(&counters);
        assert_eq!(twice, counters);
    }
}
