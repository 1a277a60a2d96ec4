//! OpenTelemetry: what a collector is sent, and that one which is away harms nobody.

use crate::support::{Client, Collector, Database, Launch, Redis, Scrape, attribute, eventually, fresh};
use opentelemetry_proto::tonic::{metrics::v1::metric::Data, trace::v1::span::SpanKind};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn launch(database: &Database, port: u16, ratio: &str) -> Launch {
    Launch::on(database)
        .flag("otlp-endpoint", format!("http://127.0.0.1:{port}/"))
        .flag("otlp-interval-ms", 200)
        .flag("otlp-sample-ratio", ratio)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_s_trace_goes_on() {
    let (database, collector) = (Database::new().await, Collector::start().await);
    // By chance nothing is kept: a publisher's word alone decides.
    let server = launch(&database, collector.port, "0").start();
    let (client, session) = (server.client(), fresh("traced"));
    // An event of a session that is there asks nobody but the broker.
    client.create(&session).await;
    let parent = |flags| format!("00-{TRACE}-{PARENT}-{flags}");
    for (n, header) in [parent("01"), parent("00"), "00-nonsense".into()].into_iter().enumerate() {
        let event = client.event(&session, n as u64).header("traceparent", header);
        assert_eq!(event.send().await.expect("an answer").status(), 202);
    }
    // A follower is anybody, and decides nothing.
    let poll = format!("/api/v1/sessions/{session}/status");
    client.get(&poll).header("traceparent", parent("01")).send().await.expect("an answer");
    let name = "POST /api/v1/sessions/{id}/status";
    let span = eventually("the span comes", 10, async || collector.named(name).pop()).await;
    server.stop();
    let step = collector.named("broker publish").pop().expect("the broker's part");
    assert_eq!(collector.spans().len(), 2, "and no other");
    assert_eq!((hex(&step.trace_id).as_str(), &step.parent_span_id), (TRACE, &span.span_id));
    assert_eq!((step.kind, step.flags), (SpanKind::Internal.into(), 0x101), "its parent is here");
    assert_eq!(span.flags, 0x301, "its parent is at the publisher's");
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
    assert_eq!(span.kind, i32::from(SpanKind::Server));
    assert!(span.span_id != [0; 8] && span.end_time_unix_nano > span.start_time_unix_nano);
    let said = |key| attribute(&span.attributes, key);
    assert_eq!(said("http.response.status_code").as_deref(), Some("202"));
    assert_eq!(said("http.route").as_deref(), Some("/api/v1/sessions/{id}/status"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_jobs_and_figures_are_sent_and_nothing_secret() {
    let (database, collector) = (Database::new().await, Collector::start().await);
    let server = launch(&database, collector.port, "1").start();
    let (client, session) = (server.client(), fresh("traced"));
    client.publish_all(&session, 1..=5).await;
    let mut follower = client.follow(&session).await;
    client.publish_all(&session, 6..=9).await;
    assert_eq!(follower.numbers(5).await, [5, 6, 7, 8, 9]);
    let poll = format!("/api/v1/sessions/{session}/status?ticket=a-secret-ticket");
    client.get(&poll).bearer_auth("sgk_a-secret-key").send().await.expect("an answer");
    client.get("/api/admin/limits").send().await.expect("an answer");
    let change = client.patch("/api/admin/limits").json(&serde_json::json!({ "batch_ms": 0 }));
    change.send().await.expect("an answer");
    client.get("/").send().await.expect("a page");
    for name in [
        "GET /api/v1/sessions/{id}/status/stream",
        "GET /api/v1/sessions/{id}/status",
        "GET /api/admin/limits",
        "PATCH /api/admin/limits",
        "job sweep",
    ] {
        eventually(name, 10, async || (!collector.named(name).is_empty()).then_some(())).await;
    }
    for (name, actor) in [("PATCH /api/admin/limits", Some("local user")), ("GET /api/admin/limits", None)] {
        let span = collector.named(name).pop().expect("a span");
        assert_eq!(attribute(&span.attributes, "streamgauge.actor").as_deref(), actor, "{name}");
    }
    assert_eq!(
        collector.named("POST /api/v1/sessions/{id}/status").len(),
        9,
        "one a request, none a delivery"
    );
    let published = eventually("the figures come", 10, async || {
        collector.value("streamgauge_published").filter(|published| *published > 8.0)
    })
    .await;
    assert_eq!(published, 9.0);
    drop(follower);
    // The last word is said when the server stops.
    server.stop();
    let Some(Data::Histogram(latency)) =
        collector.metric("streamgauge_delivery_latency_seconds").and_then(|metric| metric.data)
    else {
        panic!("no histogram");
    };
    let point = &latency.data_points[0];
    assert_eq!((point.count, point.bucket_counts.iter().sum::<u64>()), (4, 4));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(collector.value("streamgauge_delivered").map(|count| count as i64), Some(5));
    assert_eq!(database.counted("delivered").await, 5);
    for secret in ["a-secret", session.as_str()] {
        assert!(!collector.heard(secret), "{secret} is nobody's business");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_redis_and_postgresql_is_told_apart() {
    let (database, redis, collector) = (Database::new().await, Redis::start(), Collector::start().await);
    let server = launch(&database, collector.port, "1").redis(&redis).start();
    let (client, session) = (server.client(), fresh("traced"));
    client.publish(&session, 1).await;
    let follower = client.follow(&session).await;
    client.get("/api/admin/metrics?range=24h").send().await.expect("an answer");
    client.get(&format!("/search?q={session}")).send().await.expect("a page");
    for (whole, part, system) in [
        ("POST /api/v1/sessions/{id}/status", "broker publish", "redis"),
        ("GET /api/v1/sessions/{id}/status/stream", "broker watch", "redis"),
        ("GET /api/admin/metrics", "read history", "postgresql"),
        ("GET /search", "search sessions", "postgresql"),
        ("job store", "write sessions", "postgresql"),
        ("job read_keys", "read keys", "postgresql"),
    ] {
        let (whole, part) = eventually(part, 10, async || {
            let parts = collector.named(part);
            collector.named(whole).into_iter().find_map(|whole| {
                let part = parts.iter().find(|part| part.parent_span_id == whole.span_id)?;
                Some((whole, part.clone()))
            })
        })
        .await;
        assert_eq!((&part.trace_id, part.kind), (&whole.trace_id, SpanKind::Client.into()));
        assert_eq!(attribute(&part.attributes, "db.system.name").as_deref(), Some(system));
        assert!(part.start_time_unix_nano >= whole.start_time_unix_nano);
        assert!(part.end_time_unix_nano <= whole.end_time_unix_nano, "{} is a part", part.name);
    }
    drop(follower);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_leaves_room_for_others() {
    let (database, collector) = (Database::new().await, Collector::start().await);
    let server = launch(&database, collector.port, "1").start();
    let line = |n| format!("{{\"session\":\"{}\",\"stage\":\"import\",\"progress\":{n}}}\n", fresh("traced"));
    let lines: String = (0..100).map(line).collect();
    let request = server.client().post("/api/v1/status").header("content-type", "application/x-ndjson");
    assert_eq!(request.body(lines).send().await.expect("an answer").status(), 207);
    eventually("the request's span comes", 10, async || collector.named("POST /api/v1/status").pop()).await;
    server.stop();
    // All of its sessions are new, and PostgreSQL is asked once whether any of them has ended.
    assert_eq!(collector.named("find an ended session").len(), 1);
    assert_eq!(collector.named("broker publish").len(), 31, "32 steps of a request are kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_the_trace() {
    let (database, collector) = (Database::new().await, Collector::start().await);
    let change = async |client: &Client| {
        let request = client.patch("/api/admin/limits").json(&serde_json::json!({ "batch_ms": 5 }));
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    };
    let server = launch(&database, collector.port, "1").start();
    change(&server.client()).await;
    let name = "PATCH /api/admin/limits";
    let span = eventually("the span comes", 10, async || collector.named(name).pop()).await;
    let line = server.logged("limits were changed").await;
    let named = format!("trace{{trace_id={} span_id={}}}", hex(&span.trace_id), hex(&span.span_id));
    assert!(line.contains(&named), "{line}");
    server.stop();

    let server = Launch::on(&database).start();
    change(&server.client()).await;
    server.logged("limits were changed").await;
    assert!(!server.log().contains("trace_id"), "{}", server.log());
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_holds_nobody_up() {
    let database = Database::new().await;
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = launch(&database, silent.local_addr().expect("an address").port(), "1").start();
    let (client, session) = (server.client(), fresh("traced"));
    client.publish(&session, 1).await;
    let enough = Arc::new(AtomicBool::new(false));
    let polls = (0..4).map(|_| {
        let (client, session, enough) = (client.clone(), session.clone(), enough.clone());
        tokio::spawn(async move {
            while !enough.load(Relaxed) {
                assert_eq!(client.poll(&session).await.status(), 200);
            }
        })
    });
    let polls: Vec<_> = polls.collect();
    eventually("the queue is full, and what is more is dropped", 60, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        (scrape.get("streamgauge_spans_dropped_total{reason=\"full\"}") > 0.0).then_some(())
    })
    .await;
    enough.store(true, Relaxed);
    for poll in polls {
        poll.await.expect("all are answered");
    }
    // In good time all the same.
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_is_counted() {
    let database = Database::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let server = launch(&database, nobody, "1").start();
    let (client, session) = (server.client(), fresh("traced"));
    client.publish_all(&session, 1..=3).await;
    eventually("they are counted", 10, async || {
        let scrape = Scrape::of(client.get("/metrics")).await;
        (scrape.get("streamgauge_spans_dropped_total{reason=\"refused\"}") >= 3.0).then_some(())
    })
    .await;
    server.logged("OTLP collector").await;
    assert_eq!(server.log().matches("OTLP collector").count(), 1, "said once: {}", server.log());
    server.stop();
}
