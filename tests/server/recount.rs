//! One scripted run, counted by the test itself and by proxies in between: the dashboard's stream, the admin API,
//! `/metrics` and PostgreSQL tell the same. Counts exactly, bytes within 0.1 %, percentiles within the histograms'
//! precision.

use crate::support::{Client, Database, Follower, Launch, Proxy, Scrape, Server, eventually, fresh, lazy};
use hdrhistogram::{Histogram, serialization::Deserializer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Row;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::task::JoinHandle;

const EVENTS: u64 = 60;
/// The one that leaves has read so many, and misses so many.
const LEAVES: u64 = 20;
const AWAY: u64 = 10;
/// Events of 7 kB for those who do not read.
const LARGE: u64 = 150;
/// What histograms promise.
const PRECISION: f64 = 0.01;

/// When each event was handed to the server, and how long after that each follower had it, in microseconds.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Timed>>);

#[derive(Default)]
struct Timed {
    sent: HashMap<(String, u64), Instant>,
    ages: Vec<u64>,
}

impl Times {
    fn sent(&self, session: &str, n: u64) {
        self.0.lock().expect("times").sent.insert((session.to_owned(), n), Instant::now());
    }

    fn received(&self, session: &str, n: u64) {
        let mut times = self.0.lock().expect("times");
        let age = times.sent[&(session.to_owned(), n)].elapsed();
        times.ages.push(age.as_micros() as u64);
    }

    /// Microseconds.
    fn percentile(&self, percent: f64) -> f64 {
        let mut all = self.0.lock().expect("times").ages.clone();
        all.sort_unstable();
        all[((percent / 100.0 * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1] as f64
    }
}

/// Follows to the end: how many events it was told, the end included.
fn follow_to_the_end(mut follower: Follower, session: &str, times: &Times) -> JoinHandle<u64> {
    let (session, times) = (session.to_owned(), times.clone());
    tokio::spawn(async move {
        let mut told = 0;
        while let Some(event) = follower.news().await {
            told += 1;
            match event.name.as_str() {
                "end" => times.received(&session, 0),
                _ => times.received(&session, event.number()),
            }
        }
        told
    })
}

/// The four ways out, read at the same time of rest.
struct Ways {
    board: Value,
    api: Value,
    account: Value,
    pairs: Vec<Value>,
    scrape: Scrape,
    stored: HashMap<&'static str, u64>,
    /// Of the delivery latency, microseconds.
    histogram: Histogram<u64>,
}

/// A counter as PostgreSQL and the admin API name it, and as Prometheus does.
const NAMES: &[(&str, &str)] = &[
    ("published", "published_total"),
    ("sessions_started", "sessions_started_total"),
    ("sessions_completed", "sessions_ended_total{reason=\"completed\"}"),
    ("connect_attempts", "connect_attempts_total"),
    ("connect_established", "connect_established_total"),
    ("connect_failed", "connect_failed_total"),
    ("connect_refused", "connect_refused_total"),
    ("closed_at_end", "streams_closed_total{reason=\"end\"}"),
    ("closed_by_client", "streams_closed_total{reason=\"client\"}"),
    ("closed_slow", "streams_closed_total{reason=\"slow\"}"),
    ("deliveries_due", "deliveries_due_total"),
    ("delivered", "delivered_total"),
    ("conflated", "deliveries_not_made_total{reason=\"conflated\"}"),
    ("dropped_slow", "deliveries_not_made_total{reason=\"slow\"}"),
    ("dropped_gone", "deliveries_not_made_total{reason=\"gone\"}"),
    ("repeated", "deliveries_not_made_total{reason=\"repeated\"}"),
    ("gaps", "gaps_total"),
    ("stream_requests", "requests_total{way=\"stream\"}"),
    ("poll_requests", "requests_total{way=\"poll\"}"),
    ("polls_unchanged", "polls_unchanged_total"),
    ("stream_cohort_requests", "cohort_requests_total{cohort=\"stream\"}"),
    ("poll_cohort_requests", "cohort_requests_total{cohort=\"poll\"}"),
    ("stream_bytes_in", "received_bytes_total{way=\"stream\"}"),
    ("stream_bytes_out", "sent_bytes_total{way=\"stream\"}"),
    ("poll_bytes_in", "received_bytes_total{way=\"poll\"}"),
    ("poll_bytes_out", "sent_bytes_total{way=\"poll\"}"),
    ("stream_cohort_bytes", "cohort_bytes_total{cohort=\"stream\"}"),
    ("poll_cohort_bytes", "cohort_bytes_total{cohort=\"poll\"}"),
];

/// One row for all of the run, unless a multiple of 31 days since 1970 passes by just now.
const API: &str = "/api/admin/metrics?range=1h&step=2678400";

impl Ways {
    /// Once `opened` streams were opened, all of them have ended, and all of it is stored.
    async fn read(database: &Database, client: &Client, opened: u64, published: u64) -> Ways {
        let get = async |path: &str| -> Value {
            client.get(path).send().await.expect("an answer").json().await.expect("JSON")
        };
        let (scrape, api, panels) = eventually("everything is counted and stored", 40, async || {
            let (scrape, api) = (Scrape::of(client.get("/metrics")).await, get(API).await);
            let row = api["rows"].as_array().and_then(|rows| rows.last()).cloned()?;
            let mut same = true;
            for (name, series) in NAMES {
                same &= row[name] == scrape.get(&format!("streamgauge_{series}")) as u64;
            }
            let closed = ["closed_at_end", "closed_by_client", "closed_slow"].map(|why| row[why].as_u64());
            let closed: u64 = closed.into_iter().flatten().sum();
            // What was read for a panel is kept for ten seconds: this may be of a moment ago.
            let panels = get("/api/admin/panels").await;
            same &= panels["account"]["due"] == row["deliveries_due"];
            (same && closed == opened && row["published"] == published).then_some((scrape, row, panels))
        })
        .await;
        let mut stored = HashMap::new();
        for (name, _) in NAMES {
            stored.insert(*name, u64::try_from(database.counted(name).await).expect("a count"));
        }
        Ways {
            board: client.metrics().await,
            api,
            account: panels["account"].clone(),
            pairs: panels["pairs"].as_array().expect("pairs").clone(),
            scrape,
            stored,
            histogram: histogram(database).await,
        }
    }

    /// What all four tell of a counter.
    fn all(&self, name: &str) -> u64 {
        let (_, series) = NAMES.iter().find(|(one, _)| *one == name).expect("a counter");
        let stored = self.stored[name];
        assert_eq!(self.api[name], stored, "{name} in the admin API");
        assert_eq!(self.scrape.get(&format!("streamgauge_{series}")), stored as f64, "{name} in /metrics");
        let (board, account) = match name {
            "delivered" => ("messagesDelivered", "delivered"),
            "connect_established" => ("totalConnections", ""),
            "dropped_slow" => ("messageDeliveryFailures", "droppedSlow"),
            "dropped_gone" => ("", "droppedGone"),
            "deliveries_due" => ("", "due"),
            "published" | "conflated" | "repeated" => ("", name),
            _ => ("", ""),
        };
        assert!(
            board.is_empty() || self.board[board] == stored,
            "{name} on the board: {}",
            self.board[board]
        );
        assert!(account.is_empty() || self.account[account] == stored, "{name} in the account");
        stored
    }

    fn check(&self, name: &str, expected: u64) {
        assert_eq!(self.all(name), expected, "{name}");
    }

    /// Every delivery that was due has one fate, in every source.
    fn accounts(&self) {
        let fates = ["delivered", "conflated", "dropped_slow", "dropped_gone", "repeated"];
        assert_eq!(self.all("deliveries_due"), fates.map(|fate| self.all(fate)).iter().sum::<u64>());
        assert_eq!(self.board["activeConnections"], 0);
    }

    /// All ways out read the same latencies out of the same histogram.
    fn latencies(&self, timed: u64) {
        let stored = &self.histogram;
        assert_eq!(stored.len(), timed, "a replay is a delivery, but its age is no latency");
        assert_eq!(self.api["delivery_latency_count"], timed as f64);
        for (name, percent) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
            let micros = stored.value_at_quantile(percent / 100.0) as f64;
            close(self.api[format!("delivery_latency_{name}_ms")].as_f64(), micros / 1e3, name);
        }
        let kpi = &self.board["kpis"][0];
        assert_eq!((&kpi["key"], &kpi["samples"]), (&json!("updateLatency"), &json!(timed)));
        close(kpi["value"].as_f64(), stored.value_at_quantile(0.95) as f64 / 1e3, "the board's p95");
        close(self.board["averageLatency"].as_f64(), stored.mean() / 1e3, "the board's mean");
        let get = |series: &str| self.scrape.get(&format!("streamgauge_delivery_latency_seconds_{series}"));
        assert_eq!(get("count"), timed as f64);
        close(Some(get("sum") / timed as f64 * 1e3), stored.mean() / 1e3, "Prometheus' mean");
        // Counts below each bound: a value may lie as far beside it as the histogram is imprecise.
        let bounds = self.board["histogramBoundsMs"].as_array().expect("bounds");
        let counts = self.board["messageDeliveryLatency"].as_array().expect("counts");
        let mut below = 0;
        for (bound, count) in bounds.iter().zip(counts) {
            let ms = bound.as_f64().expect("ms");
            below += count.as_u64().expect("a count");
            assert_eq!(get(&format!("bucket{{le=\"{:?}\"}}", ms / 1e3)), below as f64, "below {ms} ms");
            let within = |micros: f64| stored.count_between(0, micros as u64);
            let (least, most) = (within(ms * 1e3 * (1.0 - PRECISION)), within(ms * 1e3 * (1.0 + PRECISION)));
            assert!((least..=most).contains(&below), "below {ms} ms: {least}..{most}, told {below}");
        }
    }
}

fn close(told: Option<f64>, expected: f64, what: &str) {
    let told = told.unwrap_or_else(|| panic!("{what} was not measured"));
    assert!((told - expected).abs() <= expected * PRECISION, "{what}: {told}, expected {expected}");
}

async fn histogram(database: &Database) -> Histogram<u64> {
    let mut connection = database.connect().await;
    let query = "SELECT decode(histograms->>'delivery_latency', 'base64') FROM metric_samples \
                 WHERE resolution = 10 AND node <> '' AND region = '' AND histograms ? 'delivery_latency'";
    let mut whole = Histogram::new(2).expect("a histogram");
    for row in sqlx::query(query).fetch_all(&mut connection).await.expect("samples") {
        let bytes: Vec<u8> = row.get(0);
        let one: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        whole.add(one).expect("the same layout");
    }
    whole
}

/// Sessions of both cohorts, two of each.
async fn sessions(client: &Client) -> ([String; 2], [String; 2], u64) {
    let mut found: [Vec<String>; 2] = Default::default();
    let mut made = 0;
    while found.iter().any(|of| of.len() < 2) {
        let id = fresh("recount");
        let created: Value = client.create(&id).await.json().await.expect("JSON");
        made += 1;
        found[usize::from(created["cohort"] == "poll")].push(id);
    }
    let two = |of: &[String]| [of[0].clone(), of[1].clone()];
    (two(&found[0]), two(&found[1]), made)
}

/// Polls twice: once anew, and once with what it was just told. One connection.
async fn poll(client: &Client, session: &str) {
    let path = format!("/api/v1/sessions/{session}/status");
    let answer = client.get(&path).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let etag = answer.headers()["etag"].clone();
    answer.bytes().await.expect("a body");
    let again = client.get(&path).header("if-none-match", etag).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

/// A proxy for each way of following and each cohort, and one for all else.
struct Proxies {
    streams: [Proxy; 2],
    polls: [Proxy; 2],
    rest: Proxy,
}

impl Proxies {
    fn to(server: &Server) -> Proxies {
        let new = || Proxy::to(server.port);
        Proxies { streams: [new(), new()], polls: [new(), new()], rest: new() }
    }

    fn follow(&self) -> [&Proxy; 4] {
        [&self.streams[0], &self.streams[1], &self.polls[0], &self.polls[1]]
    }

    async fn at_rest(&self) {
        eventually("all connections are closed", 5, async || {
            self.follow().iter().all(|proxy| proxy.is_idle()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ways_out_agree_with_an_independent_count() {
    let database = Database::new().await;
    // The probe's own connections pass by the proxies.
    let server =
        Launch::on(&database).flag("control-group-percent", 50).env("STREAMGAUGE_PROBE_MS", "0").start();
    let proxies = Proxies::to(&server);
    let (publisher, times) = (Client::new(proxies.rest.port), Times::default());
    let (streamed, polled, made) = sessions(&publisher).await;

    // Three and two follow sessions of the stream cohort, and one a session of the control group.
    let mut following = Vec::new();
    for (session, proxy, count) in [(&streamed[0], 0, 3), (&streamed[1], 0, 2), (&polled[0], 1, 1)] {
        for _ in 0..count {
            let follower = Client::new(proxies.streams[proxy].port).follow(session).await;
            following.push(follow_to_the_end(follower, session, &times));
        }
    }
    // Beside them one that leaves and comes back.
    let mut leaving = Some(Client::new(proxies.streams[0].port).follow(&streamed[0]).await);
    let mut last = None;
    let pollers = [0, 1].map(|cohort| Client::new(proxies.polls[cohort].port));
    for n in 1..=EVENTS {
        for session in streamed.iter().chain(&polled) {
            times.sent(session, n);
            publisher.publish(session, n).await;
        }
        if let Some(follower) = &mut leaving {
            let event = follower.news().await.expect("an open stream");
            times.received(&streamed[0], event.number());
            last = event.id;
        }
        if n == LEAVES {
            // All that it was due it has read.
            leaving = None;
            eventually("it is gone", 5, async || {
                (publisher.metrics().await["activeConnections"] == 6).then_some(())
            })
            .await;
        }
        if n == LEAVES + AWAY {
            let id = last.take().expect("an id");
            let mut back = Client::new(proxies.streams[0].port).resume(&streamed[0], &id).await;
            assert_eq!(back.numbers(AWAY as usize).await, (LEAVES + 1..=n).collect::<Vec<_>>());
            following.push(follow_to_the_end(back, &streamed[0], &times));
        }
        if n % 3 == 0 {
            // Of the stream cohort a client that fell back; of the control group both sessions' clients.
            poll(&pollers[0], &streamed[1]).await;
            poll(&pollers[1], &polled[0]).await;
            poll(&pollers[1], &polled[1]).await;
        }
    }
    for session in streamed.iter().chain(&polled) {
        times.sent(session, 0);
        assert_eq!(publisher.complete(session).await.status(), StatusCode::ACCEPTED);
    }
    let mut told = LEAVES + AWAY;
    for one in following {
        told += one.await.expect("a follower");
    }
    drop(pollers);
    proxies.at_rest().await;

    let ways = Ways::read(&database, &publisher, 8, 4 * (EVENTS + 1)).await;
    let due = 6 * (EVENTS + 1) + EVENTS + 1;
    assert_eq!(told, due, "each follower was told everything");
    ways.check("deliveries_due", due);
    ways.check("delivered", due);
    ways.accounts();
    for (name, expected) in [
        ("sessions_started", made),
        ("sessions_completed", 4),
        ("connect_attempts", 8),
        ("connect_failed", 0),
        ("connect_refused", 0),
        ("closed_at_end", 7),
        ("closed_by_client", 1),
        ("gaps", 0),
        ("stream_requests", 8),
        ("poll_requests", 2 * EVENTS),
        ("polls_unchanged", EVENTS),
        ("stream_cohort_requests", 7 + 2 * EVENTS / 3),
        ("poll_cohort_requests", 1 + 4 * EVENTS / 3),
    ] {
        ways.check(name, expected);
    }
    let sum = |proxies: [&Proxy; 2]| {
        let [one, other] = proxies.map(Proxy::counted);
        (one.0 + other.0, one.1 + other.1)
    };
    let both = |proxies| {
        let (there, back) = sum(proxies);
        there + back
    };
    let Proxies { streams, polls, .. } = &proxies;
    for (name, counted) in [
        ("stream_bytes_in", sum([&streams[0], &streams[1]]).0),
        ("stream_bytes_out", sum([&streams[0], &streams[1]]).1),
        ("poll_bytes_in", sum([&polls[0], &polls[1]]).0),
        ("poll_bytes_out", sum([&polls[0], &polls[1]]).1),
        ("stream_cohort_bytes", both([&streams[0], &polls[0]])),
        ("poll_cohort_bytes", both([&streams[1], &polls[1]])),
    ] {
        per_mille(name, ways.all(name), counted);
    }
    ways.latencies(due - AWAY);
    for percent in [50.0, 95.0, 99.0] {
        // From before it was sent until it was read: no delivery can have taken longer than that.
        let (server, here) =
            (ways.histogram.value_at_quantile(percent / 100.0) as f64, times.percentile(percent));
        assert!(server <= here * (1.0 + PRECISION), "p{percent}: {server} us by the server, {here} us here");
    }
    for pair in ways.pairs.iter().filter(|pair| pair["unit"] == "MB") {
        let (meter, kernel) = (pair["first"][1].as_f64(), pair["second"][1].as_f64());
        let (meter, kernel) = meter.zip(kernel).expect("both counted");
        assert!((meter - kernel).abs() <= meter * 1e-3, "{pair}");
    }

    those_who_do_not_read(&database, &server, &publisher, &ways).await;

    // Every byte of every connection has passed a proxy, but for those who did not read.
    drop(publisher);
    server.stop();
    for way in ["in", "out"] {
        let kernel = database.counted(&format!("kernel_bytes_{way}")).await as u64;
        let meter = database.counted(&format!("meter_bytes_{way}")).await as u64;
        per_mille(&format!("bytes {way}, by the kernel"), kernel, meter);
    }
}

fn per_mille(name: &str, told: u64, counted: u64) {
    assert!(counted > 0 && told.abs_diff(counted) * 1_000 <= counted, "{name}: {told}, counted {counted}");
}

/// Conflated, gone, slow: all of it is accounted for on all ways out.
async fn those_who_do_not_read(database: &Database, server: &Server, publisher: &Client, before: &Ways) {
    let padding = "x".repeat(7_000);
    let publish = async |session: &str, n: u64, stage: String| {
        let event = json!({ "stage": stage, "progress": 1, "data": { "n": n, "padding": padding } });
        let answer = publisher.post(&format!("/api/v1/sessions/{session}/status")).json(&event).send().await;
        assert_eq!(answer.expect("an answer").status(), StatusCode::ACCEPTED);
    };
    let open = async |count: u64| {
        eventually("the number of streams", 10, async || {
            (publisher.metrics().await["activeConnections"] == count).then_some(())
        })
        .await;
    };
    // One session's followers: one reads late, one never and goes.
    let (progress, stages) = (fresh("progress"), fresh("stages"));
    publisher.create(&progress).await;
    publisher.create(&stages).await;
    let mut late = lazy(server.port, &progress, "1.1").await;
    let gone = lazy(server.port, &progress, "1.1").await;
    open(2).await;
    for n in 1..=LARGE {
        publish(&progress, n, "one".into()).await;
    }
    drop(gone);
    open(1).await;
    assert_eq!(publisher.complete(&progress).await.status(), StatusCode::ACCEPTED);
    let read = late.read_all().await.lines().filter(|line| line.starts_with("id: ")).count() as u64;
    assert!(read < LARGE, "some of it is conflated");
    // Of another session no event may be left out: its follower is let go.
    let stuck = lazy(server.port, &stages, "1.1").await;
    open(1).await;
    for n in 1..=LARGE {
        publish(&stages, n, format!("stage {n}")).await;
    }
    open(0).await;
    drop((late, stuck));

    let published = before.all("published") + 2 * LARGE + 1;
    let ways = Ways::read(database, publisher, 11, published).await;
    ways.accounts();
    let more = |name: &str| ways.all(name) - before.all(name);
    assert_eq!((more("closed_at_end"), more("closed_by_client"), more("closed_slow")), (1, 1, 1));
    assert_eq!(more("sessions_started"), 2);
    // Two followers and one, and the end to the one that was still there; the slow one until it was cut.
    let of_the_first = 2 * LARGE + 1;
    assert!((of_the_first + 1..=of_the_first + LARGE).contains(&more("deliveries_due")));
    // The late one has what it read; what it did not read was conflated.
    assert!(more("delivered") >= read && more("conflated") >= LARGE + 1 - read);
    assert!(more("dropped_slow") > 0 && more("dropped_gone") > 0);
    assert_eq!((more("repeated"), more("gaps")), (0, 0));
}
