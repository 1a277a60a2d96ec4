//! `/metrics`: both texts, exact counts, and who may read them.

use crate::support::{Client, Database, Launch, OPENMETRICS, Scrape, eventually, fresh, key};
use reqwest::StatusCode;

async fn scrape(client: &Client) -> Scrape {
    Scrape::of(client.get("/metrics")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_exact_and_only_grow() {
    const FOLLOWERS: usize = 3;
    const EVENTS: u64 = 20;
    const POLLS: u64 = 7;
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let (client, session) = (server.client(), fresh("scraped"));
    let first = scrape(&client).await;
    client.create(&session).await;
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        followers.push(client.follow(&session).await);
    }
    client.publish_all(&session, 1..=EVENTS).await;
    for _ in 0..POLLS {
        client.poll(&session).await.bytes().await.expect("a body");
    }
    client.complete(&session).await;
    for mut follower in followers {
        follower.numbers(EVENTS as usize).await;
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
    }
    let found = eventually("everything is counted", 10, async || {
        let found = scrape(&client).await;
        let done = found.get("streamgauge_streams_closed_total{reason=\"end\"}") == FOLLOWERS as f64;
        (done && found.get("streamgauge_requests_total{way=\"poll\"}") == POLLS as f64).then_some(found)
    })
    .await;

    let get = |name: &str| found.get(&format!("streamgauge_{name}")) as u64;
    let deliveries = FOLLOWERS as u64 * (EVENTS + 1);
    assert_eq!(get("published_total"), EVENTS + 1);
    assert_eq!((get("delivered_total"), get("deliveries_due_total")), (deliveries, deliveries));
    assert_eq!(get("socket_writes_total"), deliveries, "without batching each delivery is a write");
    assert_eq!((get("connect_attempts_total"), get("connect_established_total")), (3, 3));
    assert_eq!((get("sessions_started_total"), get("sessions_ended_total{reason=\"completed\"}")), (1, 1));
    assert_eq!(
        (get("connection_establishment_seconds_count"), get("connection_duration_seconds_count")),
        (3, 3)
    );
    assert_eq!(get("delivery_latency_seconds_count"), deliveries);
    assert_eq!((get("open_streams"), get("ready"), get("build_info{version=\"0.1.0\"}")), (0, 1, 1));
    let (way, cohort) = ("way=\"stream\"", ["stream", "poll"]);
    assert_eq!(get(&format!("requests_total{{{way}}}")), 3);
    let of_cohorts =
        |name: &str| cohort.map(|one| get(&format!("{name}{{cohort=\"{one}\"}}"))).iter().sum::<u64>();
    let of_ways = |name: &str| cohort.map(|one| get(&format!("{name}{{way=\"{one}\"}}"))).iter().sum::<u64>();
    assert_eq!(of_cohorts("cohort_requests_total"), 3 + POLLS);
    assert_eq!(
        of_cohorts("cohort_bytes_total"),
        of_ways("received_bytes_total") + of_ways("sent_bytes_total")
    );

    let board = client.metrics().await;
    assert_eq!(board["messagesDelivered"], get("delivered_total"));
    let cumulative: Vec<u64> = board["histogramBoundsMs"]
        .as_array()
        .expect("bounds")
        .iter()
        .map(|ms| {
            get(&format!("delivery_latency_seconds_bucket{{le=\"{:?}\"}}", ms.as_f64().expect("ms") / 1e3))
        })
        .collect();
    let counts = board["messageDeliveryLatency"].as_array().expect("counts");
    let mut below = 0;
    for (told, count) in cumulative.iter().zip(counts) {
        below += count.as_u64().expect("a count");
        assert_eq!(*told, below, "the board's histogram is the same");
    }

    let later = scrape(&client).await;
    let grows = |series: &&String| {
        !["_open_fds", "_streams", "_sessions", "_bytes", "_waiting"].iter().any(|end| series.ends_with(end))
    };
    for (series, value) in found.series.iter().filter(|(series, _)| grows(series)) {
        let earlier = first.series.get(series).copied().unwrap_or(0.0);
        assert!(earlier <= *value && *value <= later.get(series), "{series}");
    }

    server.stop();
    for (series, counter) in [
        ("published_total", "published"),
        ("delivered_total", "delivered"),
        ("requests_total{way=\"stream\"}", "stream_requests"),
        ("requests_total{way=\"poll\"}", "poll_requests"),
        ("sent_bytes_total{way=\"stream\"}", "stream_bytes_out"),
        ("received_bytes_total{way=\"poll\"}", "poll_bytes_in"),
        ("streams_closed_total{reason=\"end\"}", "closed_at_end"),
    ] {
        assert_eq!(get(series), database.counted(counter).await as u64, "{counter} in PostgreSQL");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_chooses_its_text() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    let plain = scrape(&client).await;
    assert_eq!(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let open = Scrape::of(client.get("/metrics").header("accept", OPENMETRICS)).await;
    assert_eq!(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(plain.series.keys().eq(open.series.keys()), "both name the same series");
    assert!(open.get("process_resident_memory_bytes") > 1e6 && open.get("process_open_fds") > 3.0);
    assert!(open.get("process_start_time_seconds") > 1.6e9 && open.get("process_cpu_seconds_total") > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_server_is_read_with_a_key() {
    let database = Database::new().await;
    let made = |scope| {
        let (said, code) = key(&database, &["create", "--name", "test", "--scope", scope]);
        assert_eq!(code, Some(0), "{said}");
        said.lines().next().expect("a key").to_owned()
    };
    let (scraper, admin, publisher) = (made("metrics"), made("admin"), made("publish"));
    let server = Launch::on(&database).start();
    let client = server.client();
    let answered = async |path: &str, key: &str| {
        client.get(path).bearer_auth(key).send().await.expect("an answer").status()
    };
    assert_eq!(answered("/metrics", &scraper).await, StatusCode::OK);
    assert_eq!(answered("/metrics", &admin).await, StatusCode::OK);
    assert_eq!(answered("/metrics", &publisher).await, StatusCode::FORBIDDEN);
    assert_eq!(answered("/metrics", "sgk_no").await, StatusCode::UNAUTHORIZED);
    assert_eq!(client.get("/metrics").send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    // And it opens nothing else.
    assert_eq!(answered("/api/admin/limits", &scraper).await, StatusCode::FORBIDDEN);
    let event = client.event("a", 1).bearer_auth(&scraper).send().await.expect("an answer");
    assert_eq!(event.status(), StatusCode::FORBIDDEN);
}
