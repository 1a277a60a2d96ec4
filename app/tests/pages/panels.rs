//! The Overview's quieter panels and the pages that stand behind them.

use crate::{
    fake::{Fake, NOW},
    render::get,
};
use streamgauge_core::{
    metric::{
        beacon::FallbackReason,
        fallback::{Analysis, Fallbacks, Seen},
        numbers::{Basis, Reduction},
        range::View,
        sla::{Counted, Day, Level, Objective, STRIP_DAYS},
        sources::{Account, Pair, Tolerance},
        table::{Entry, Metric},
    },
    page::{
        annotation::{Annotation, AnnotationKind},
        panels::{Panels, RegionHealth},
    },
    savings::{MicroUsd, Prices, Saved},
    session::{
        cohort::Cohort,
        ids::SessionId,
        status::State,
        timeline::{Mark, MarkKind, Timeline},
    },
};

pub fn annotations(from: i64, to: i64) -> Vec<Annotation> {
    let at = from + (to - from) * 6 / 10;
    vec![Annotation {
        id: 1,
        at,
        kind: AnnotationKind::Restart,
        node: "fra-2".into(),
        text: "fra-2 restarted <now>".into(),
        author: String::new(),
    }]
}

fn level(objective: Objective, value: f64, all: u64, bad: u64) -> Level {
    let windows = [(all / 8_640, 0), (all / 720, 0), (all / 120, bad / 100), (all / 10, bad / 10)];
    Level::of(objective, Some(value), Counted { all, bad }, windows.map(|(all, bad)| Counted { all, bad }))
}

fn fallbacks(from: i64, to: i64) -> Analysis {
    let some = |count, reason, region: &str, browser: &str| Fallbacks {
        reason,
        browser: browser.into(),
        region: region.into(),
        route: "/meetings/:id".into(),
        count,
        since: from + (to - from) * 60 / 100,
    };
    let fallbacks = [
        some(58, FallbackReason::Watchdog, "ap-south", "Chrome"),
        some(13, FallbackReason::Watchdog, "eu-central", "Firefox"),
        some(46, FallbackReason::Buffered, "us-east", "Edge"),
    ];
    let mut over_time: Vec<(i64, u64)> =
        (0..30).map(|n| (from + (to - from) * (60 + n) / 1_000 * 10, 3)).collect();
    over_time[0].1 += 27;
    let seen = |region: &str, browser: &str, pages| Seen {
        region: region.into(),
        browser: browser.into(),
        route: "/meetings/:id".into(),
        pages,
    };
    let seen = [
        seen("ap-south", "Chrome", 196),
        seen("eu-central", "Firefox", 1_204),
        seen("us-east", "Edge", 1_011),
    ];
    Analysis {
        fell_back: 175,
        sessions: 4_170,
        ..Analysis::of(&fallbacks, &seen, &over_time, (from, to, 10))
    }
}

pub fn panels(view: View, fresh: bool) -> Panels {
    let (from, to) = view.range.window(NOW);
    let region = |name: &str, streams, p95, fallbacks| RegionHealth {
        region: name.into(),
        streams,
        deliveries: 10_000,
        p95,
        error_rate: Some(0.02),
        fallbacks,
    };
    let today = NOW / 86_400 * 86_400;
    let day = |n: i64| {
        let (good, bad) = match n {
            0..20 => (0, 0),
            41 => (8_000, 640),
            70 => (8_620, 20),
            _ => (8_640, 0),
        };
        Day {
            at: today - (STRIP_DAYS - 1 - n) * 86_400,
            good,
            bad,
            unknown: 0,
            seconds: 86_400,
            // A day of which the node was away for a quarter.
            covered: if n == 80 { 64_800 } else { 86_400 },
        }
    };
    let pair = |number: &str, first, second: (&str, Option<f64>), unit: &str, tolerance| Pair {
        number: number.into(),
        unit: unit.into(),
        first: ("server".into(), Some(first)),
        second: (second.0.into(), second.1),
        samples: 400,
        tolerance,
    };
    let reduction = |polling, streaming| Reduction { polling, streaming, basis: Basis::Measured };
    Panels {
        nodes: vec!["fra-1".into(), "fra-2".into()],
        regions: vec!["ap-south".into(), "eu-central".into(), "us-east".into()],
        from,
        to,
        as_of: NOW * 1_000,
        levels: if fresh {
            Objective::ALL.map(|objective| level(objective, 0.0, 3, 0)).into()
        } else {
            vec![
                level(Objective::Connect, 38.0, 100_000, 200),
                level(Objective::Delivery, 14.0, 2_000_000, 1_000),
                level(Objective::Uptime, 99.982, 259_200, 47),
                level(Objective::Errors, 0.021, 4_000_000, 840),
                level(Objective::Fallback, 4.2, 100_000, 4_200),
            ]
        },
        strip: (0..STRIP_DAYS).map(|n| if fresh { day(0) } else { day(n) }).collect(),
        health: if fresh {
            Vec::new()
        } else {
            vec![
                region("eu-central", 1_204.0, Some(12.0), 13),
                region("us-east", 1_011.0, Some(15.0), 46),
                region("ap-south", 196.0, Some(148.0), 58),
                region("de", 12.0, None, 0),
                region("the-office", 3.0, Some(300.0), 0),
            ]
        },
        fallback: if fresh { Analysis::default() } else { fallbacks(from, to) },
        saved: (!fresh).then(|| {
            Saved::of(
                reduction(1_200.0, 26.4),
                reduction(640_000.0, 61_000.0),
                17_323_200,
                Prices { per_gb: MicroUsd(250_000), ..Prices::EPIC },
            )
        }),
        break_even: (!fresh).then_some(9.4),
        pairs: vec![
            pair("Delivery p95", 14.0, ("probe", Some(17.2)), "ms", Tolerance::Within(50.0)),
            pair("Delivery p95", 14.0, ("browsers", None), "ms", Tolerance::Within(400.0)),
            pair("Bytes sent", 412.0, ("kernel's sockets", Some(409.0)), "MB", Tolerance::Percent(0.1)),
        ],
        account: Account {
            published: 60_000,
            due: 241_400,
            delivered: 241_306,
            conflated: 20,
            dropped_gone: 70,
            ..Account::default()
        },
        numbers: numbers(fresh),
        annotations: annotations(from, to),
        view,
    }
}

