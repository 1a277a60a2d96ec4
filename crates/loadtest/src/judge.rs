//! The epic's benchmarks, and what of them was met.

use crate::{limit, scenario::Scenario};
use streamgauge_core::{
    load_test::{Figures, Finding, MEMORY_DRIFT, Summary, Verdict},
    metric::{
        kpi::thousands,
        numbers::{self, PERCENTILE_FLOOR, RATE_FLOOR},
        table::Metric,
    },
};

const fn target(metric: Metric) -> f64 {
    match metric.target() {
        Some(target) => target,
        None => panic!("a benchmark of the epic needs a target"),
    }
}

/// "Connection Establishment: 95th percentile < 200ms".
pub const CONNECT_P95_MS: f64 = target(Metric::ConnectionEstablishmentP95);
/// "Message Delivery: 95th percentile < 100ms".
pub const DELIVERY_P95_MS: f64 = target(Metric::DeliveryLatencyP95);
/// "Concurrent Connections: 500+ stable".
pub const CONCURRENT: u32 = target(Metric::ActiveConnections) as u32;
/// "Memory Usage Growth: < 2MB per 100 connections".
pub const MEMORY_MB: f64 = 2.0;
/// "CPU Usage Under Load: < 30% at peak".
pub const CPU_PERCENT: f64 = 30.0;
/// "Error Rate: < 0.1%".
pub const ERROR_PERCENT: f64 = target(Metric::ErrorRate);
/// "<100ms response time under peak load", story 4.3.
pub const RESPONSE_P95_MS: f64 = 100.0;
/// An idle server's memory stays as it is: the last quarter of the time against the first.
pub const DRIFT_PERCENT: f64 = 2.0;
/// "high message volume (1000+ msg/sec)", story 4.3.
pub const MESSAGES: f64 = 1_000.0;

/// Streams under which a server's other memory hides theirs.
const MEMORY_FLOOR: u64 = 100;
/// Seconds of CPU time measured under which a peak says nothing.
const CPU_FLOOR: u64 = 5;

