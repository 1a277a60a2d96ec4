use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// A silence longer than this fails the test.
const PATIENCE: Duration = Duration::from_secs(15);

/// One event as a stream brought it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    /// `message` when the stream named none, as in the specification of Server-Sent Events.
    pub name: String,
    pub data: Value,
}

impl Event {
    /// The number that [`super::Client::publish`] gave it.
    pub fn number(&self) -> u64 {
        assert_eq!(self.name, "status", "{self:?}");
        self.data["data"].as_u64().expect("a number")
    }
}

/// One stream. Dropping it closes its connection.
pub struct Follower {
    response: Response,
    unread: Vec<u8>,
    /// What the stream said last, ms.
    pub retry: Option<u64>,
}

impl Follower {
    pub async fn open(request: RequestBuilder) -> Follower {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Follower::of(response)
    }

    pub fn of(response: Response) -> Follower {
        Follower { response, unread: Vec::new(), retry: None }
    }

    /// The next event of any name; `None` once the server has closed the stream.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = self.unread.drain(..end + 2).collect();
                if let Some(event) = self.parse(&String::from_utf8(frame).expect("UTF-8")) {
                    return Some(event);
                }
            }
            let more = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("no silence");
            self.unread.extend_from_slice(&more.ok()??);
        }
    }

    /// The next event that is no ping.
    pub async fn news(&mut self) -> Option<Event> {
        let news = async {
            loop {
                let event = self.next().await?;
                if event.name != "ping" {
                    return Some(event);
                }
            }
        };
        tokio::time::timeout(PATIENCE, news).await.expect("more than pings")
    }

    /// The next `count` events, which must be status events: their numbers.
    pub async fn numbers(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(self.news().await.expect("an open stream").number());
        }
        numbers
    }

    /// All numbers until the last one, and how many gaps came between them.
    pub async fn until(&mut self, last: u64) -> (Vec<u64>, usize) {
        let (mut numbers, mut gaps) = (Vec::new(), 0);
        while numbers.last() != Some(&last) {
            let event = self.news().await.expect("an open stream");
            if event.name == "gap" {
                gaps += 1;
            } else {
                numbers.push(event.number());
            }
        }
        (numbers, gaps)
    }

    fn parse(&mut self, frame: &str) -> Option<Event> {
        let mut event = Event { id: None, name: "message".into(), data: Value::Null };
        let mut data = None;
        for line in frame.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(": ").expect("a field");
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => event.name = value.to_owned(),
                "data" => data = Some(value),
                "retry" => self.retry = Some(value.parse().expect("milliseconds")),
                _ => panic!("no such field: {line}"),
            }
        }
        event.data = serde_json::from_str(data?).expect("JSON");
        Some(event)
    }
}