fn numbers(fresh: bool) -> Vec<Entry> {
    let entry = |(n, metric): (usize, Metric)| {
        let (value, samples) = match metric {
            Metric::ConnectionSuccessRate => (99.976, 4_170),
            _ if fresh => (0.0, 0),
            Metric::RequestReduction => (18.5, 18_000),
            _ => (n as f64 + 0.5, 1_000 * n as u64),
        };
        let basis = (metric == Metric::RequestReduction).then_some(Basis::Measured);
        Entry { metric, value: (samples >= metric.floor().max(1)).then_some(value), samples, basis }
    };
    Metric::ALL.into_iter().enumerate().map(entry).collect()
}

pub fn timeline(id: SessionId, fresh: bool) -> Timeline {
    let start = (NOW - 300) * 1_000;
    let mark = |at: i64, kind, detail: &str, value| Mark {
        at: start + at * 1_000,
        kind,
        node: "fra-1".into(),
        detail: detail.into(),
        value,
    };
    let mut marks = vec![
        mark(0, MarkKind::Event, "upload", Some(1.0)),
        mark(1, MarkKind::StreamOpened, "Firefox, eu-central", None),
        mark(2, MarkKind::FirstUpdate, "Firefox", Some(180.0)),
        mark(40, MarkKind::Event, "transcribing", Some(20.0)),
        mark(60, MarkKind::Latency, "Firefox", Some(14.0)),
        mark(90, MarkKind::StreamClosed, "by client", Some(89_000.0)),
        mark(91, MarkKind::Fallback, "Watchdog: no ping in time", None),
        mark(120, MarkKind::Polls, "", Some(19.0)),
        mark(200, MarkKind::Event, "transcribing", Some(80.0)),
        mark(280, MarkKind::Event, "export", Some(100.0)),
    ];
    if fresh {
        marks.clear();
    }
    Timeline {
        id,
        kind: Some("transcription".into()),
        region: Some("eu-central".into()),
        user: Some("u17".into()),
        cohort: Cohort::Stream,
        state: State::Completed,
        started_at: start,
        last_event_at: start + 280_000,
        ended_at: Some(start + 280_000),
        events: 42,
        last: None,
        marks,
        more: false,
    }
}

#[tokio::test]
async fn service_levels_stand_with_their_budgets() {
    let page = get("/", Fake::default()).await;
    page.tells("Connect p95 < 200 ms 38 ms 96 %");
    page.tells("Uptime > 99.5 % 99.982 % 96 %");
    page.tells("Fallback < 5 % 4.2 % 16 %");
    page.has(" of the 75 % of it that were probed</title>");
    page.has("90 days of uptime: 68 without a failed probe, 1 with some, 1 below 99.5 %, 20 unknown.");
    let fresh = get("/", Fake::fresh()).await;
    fresh.tells("Connect p95 < 200 ms \u{2013} 3 of 20 streams");
    fresh.has("90 unknown");
}

