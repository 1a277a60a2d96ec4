use crate::{
    fake::{Fake, NOW},
    render::get,
};
use streamgauge_core::load_test::{
    Changes, Counts, Figures, Finding, Outcome, Point, Row, ServerFigures, Step, Summary, Verdict,
};

/// Newest first: bursts with a slow one among them, a longer one of other options, and one that was broken off.
pub fn rows() -> Vec<Row> {
    let p95 = [8.2, 31.0, 9.4, 9.1, 12.6, 14.0, 13.1, 15.9];
    let bursts = p95.into_iter().enumerate().map(|(n, p95)| Row {
        id: 9 - n as i64,
        started_at: (NOW - n as i64 * 86_400) * 1_000,
        delivery_p95_ms: Some(p95),
        passed: n != 1,
        missed: if n == 1 { 2 } else { 0 },
        lost: if n == 1 { 12 } else { 0 },
        ..row("burst", "--streams 500 --time-scale 0.1")
    });
    let broken = Row { id: 11, interrupted: true, deliveries: 12, ..row("burst", "") };
    let ramp = Row { id: 10, memory_mb_per_100_streams: None, ..row("ramp", "") };
    [broken, ramp].into_iter().chain(bursts).collect()
}

fn row(scenario: &str, options: &str) -> Row {
    Row {
        id: 0,
        scenario: scenario.into(),
        options: options.into(),
        title: "Message <Burst> Test".into(),
        started_at: NOW * 1_000,
        node: "fra-1".into(),
        server_version: "0.1.0".into(),
        time_scale: 0.1,
        passed: true,
        interrupted: false,
        missed: 0,
        unjudged: 1,
        peak_streams: 500,
        deliveries: 1_204_100,
        delivery_p95_ms: Some(8.2),
        delivery_p99_ms: Some(20.0),
        connects: 500,
        connect_p95_ms: Some(31.0),
        lost: 0,
        repeated: 0,
        memory_mb_per_100_streams: Some(0.07),
        cpu_peak_percent: Some(21.0),
    }
}

pub fn outcome(row: &Row) -> Outcome {
    let times = Summary {
        samples: row.deliveries,
        p50_ms: Some(3.1),
        p90_ms: Some(6.0),
        p95_ms: row.delivery_p95_ms,
        p99_ms: row.delivery_p99_ms,
        p999_ms: Some(41.0),
        max_ms: Some(62.0),
    };
    let finding = |name: &str, target: &str, measured, unit: &str, samples_of: &str, verdict| Finding {
        name: name.into(),
        target: target.into(),
        measured,
        unit: unit.into(),
        samples: row.deliveries,
        samples_of: samples_of.into(),
        verdict,
        note: measured.is_none().then(|| "the server's process cannot be read from here".into()),
    };
    let point = |n: u64| Point {
        at_s: n,
        p50_ms: Some(3.0),
        p95_ms: Some(8.0 + (n % 5) as f64),
        p99_ms: Some(18.0 + (n % 7) as f64),
        streams: (n * 100).min(500) as u32,
        deliveries_per_second: if n < 6 { 0.0 } else { 40_000.0 },
        messages_per_second: if n < 6 { 0.0 } else { 4_000.0 },
        pss_mb: n.is_multiple_of(2).then_some(40.0 + n as f64 / 10.0),
        rss_mb: None,
        cpu_percent: Some(42.0),
    };
    Outcome {
        version: Outcome::VERSION,
        scenario: row.scenario.clone(),
        title: row.title.clone(),
        url: "http://127.0.0.1:3000".into(),
        time_scale: 0.1,
        changes: Changes { streams: Some(500), ..Changes::default() },
        started_at: row.started_at,
        interrupted: row.interrupted,
        passed: row.passed,
        findings: vec![
            finding("Connection establishment", "< 200 ms p95", Some(31.0), "ms", "streams", Verdict::Pass),
            finding(
                "Message delivery latency",
                "< 100 ms p95",
                row.delivery_p95_ms,
                "ms",
                "deliveries",
                Verdict::Pass,
            ),
            finding("CPU under load", "< 30 % at peak", None, "%", "seconds", Verdict::NotMeasured),
            finding(
                "Messages lost",
                "0",
                Some(row.lost as f64),
                "",
                "deliveries due",
                if row.lost > 0 { Verdict::Fail } else { Verdict::Pass },
            ),
        ],
        figures: Figures {
            streams_asked: 500,
            sessions_asked: 50,
            peak_streams: 500,
            seconds: 36,
            counts: Counts { delivered: row.deliveries, held_back: 7, ..Counts::default() },
            latency: times,
            latency_sent: times,
            last_delivery: times,
            connect: times,
            connect_began: times,
            answer: times,
            server: Some(ServerFigures { cores: 2, peak_pss_mb: Some(44.0), ..ServerFigures::default() }),
            steps: vec![Step {
                messages_per_second: 125.0,
                deliveries_per_second: 1_250.0,
                p95_ms: Some(101.0),
                p99_ms: Some(140.0),
                samples: 12_500,
                held: false,
                why: Some("p95 passed 100 ms".into()),
            }],
            ..Figures::default()
        },
        timeline: (0..36).map(point).collect(),
    }
}

