//! The tool against a server that errs on purpose: every error has to be found, and nothing else.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod faulty;

use faulty::{Faults, STALL, Server};
use std::{sync::atomic::AtomicBool, time::Duration};
use streamgauge_core::load_test::{Changes, Verdict};
use streamgauge_loadtest::{Options, Outcome, resolve, run, scenario};

/// Two sessions with two followers each, ten messages a session; all have joined before the first.
const SCENARIO: &str = r#"
title = "t"
sessions = 2
streams = 4
arrivals_per_second = 100
duration = "1s"
messages_per_second = 10
"#;

fn outcome(faults: Faults) -> Outcome {
    let server = Server::start(faults);
    run(&options(&server, &server), &AtomicBool::new(false), |_| ()).expect("a run")
}

fn options(publish: &str, follow: &str) -> Options {
    Options {
        scenario: scenario::read("t", SCENARIO, "t").expect("good"),
        time_scale: 1.0,
        changes: Changes { follow_url: Some(format!("http://{follow}")), ..Changes::default() },
        url: format!("http://{publish}"),
        target: resolve(publish).expect("an address"),
        follow: resolve(follow).expect("an address"),
        key: None,
        server_pid: Some(-1),
        threads: 2,
        batch: None,
    }
}

/// The targets that were missed.
fn missed(outcome: &Outcome) -> Vec<&str> {
    let missed = outcome.findings.iter().filter(|finding| finding.verdict == Verdict::Fail);
    missed.map(|finding| finding.name.as_str()).collect()
}

#[test]
fn a_faultless_server_has_no_faults() {
    let outcome = outcome(Faults::default());
    let counts = outcome.figures.counts;
    assert_eq!(missed(&outcome), Vec::<&str>::new());
    assert_eq!((counts.established, counts.sent, counts.accepted), (4, 20, 20));
    assert_eq!((counts.delivered, counts.lost, counts.repeated, counts.ended), (40, 0, 0, 4));
    assert_eq!((counts.cut, counts.end_missing, counts.unsent), (0, 0, 0));
    // Ten polls a second of each thread, while both sessions run.
    assert!((10..=22).contains(&counts.polled) && counts.poll_failed == 0, "{counts:?}");
    // Four heads, two sessions made and completed, twenty messages: what of it falls into the busiest ten seconds is all.
    assert_eq!(outcome.figures.response_at_peak.samples, 28 + counts.polled);
}

#[test]
fn polls_that_fail_are_counted() {
    let counts = outcome(Faults { no_polls: true, ..Faults::default() }).figures.counts;
    assert!(counts.polled >= 10 && counts.poll_failed == counts.polled, "{counts:?}");
}

#[test]
fn what_is_published_together_is_told_apart() {
    let faults = Faults { refuse: Some(4), lose: Some(6), ..Faults::default() };
    let server = Server::start(faults);
    let options = Options { batch: Some(Duration::from_millis(250)), ..options(&server, &server) };
    let figures = run(&options, &AtomicBool::new(false), |_| ()).expect("a run").figures;
    let counts = figures.counts;
    assert_eq!((counts.sent, counts.accepted, counts.publish_refused), (20, 18, 2));
    assert_eq!((counts.delivered, counts.lost, counts.ended), (32, 4, 4));
    assert!(figures.answer.samples < 20, "{} answers", figures.answer.samples);
}

#[test]
fn each_of_two_nodes_has_its_part() {
    let [publish, follow] = Server::start_two(Faults { cut: Some(2), ..Faults::default() });
    let outcome = run(&options(&publish, &follow), &AtomicBool::new(false), |_| ()).expect("a run");
    let counts = outcome.figures.counts;
    assert_eq!((counts.accepted, counts.publish_failed, counts.connect_failed), (20, 0, 0));
    assert_eq!((counts.established, counts.cut, counts.delivered, counts.lost), (8, 4, 40, 0));
    assert_eq!(missed(&outcome), ["Streams cut"]);
}

#[test]
fn a_node_that_does_not_answer_is_named() {
    let server = Server::start(Faults::default());
    let error = run(&options(&server, "127.0.0.1:1"), &AtomicBool::new(false), |_| ()).err();
    let error = error.expect("nobody listens there").to_string();
    assert!(error.contains("http://127.0.0.1:1 cannot be reached"), "{error}");
}

#[test]
fn losses_and_repetitions_are_counted_exactly() {
    let counts = outcome(Faults { lose: Some(3), repeat: Some(5), ..Faults::default() }).figures.counts;
    assert_eq!((counts.delivered, counts.lost, counts.repeated, counts.ended), (36, 4, 4, 4));
    assert_eq!(counts.skipped, 4);
}

#[test]
fn the_last_message_can_be_lost_too() {
    let counts = outcome(Faults { lose: Some(10), ..Faults::default() }).figures.counts;
    assert_eq!((counts.delivered, counts.lost, counts.skipped), (36, 4, 0));
}

#[test]
fn what_was_refused_is_due_to_nobody() {
    let outcome = outcome(Faults { refuse: Some(4), ..Faults::default() });
    let counts = outcome.figures.counts;
    assert_eq!((counts.accepted, counts.publish_refused), (18, 2));
    assert_eq!((counts.delivered, counts.lost), (36, 0));
    assert_eq!(missed(&outcome), ["Messages refused"]);
}

#[test]
fn a_cut_stream_comes_back_and_misses_nothing() {
    let counts = outcome(Faults { cut: Some(2), ..Faults::default() }).figures.counts;
    assert_eq!((counts.cut, counts.connect_attempts, counts.established), (4, 8, 8));
    assert_eq!((counts.delivered, counts.lost, counts.repeated, counts.ended), (40, 0, 0, 4));
}

#[test]
fn an_end_that_is_not_told_is_missed() {
    let outcome = outcome(Faults { no_end: true, ..Faults::default() });
    assert_eq!((outcome.figures.counts.ended, outcome.figures.counts.end_missing), (0, 4));
    assert!(!outcome.passed);
}

/// A thousand messages, of which six hundred are due while the server stalls. Sixty-four go out all the same.
#[test]
fn a_stall_is_told_by_what_was_due_meanwhile() {
    let server = Server::start(Faults { stall: Some(100), ..Faults::default() });
    let scenario = SCENARIO
        .replace("sessions = 2", "sessions = 1")
        .replace("streams = 4", "streams = 1")
        .replace("messages_per_second = 10", "messages_per_second = 1000");
    let scenario = scenario::read("t", &scenario, "t").expect("good");
    let options = Options { scenario, threads: 1, ..options(&server, &server) };
    let figures = run(&options, &AtomicBool::new(false), |_| ()).expect("a run").figures;
    let counts = figures.counts;
    assert_eq!((counts.sent, counts.delivered, counts.lost, counts.unsent), (1_000, 1_000, 0, 0));
    let (due, sent, stall) = (figures.latency, figures.latency_sent, STALL.as_secs_f64() * 1_000.0);
    assert_eq!((due.samples, sent.samples), (1_000, 1_000));
    assert!(due.p90_ms > Some(stall * 0.75) && due.p50_ms > Some(stall * 0.1), "{due:?}");
    assert!(sent.p90_ms < Some(stall * 0.4) && sent.max_ms > Some(stall * 0.9), "{sent:?}");
}