#[tokio::test]
async fn regions_stand_on_the_map_and_in_a_table() {
    let page = get("/", Fake::default()).await;
    page.tells("ap-south 196 148 ms, over target 0.02 %, good 58");
    page.tells("DE 12 \u{2013}, not enough data 0.02 %, good 0");
    // Of five regions one says no place.
    assert_eq!(page.html.matches("class=\"core\"").count(), 4);
    page.has("href=\"/?range=1h&amp;region=ap-south\"");
    let fresh = get("/", Fake::fresh()).await;
    fresh.tells("No followers from a known region in this range.");
}

#[tokio::test]
async fn fallbacks_are_counted_and_their_pattern_is_said() {
    let page = get("/", Fake::default()).await;
    page.tells("175 of 4,170 sessions");
    page.tells("Watchdog: no ping in time 71");
    page.tells("times likelier in ap-south than elsewhere (58 of them), and began at");
    page.tells("just after \u{201c}fra-2 restarted <now>\u{201d}");
    page.has("href=\"/search?fallback=watchdog&amp;fell_in=ap-south\"");
}

#[tokio::test]
async fn savings_and_sources_have_their_samples_and_their_prices() {
    let page = get("/", Fake::default()).await;
    page.tells("$2.91 saved");
    page.tells("Bandwidth, $0.25 a GB");
    page.tells("Requests avoided, $0.40 a million");
    page.tells("measured against the control group");
    page.tells("Sessions shorter than 9 s take fewer bytes by polling.");
    page.tells("Bytes sent server 412 MB kernel's sockets 409 MB all 0.728 % 0.1 % disagree");
    page.tells("Delivery p95 server 14 ms browsers \u{2013} n = 400 \u{2013} 400 ms not enough data");
    page.tells("last hour 1 source disagrees");
    page.tells("241,400 deliveries due: 241,306 delivered, 20 merged into a newer update");
}

#[tokio::test]
async fn every_number_says_what_it_rests_on() {
    let page = get("/", Fake::default()).await;
    page.tells("Connection success 99.98 % 4,170 attempts Streams opened / attempts");
    page.tells("Request reduction 18.50 % 18,000 followed seconds 1 - streaming / polling, each a session hour; measured");
    let all = Metric::ALL.len();
    page.tells(&format!("last hour; {} of {all} have enough data", all - 1));
    let fresh = get("/", Fake::fresh()).await;
    fresh.tells("Delivery latency not enough data below 20 0 deliveries Publish accepted");
    fresh.tells(&format!("last hour; 1 of {all} have enough data"));
}

#[tokio::test]
async fn the_view_lives_in_the_address() {
    let page = get("/?range=24h&compare=1&node=fra-2", Fake::default()).await;
    page.has("<a href=\"/?range=7d&amp;compare=1&amp;node=fra-2\"");
    page.has("<option value=\"fra-2\" selected>");
    page.has("href=\"/api/admin/metrics?range=24h&amp;compare=1&amp;node=fra-2&amp;format=csv\"");
    assert!(page.html.matches("class=\"line before\"").count() >= 5, "the range before in every plot");
    page.tells("24 hours before");
}

#[tokio::test]
async fn flags_are_escaped_and_listed() {
    let page = get("/", Fake::default()).await;
    page.has("<title>fra-2 restarted &lt;now&gt;</title>");
    assert!(!page.html.contains("restarted <now>"));
    page.tells("What happened");
}

#[tokio::test]
async fn one_sessions_story_is_told() {
    let page = get("/sessions/tr-1", Fake::default()).await;
    page.tells("Stream closed: by client, lived 1 min");
    page.tells("Polls: 19 polls within a minute");
    page.tells("Fallback: Watchdog: no ping in time");
    page.tells("First update: Firefox, after 180 ms");
    page.has("href=\"/s/tr-1\"");
    assert!(!page.html.contains("app.1.wasm"), "a plain page");
    assert_eq!(get("/sessions/nowhere", Fake::default()).await.status, 404);
    get("/sessions/tr-1", Fake::fresh()).await.tells("No timeline. Timelines are kept for 35 days.");
}

#[tokio::test]
async fn all_sessions_are_found_page_by_page() {
    let page = get("/search?q=tr-%22&state=failed", Fake::default()).await;
    page.has("value=\"tr-&quot;\"");
    page.has("<option value=\"failed\" selected>");
    page.has("&amp;state=failed&amp;region=&amp;fallback=&amp;fell_in=&amp;after=");
    page.tells("Older");
    get("/search?q=x", Fake::fresh()).await.tells("No session matches. Clear filters");
}
