//! Every counter's name. What differs only by a reason, a way or a cohort is one metric with that label.

use super::{Family, PREFIX, Point, Unit, Values};
use crate::metric::measure::counters::{Counter, Counters};
use Counter as C;

struct Named {
    /// Without the prefix.
    name: &'static str,
    unit: Unit,
    help: &'static str,
    of: Series,
}

enum Series {
    Alone(Counter),
    By(&'static str, &'static [(&'static str, Counter)]),
}
use Series::{Alone, By};

const fn named(name: &'static str, unit: Unit, of: Series, help: &'static str) -> Named {
    Named { name, unit, help, of }
}

#[rustfmt::skip]
const NAMED: &[Named] = &[
    named("measured_seconds", Unit::Seconds, Alone(C::Seconds),
        "Seconds that were measured."),

    named("stream_attempts", Unit::One, Alone(C::ConnectAttempts),
        "Requests for a stream that were let in or failed; refusals by a limit are apart."),
    named("streams_opened", Unit::One, Alone(C::ConnectEstablished),
        "Streams whose head was flushed."),
    named("streams_failed", Unit::One, Alone(C::ConnectFailed),
        "Requests for a stream that the server failed."),
    named("streams_refused", Unit::One, Alone(C::ConnectRefused),
        "Requests for a stream that a limit refused."),
    named("streams_closed", Unit::One, By("reason", &[
        ("client", C::ClosedByClient), ("end", C::ClosedAtEnd), ("slow", C::ClosedSlow), ("idle", C::ClosedIdle),
        ("drain", C::ClosedByDrain), ("expired", C::ClosedExpired),
    ]), "Streams that ended."),
    named("stream_time_seconds", Unit::Seconds, Alone(C::StreamSeconds),
        "Open streams, summed over the measured seconds."),
    named("poller_time_seconds", Unit::Seconds, Alone(C::PollerSeconds),
        "Time for which sessions were followed by polling, on whichever nodes, summed over sessions."),

    named("events_published", Unit::One, Alone(C::Published),
        "Status events accepted on this node."),
    named("events_refused", Unit::One, Alone(C::PublishFailed),
        "Status events that could not be accepted because Redis was away."),
    named("plain_messages_dropped", Unit::One, By("reason", &[
        ("bad", C::PlainBad), ("lost", C::PlainLost),
    ]), "Messages that back ends published to Redis by themselves: no status, or not taken in."),
    named("deliveries_due", Unit::One, Alone(C::DeliveriesDue),
        "Events times the followers that were there: made, plus those not made."),
    named("deliveries", Unit::One, Alone(C::Delivered),
        "Deliveries whose last byte was handed to the kernel."),
    named("deliveries_not_made", Unit::One, By("reason", &[
        ("conflated", C::Conflated), ("slow", C::DroppedSlow), ("gone", C::DroppedGone), ("repeated", C::Repeated),
    ]), "Deliveries that were due and not made; only those to slow followers are failures."),
    named("gaps", Unit::One, Alone(C::Gaps),
        "Followers told that events are missing."),

    named("requests", Unit::One, By("way", &[
        ("stream", C::StreamRequests), ("poll", C::PollRequests),
    ]), "Requests to follow a session."),
    named("received_bytes", Unit::Bytes, By("way", &[
        ("stream", C::StreamBytesIn), ("poll", C::PollBytesIn),
    ]), "Bytes on the wire of requests to follow, heads included."),
    named("sent_bytes", Unit::Bytes, By("way", &[
        ("stream", C::StreamBytesOut), ("poll", C::PollBytesOut),
    ]), "Bytes on the wire of the answers to them, heads included."),
    named("stream_opening_bytes", Unit::Bytes, Alone(C::OpeningBytes),
        "Of the bytes of streams what it took to open them: request, head, and what is told first."),
    named("polls_unchanged", Unit::One, Alone(C::PollsUnchanged),
        "Polls answered 304."),

    named("cohort_requests", Unit::One, By("cohort", &[
        ("stream", C::StreamCohortRequests), ("poll", C::PollCohortRequests),
    ]), "Requests to follow sessions of the cohort, whichever way."),
    named("cohort_bytes", Unit::Bytes, By("cohort", &[
        ("stream", C::StreamCohortBytes), ("poll", C::PollCohortBytes),
    ]), "Bytes on the wire of both directions for sessions of the cohort."),
    named("cohort_followed_seconds", Unit::Seconds, By("cohort", &[
        ("stream", C::StreamCohortSeconds), ("poll", C::PollCohortSeconds),
    ]), "Time for which sessions of the cohort had a follower, summed over sessions."),

    named("sessions_started", Unit::One, Alone(C::SessionsStarted),
        "Sessions that began on this node."),
    named("sessions_ended", Unit::One, By("reason", &[
        ("completed", C::SessionsCompleted), ("failed", C::SessionsFailed), ("abandoned", C::SessionsAbandoned),
    ]), "Sessions that ended."),
    named("stream_cohort_sessions", Unit::One, Alone(C::StreamCohortSessions),
        "Sessions told to stream that began on this node."),
    named("sessions_fell_back", Unit::One, Alone(C::SessionsFellBack),
        "Sessions told to stream of which a page reported that it polls."),

    named("fallbacks", Unit::One, By("reason", &[
        ("no_event_source", C::FallbackNoEventSource), ("connect_failed", C::FallbackConnectFailed),
        ("watchdog", C::FallbackWatchdog), ("buffered", C::FallbackBuffered), ("refused", C::FallbackRefused),
        ("too_many_tabs", C::FallbackTooManyTabs),
    ]), "Fallbacks to polling that pages reported."),
    named("beacons", Unit::One, Alone(C::Beacons),
        "Reports of pages that were counted."),
    named("beacons_ignored", Unit::One, By("reason", &[
        ("repeated", C::BeaconsRepeated), ("bad", C::BeaconsBad),
    ]), "Reports of pages that were counted before or are none."),
    named("probes", Unit::One, By("result", &[
        ("good", C::ProbesGood), ("bad", C::ProbesBad), ("unknown", C::ProbesUnknown),
    ]), "Streams that the node opened to itself; an unknown one could not be tried."),
    named("socket_bytes", Unit::Bytes, By("source", &[
        ("meter_in", C::MeterBytesIn), ("kernel_in", C::KernelBytesIn),
        ("meter_out", C::MeterBytesOut), ("kernel_out", C::KernelBytesOut),
    ]), "Bytes of connections that ended, as the server and as the kernel counted them."),
    named("rows_late", Unit::One, Alone(C::RowsLate),
        "Rows of 10 s that came to PostgreSQL after others of their time were dropped, and were left out."),
    named("page_refreshes", Unit::One, Alone(C::Refreshes),
        "Pages that were reloaded."),
    named("status_checks", Unit::One, Alone(C::StatusChecks),
        "Times that a user asked for the status by hand."),
];

/// Those that the process's own metrics say, exactly and from its start; and what only rows by region or of several
/// nodes tell.
#[cfg(test)]
const ELSEWHERE: &[Counter] = &[
    C::CpuMicros,
    C::MemorySum,
    C::UnusedMemorySum,
    C::MaxConnectionsSum,
    C::RedisMemorySum,
    C::RedisSeconds,
    C::CoveredSeconds,
    C::StreamsClosed,
];

/// All counters, also those that are zero: a series that appears late has no rate.
pub fn counters(total: &Counters) -> impl Iterator<Item = Family> + '_ {
    let value = |counter| total.get(counter) as f64;
    NAMED.iter().map(move |named| {
        let points = match named.of {
            Alone(counter) => vec![Point { label: None, value: value(counter) }],
            By(label, of) => {
                let point = |&(name, counter): &(&'static str, Counter)| Point {
                    label: Some((label, name.into())),
                    value: value(counter),
                };
                of.iter().map(point).collect()
            }
        };
        let name = format!("{PREFIX}{}", named.name).into();
        Family { name, unit: named.unit, help: named.help, values: Values::Counter(points) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_exported_once() {
        let of = NAMED.iter().flat_map(|named| match named.of {
            Alone(counter) => vec![counter],
            By(_, of) => of.iter().map(|(_, counter)| *counter).collect(),
        });
        let mut exported: Vec<&str> = of.chain(ELSEWHERE.iter().copied()).map(Counter::name).collect();
        let mut all: Vec<&str> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        exported.sort_unstable();
        all.sort_unstable();
        assert_eq!(exported, all, "give it a name in NAMED");
    }

    #[test]
    fn a_name_ends_with_its_unit() {
        for family in counters(&Counters::default()) {
            let ends = family.unit.as_str().is_none_or(|unit| family.name.ends_with(&format!("_{unit}")));
            assert!(ends && family.name.starts_with(PREFIX), "{}", family.name);
        }
    }
}