/// The table. Its first six lines are the epic's, in the epic's order.
pub fn findings(scenario: &Scenario, figures: &Figures) -> Vec<Finding> {
    let counts = &figures.counts;
    let stepwise = scenario.limit.is_some();
    let line = |name: &str, target: String, unit: &str, samples_of: &str| Finding {
        name: name.to_owned(),
        target,
        measured: None,
        unit: unit.to_owned(),
        samples: 0,
        samples_of: samples_of.to_owned(),
        verdict: Verdict::NotMeasured,
        note: None,
    };
    let without = |finding: Finding, why: &str| Finding { note: Some(why.to_owned()), ..finding };
    let judged =
        |finding: Finding, value: Option<f64>, samples: u64, floor: u64, good: &dyn Fn(f64) -> bool| {
            let verdict = match value {
                Some(_) if samples < floor => Verdict::NotEnoughData,
                None => Verdict::NotEnoughData,
                Some(value) if good(value) => Verdict::Pass,
                Some(_) => Verdict::Fail,
            };
            Finding { measured: value, samples, verdict, ..finding }
        };
    const ON_PURPOSE: &str = "this scenario goes past the limit on purpose";
    const ELSEWHERE: &str = "the server's process cannot be read from here";

    let connect = line("Connection establishment", format!("< {CONNECT_P95_MS} ms p95"), "ms", "streams");
    let connect = judged(connect, figures.connect.p95_ms, figures.connect.samples, PERCENTILE_FLOOR, &|ms| {
        ms < CONNECT_P95_MS
    });

    let delivery =
        line("Message delivery latency", format!("< {DELIVERY_P95_MS} ms p95"), "ms", "deliveries");
    let delivery = if stepwise {
        without(delivery, ON_PURPOSE)
    } else {
        judged(delivery, figures.latency.p95_ms, figures.latency.samples, PERCENTILE_FLOOR, &|ms| {
            ms < DELIVERY_P95_MS
        })
    };

    let open = line("Concurrent connections", format!("{CONCURRENT}+ stable"), "streams", "seconds");
    let open = if figures.streams_asked < CONCURRENT {
        without(open, &format!("{} streams were asked for", figures.streams_asked))
    } else {
        let stable = counts.cut == 0 || stepwise;
        let note = (!stable).then(|| format!("{} streams were cut", thousands(counts.cut)));
        let peak = Some(f64::from(figures.peak_streams));
        Finding {
            note,
            ..judged(open, peak, figures.seconds, 1, &|peak| peak >= f64::from(CONCURRENT) && stable)
        }
    };

    let memory = line("Memory growth", format!("< {MEMORY_MB} MB per 100 connections"), "MB", "streams");
    let memory = match &figures.server {
        None => without(memory, ELSEWHERE),
        Some(server) if server.memory_streams > 0 && server.mb_per_100_streams.is_none() => Finding {
            verdict: Verdict::NotEnoughData,
            ..without(memory, "the server still held memory of an earlier load; start it anew")
        },
        Some(server) => Finding {
            // A high one is an earlier load's, and hides what this one took.
            note: server.baseline_mb.map(|mb| format!("over {mb:.0} MB before the first")),
            ..judged(memory, server.mb_per_100_streams, server.memory_streams, MEMORY_FLOOR, &|mb| {
                mb < MEMORY_MB
            })
        },
    };

    let cpu = line("CPU under load", format!("< {CPU_PERCENT} % at peak"), "%", "seconds");
    let cpu = match &figures.server {
        None => without(cpu, ELSEWHERE),
        Some(_) if stepwise => without(cpu, ON_PURPOSE),
        Some(server) => Finding {
            note: Some(format!("of this machine's {} cores, busiest 10 s", server.cores)),
            ..judged(cpu, server.cpu_peak_percent, server.cpu_seconds_measured, CPU_FLOOR, &|cpu| {
                cpu < CPU_PERCENT
            })
        },
    };

    let errors = line("Error rate", format!("< {ERROR_PERCENT} %"), "%", "operations");
    let errors = if stepwise {
        without(errors, ON_PURPOSE)
    } else {
        let (attempts, due) =
            (counts.connect_attempts - counts.connect_refused, counts.delivered + counts.lost + counts.sent);
        let (attempts, failed) = (attempts + counts.polled, counts.connect_failed + counts.poll_failed);
        let rate = numbers::error_rate(failed, counts.lost + counts.publish_failed, attempts, due);
        judged(errors, rate, attempts + due, RATE_FLOOR, &|rate| rate < ERROR_PERCENT)
    };

    let response = line("Response at peak", format!("< {RESPONSE_P95_MS} ms p95"), "ms", "responses");
    let response = if stepwise {
        without(response, ON_PURPOSE)
    } else {
        let Summary { samples, p95_ms, .. } = figures.response_at_peak;
        Finding {
            note: Some("stream heads, polls and publishes, busiest 10 s".into()),
            ..judged(response, p95_ms, samples, PERCENTILE_FLOOR, &|ms| ms < RESPONSE_P95_MS)
        }
    };

    let mut all = vec![connect, delivery, open, memory, cpu, errors, response];
    if scenario.name == "idle" {
        let drift = line(MEMORY_DRIFT, format!("at most +{DRIFT_PERCENT} %"), "%", "streams");
        all.push(match &figures.server {
            None => without(drift, ELSEWHERE),
            Some(server) if server.memory_drift_percent.is_none() => Finding {
                verdict: Verdict::NotEnoughData,
                ..without(drift, "it takes 1,000 streams, all open for half an hour")
            },
            Some(server) => {
                judged(drift, server.memory_drift_percent, server.memory_streams, 1, &|percent| {
                    percent <= DRIFT_PERCENT
                })
            }
        });
    }
    if stepwise {
        let held = limit::held(&figures.steps);
        let line = line(
            "Rate held",
            format!("{}+ messages/s", thousands(MESSAGES as u64)),
            "messages/s",
            "deliveries",
        );
        let samples = held.map_or(0, |step| step.samples);
        let verdict = judged(
            line,
            held.map(|step| step.messages_per_second.floor()).or(Some(0.0)),
            samples,
            0,
            &|rate| rate >= MESSAGES,
        );
        let why = figures.steps.last().and_then(|step| step.why.clone());
        all.push(Finding { note: why.or(Some("the scenario ended before anything gave".into())), ..verdict });
    } else {
        let none = |name, samples_of, value: u64, samples| {
            let line = line(name, "0".into(), "", samples_of);
            judged(line, Some(value as f64), samples, 1, &|value| value == 0.0)
        };
        all.push(none("Streams refused", "streams", counts.connect_refused, counts.connect_attempts));
        all.push(none("Streams cut", "streams", counts.cut, counts.established));
        all.push(none(
            "Messages refused",
            "messages",
            counts.publish_refused,
            counts.accepted + counts.publish_refused,
        ));
        all.push(none("Messages lost", "deliveries due", counts.lost, counts.delivered + counts.lost));
        let announced = counts.announced_missing;
        all.push(none("Messages behind a gap", "deliveries due", announced, counts.delivered + announced));
        all.push(none("Messages repeated", "deliveries", counts.repeated, counts.delivered));
        all.push(none("Messages not sent in time", "messages", counts.unsent, counts.sent + counts.unsent));
        all.push(none(
            "Streams not told of the end",
            "streams",
            counts.end_missing,
            counts.ended + counts.end_missing,
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{EMBEDDED, read};
    use streamgauge_core::load_test::{Counts, ServerFigures};

    fn figures() -> Figures {
        let summary = |p95| Summary { samples: 1_000, p95_ms: Some(p95), ..Summary::default() };
        Figures {
            streams_asked: 500,
            peak_streams: 500,
            seconds: 60,
            counts: Counts {
                connect_attempts: 500,
                established: 500,
                sent: 1_000,
                accepted: 1_000,
                delivered: 10_000,
                ended: 500,
                ..Counts::default()
            },
            connect: summary(20.0),
            latency: summary(9.0),
            response_at_peak: summary(12.0),
            server: Some(ServerFigures {
                cores: 2,
                mb_per_100_streams: Some(1.2),
                memory_streams: 500,
                cpu_peak_percent: Some(12.0),
                cpu_seconds_measured: 60,
                ..ServerFigures::default()
            }),
            ..Figures::default()
        }
    }

    fn check(name: &str, change: impl Fn(&mut Figures), expected: Verdict) {
        check_of(1, name, change, expected);
    }

    fn check_of(scenario: usize, name: &str, change: impl Fn(&mut Figures), expected: Verdict) {
        let (scenario, text) = EMBEDDED[scenario];
        let scenario = read(scenario, text, scenario).expect("good");
        let mut figures = figures();
        change(&mut figures);
        let finding =
            findings(&scenario, &figures).into_iter().find(|finding| finding.name == name).expect(name);
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }

    #[test]
    fn each_target_can_be_met_and_missed() {
        use Verdict::{Fail, NotEnoughData, NotMeasured, Pass};
        for (name, miss) in [
            ("Connection establishment", (|f| f.connect.p95_ms = Some(200.0)) as fn(&mut Figures)),
            ("Message delivery latency", |f| f.latency.p95_ms = Some(100.0)),
            ("Concurrent connections", |f| f.peak_streams = 499),
            ("Concurrent connections", |f| f.counts.cut = 1),
            ("Memory growth", |f| f.server.as_mut().expect("local").mb_per_100_streams = Some(2.0)),
            ("CPU under load", |f| f.server.as_mut().expect("local").cpu_peak_percent = Some(30.0)),
            ("Error rate", |f| f.counts.lost = 12),
            ("Error rate", |f| f.counts.publish_failed = 12),
            ("Error rate", |f| f.counts.poll_failed = 12),
            ("Response at peak", |f| f.response_at_peak.p95_ms = Some(100.0)),
            ("Streams cut", |f| f.counts.cut = 1),
            ("Messages refused", |f| f.counts.publish_refused = 1),
            ("Messages behind a gap", |f| f.counts.announced_missing = 1),
            ("Messages lost", |f| f.counts.lost = 1),
            ("Messages repeated", |f| f.counts.repeated = 1),
            ("Messages not sent in time", |f| f.counts.unsent = 1),
            ("Streams not told of the end", |f| f.counts.end_missing = 1),
        ] {
            check(name, |_| (), Pass);
            check(name, miss, Fail);
        }
        check("Message delivery latency", |f| f.latency.samples = 19, NotEnoughData);
        check("Response at peak", |f| f.response_at_peak.samples = 19, NotEnoughData);
        check_of(4, "Response at peak", |_| (), NotMeasured);
        check("Memory growth", |f| f.server.as_mut().expect("local").memory_streams = 99, NotEnoughData);
        check(
            "Memory growth",
            |f| f.server.as_mut().expect("local").mb_per_100_streams = None,
            NotEnoughData,
        );
        check("Memory growth", |f| f.server = None, NotMeasured);
        check("CPU under load", |f| f.server = None, NotMeasured);
        check("Concurrent connections", |f| f.streams_asked = 50, NotMeasured);
        check("Error rate", |f| f.counts.connect_refused = 400, Pass);
    }

    #[test]
    fn memory_that_grows_is_a_miss_for_idle_streams_only() {
        let check = |percent: Option<f64>, expected| {
            let drift = |f: &mut Figures| f.server.as_mut().expect("local").memory_drift_percent = percent;
            check_of(3, MEMORY_DRIFT, drift, expected);
        };
        check(Some(-4.0), Verdict::Pass);
        check(Some(2.0), Verdict::Pass);
        check(Some(2.1), Verdict::Fail);
        check(None, Verdict::NotEnoughData);
        check_of(3, MEMORY_DRIFT, |f| f.server = None, Verdict::NotMeasured);
        let burst = findings(&read("burst", EMBEDDED[1].1, "burst").expect("good"), &figures());
        assert!(burst.iter().all(|finding| finding.name != MEMORY_DRIFT));
    }

    #[test]
    fn figures_are_shown_with_their_unit() {
        let shown = |value, unit: &str| {
            Finding {
                measured: value,
                unit: unit.into(),
                ..findings(&read("burst", EMBEDDED[1].1, "b").expect("good"), &figures()).remove(0)
            }
            .shown()
        };
        assert_eq!(shown(Some(12.345), "ms"), "12.3 ms");
        assert_eq!(shown(Some(0.0123), "%"), "0.012 %");
        assert_eq!(shown(Some(10_500.0), "streams"), "10,500 streams");
        assert_eq!(shown(None, "ms"), "–");
    }
}