#[tokio::test]
async fn runs_are_listed_with_their_verdict_and_their_trend() {
    let page = get("/load-tests", Fake::default()).await;
    assert_eq!(page.status, 200);
    for expected in [
        "10 runs kept",
        "23 Nov 2026, 14:42:07",
        "2 targets missed",
        "none missed, 1 not judged",
        "interrupted",
        "too few",
        "1,204,100",
        "\u{25be} 23 ms better than the run before",
        "Delivery p95, ms, linear; 8 runs, Mon 16 Nov to Mon 23 Nov",
    ] {
        page.says(expected);
    }
    page.has("aria-label=\"Delivery p95 of 8 runs, the oldest first: 16 ms, 13 ms, 14 ms, 13 ms, 9.1 ms, 9.4 ms, 31 ms, 8.2 ms.\"");
    assert_eq!(page.html.matches("class=\"dot missed\"").count(), 1);
    page.has("href=\"/load-tests/11\"");
}

#[tokio::test]
async fn one_scenario_has_an_address_of_its_own() {
    let page = get("/load-tests?scenario=ramp", Fake::default()).await;
    page.says("1 run kept of ramp");
    page.says("All scenarios");
    get("/load-tests?scenario=%3Cb%3E", Fake::default()).await.says("No run of this scenario is kept.");
}

#[tokio::test]
async fn an_empty_list_says_what_to_run() {
    let page = get("/load-tests", Fake::fresh()).await;
    page.says("No load test is kept yet.");
    page.says("streamgauge loadtest burst --time-scale 0.1 --url http://localhost:3000");
}

#[tokio::test]
async fn a_run_shows_its_targets_its_course_and_its_command() {
    let page = get("/load-tests/9", Fake::default()).await;
    assert_eq!(page.status, 200);
    for expected in [
        "Message &lt;Burst&gt; Test",
        "23 Nov 2026, 14:42:07 UTC",
        "kept by fra-1, v0.1.0",
        "23 ms better than the run before: run 8 (31 ms)",
        "n = 1,204,100 deliveries",
        "not measured",
        "the server's process cannot be read from here",
        "7 messages left late",
        "p95 passed 100 ms",
        "n = 36 steps of 1 s",
        "n = 18 readings",
        "streamgauge loadtest burst --streams 500 --time-scale 0.1 --url http://127.0.0.1:3000",
    ] {
        page.says(expected);
    }
    page.has("aria-label=\"Latency. p95: from 8.0 to 12 ms.\"");
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_read() {
    for nowhere in ["/load-tests/77", "/load-tests/x"] {
        let page = get(nowhere, Fake::default()).await;
        assert_eq!(page.status, 404, "{nowhere}");
        page.says("No such load test");
    }
    let page = get("/load-tests", Fake::down()).await;
    assert_eq!(page.status, 503);
    page.says("which cannot be reached");
}

#[tokio::test]
async fn plain_pages_bring_no_wasm_and_are_left_by_whole_loads() {
    for path in ["/load-tests", "/load-tests/9", "/login", "/s/tr-9f31"] {
        let page = get(path, Fake::default()).await;
        assert!(!page.html.contains("wasm") && !page.policy.contains("wasm"), "{path}");
    }
    // The browser's build has no route to it.
    let link = "href=\"/load-tests\" rel=\"external\"";
    get("/", Fake::default()).await.has(link);
    get("/load-tests", Fake::default()).await.has(&format!("{link} aria-current=\"page\""));
}
