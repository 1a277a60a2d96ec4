use super::{Follower, eventually};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Version};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Requests as a publisher and a poller make them.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    version: Version,
}

impl Client {
    pub fn new(port: u16) -> Client {
        Client::over(port, "1.1")
    }

    /// `version` of HTTP: `1.0`, `1.1` or `2`.
    pub fn over(port: u16, version: &str) -> Client {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        let (http, version) = match version {
            "1.0" => (http, Version::HTTP_10),
            "1.1" => (http, Version::HTTP_11),
            "2" => (http.http2_prior_knowledge(), Version::HTTP_2),
            _ => panic!("no such version: {version}"),
        };
        Client { http: http.build().expect("a client"), base: format!("http://127.0.0.1:{port}"), version }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).version(self.version)
    }

    pub fn patch(&self, path: &str) -> RequestBuilder {
        self.request(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    pub async fn create(&self, session: &str) -> Response {
        self.post("/api/v1/sessions").json(&json!({ "id": session })).send().await.expect("an answer")
    }

    /// Reports event number `n`, which stands in its data.
    pub fn event(&self, session: &str, n: u64) -> RequestBuilder {
        let event = json!({ "stage": "work", "progress": n % 101, "data": n });
        self.post(&format!("/api/v1/sessions/{session}/status")).json(&event)
    }

    /// Reports event number `n`, which must be accepted. Answers its id.
    pub async fn publish(&self, session: &str, n: u64) -> String {
        let answer = self.event(session, n).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        body(answer).await["id"].as_str().expect("an id").to_owned()
    }

    pub async fn publish_all(&self, session: &str, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            self.publish(session, n).await;
        }
    }

    /// Reports event number `n` until it is accepted, as a publisher does it. The key makes a repetition harmless.
    pub async fn publish_surely(&self, session: &str, n: u64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let event = self.event(session, n).header("idempotency-key", format!("n-{n}"));
            if event.send().await.expect("an answer").status() == StatusCode::ACCEPTED {
                return;
            }
            assert!(Instant::now() < deadline, "number {n} cannot be published");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub async fn complete(&self, session: &str) -> Response {
        let path = format!("/api/v1/sessions/{session}/complete");
        self.post(&path).json(&json!({ "outcome": "completed" })).send().await.expect("an answer")
    }

    pub async fn poll(&self, session: &str) -> Response {
        self.get(&format!("/api/v1/sessions/{session}/status")).send().await.expect("an answer")
    }

    pub fn stream(&self, session: &str) -> RequestBuilder {
        self.get(&format!("/api/v1/sessions/{session}/status/stream")).header("accept", "text/event-stream")
    }

    /// The position in the query, for clients that cannot send headers.
    pub fn stream_after(&self, session: &str, last_event_id: &str) -> RequestBuilder {
        let path = format!("{}/api/v1/sessions/{session}/status/stream", self.base);
        let mut url = reqwest::Url::parse(&path).expect("an address");
        url.query_pairs_mut().append_pair("last-event-id", last_event_id);
        self.http.get(url).version(self.version).header("accept", "text/event-stream")
    }

    /// Follows as a newcomer.
    pub async fn follow(&self, session: &str) -> Follower {
        Follower::open(self.stream(session)).await
    }

    /// Follows from where an earlier stream was cut.
    pub async fn resume(&self, session: &str, last_event_id: &str) -> Follower {
        Follower::open(self.stream(session).header("last-event-id", last_event_id)).await
    }

    /// Waits until new streams may come.
    pub async fn is_ready(&self) {
        eventually("the node is ready", 15, async || {
            let ready = self.get("/readyz").send().await.expect("an answer");
            (ready.status() == StatusCode::OK).then_some(())
        })
        .await;
    }

    /// Waits until PostgreSQL is reached.
    pub async fn stored(&self) {
        eventually("the database is there", 15, async || {
            let ready = body(self.get("/readyz").send().await.expect("an answer")).await;
            (ready["database"] == "good").then_some(())
        })
        .await;
    }

    /// Waits until the alert rules were evaluated: from then on their histories are in memory.
    pub async fn evaluated(&self) {
        eventually("the alert rules are evaluated", 60, async || {
            let answer = body(self.get("/healthz/alerting").send().await.expect("an answer")).await;
            answer["evaluated_at"].is_i64().then_some(())
        })
        .await;
    }

    /// The newest message of the dashboards' stream.
    pub async fn metrics(&self) -> Value {
        let mut dashboard = Follower::open(self.get("/api/admin/sse-metrics/stream")).await;
        // The first one is of the last tick; the second is of now.
        dashboard.next().await.expect("what was last");
        dashboard.next().await.expect("a message a second").data
    }
}

pub async fn body(answer: Response) -> Value {
    answer.json().await.expect("JSON")
}
