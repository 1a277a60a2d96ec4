//! The black box: every few seconds the node opens a real stream through its own port, publishes, and waits for the event,
//! all over HTTP. What others see of the service, it sees; what the server says of itself, it does not ask.

use crate::{
    node::{Node, PROBE_HEADER},
    stop::stopped,
};
use futures::StreamExt;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::json;
use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use streamgauge_core::{
    metric::measure::{counters::Counter, sample::Measure},
    session::ids::SessionId,
};
use tokio::{sync::watch, time::MissedTickBehavior};

/// A whole probe that takes longer has failed: users have long turned away.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Probe {
    node: Arc<Node>,
    base: String,
    session: SessionId,
}

/// How a probe went. What could not be tried says nothing about the service.
enum Outcome {
    Good(Times),
    Bad(String),
    Unknown(String),
}

/// What a good probe took.
struct Times {
    /// First packet to the stream's head.
    connect: Duration,
    /// Its publish, sent, to the answer.
    publish: Duration,
    /// The same to the event's arrival on the stream.
    delivery: Duration,
}

impl Probe {
    /// `None`: probing is turned off.
    pub fn new(node: &Arc<Node>, address: SocketAddr) -> Option<Probe> {
        node.settings.probe_ms?;
        // A server that listens on all addresses is reachable on the loopback address.
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let base = format!("http://{}/api/v1/sessions", SocketAddr::new(ip, address.port()));
        Some(Probe { node: node.clone(), base, session: SessionId::probe(&node.settings.node)? })
    }

    /// Until `stop`, and no longer than the node takes streams.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let period = Duration::from_millis(self.node.settings.probe_ms.unwrap_or_default().into());
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut expected, mut worked) = (Instant::now(), true);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stopped(&mut stop) => return,
            }
            if self.node.streams.drain.borrow().is_some() {
                return;
            }
            // A process that was stopped, or a machine that slept, could not probe, and did not fail either.
            let slept = expected.elapsed().as_millis() / period.as_millis().max(1);
            let recorder = &self.node.recorder;
            recorder.add(Counter::ProbesUnknown, u64::try_from(slept).unwrap_or(0));
            expected = Instant::now() + period;
            match self.once().await {
                Outcome::Good(took) => {
                    worked = true;
                    recorder.add(Counter::ProbesGood, 1);
                    recorder.record(Measure::ProbeConnection, micros(took.connect));
                    recorder.record(Measure::ProbePublish, micros(took.publish));
                    recorder.record(Measure::ProbeDelivery, micros(took.delivery));
                }
                // The node stops and sent the probe's stream away with all others: that is no failure.
                Outcome::Bad(_) if self.node.streams.drain.borrow().is_some() => return,
                Outcome::Bad(reason) => {
                    // Once an outage, not once a probe.
                    if std::mem::take(&mut worked) {
                        tracing::warn!(reason, "the node does not serve its own probe");
                    }
                    recorder.add(Counter::ProbesBad, 1);
                }
                Outcome::Unknown(reason) => {
                    tracing::debug!(reason, "the node cannot probe itself");
                    recorder.add(Counter::ProbesUnknown, 1);
                }
            }
        }
    }

    async fn once(&self) -> Outcome {
        let tried = tokio::time::timeout(PATIENCE, self.attempt()).await;
        match tried {
            Ok(Ok(took)) => Outcome::Good(took),
            Ok(Err(error)) if out_of_sockets(&error) => Outcome::Unknown(format!("{error}")),
            Ok(Err(error)) => Outcome::Bad(format!("{error}")),
            Err(_) => Outcome::Bad(format!("it took longer than {} s", PATIENCE.as_secs())),
        }
    }

    async fn attempt(&self) -> Result<Times, Failed> {
        // A client of its own each time: a kept connection would hide a port that takes no more.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let began = Instant::now();
        let stream = expect(self.open(&client).await?, StatusCode::OK)?;
        self.wait(&client, stream, began.elapsed()).await
    }

    /// Publishes a number that the stream has not told yet, and waits for it.
    async fn wait(&self, client: &Client, stream: Response, connect: Duration) -> Result<Times, Failed> {
        let number = u64::try_from(crate::clock::now_us()).unwrap_or(0);
        let mark = format!("\"message\":\"{number}\"");
        let began = Instant::now();
        let arrives = async {
            let mut heard = Vec::new();
            let mut frames = stream.bytes_stream();
            while let Some(frame) = frames.next().await {
                heard.extend_from_slice(&frame?);
                if heard.windows(mark.len()).any(|part| part == mark.as_bytes()) {
                    return Ok(began.elapsed());
                }
            }
            Err(Failed::Ended)
        };
        let answered = async { self.publish(client, number).await.map(|()| began.elapsed()) };
        let (publish, delivery) = tokio::join!(answered, arrives);
        Ok(Times { connect, publish: publish?, delivery: delivery? })
    }

    async fn open(&self, client: &Client) -> Result<Response, Failed> {
        let url = format!("{}/{}/status/stream", self.base, self.session);
        let request = client.get(url).header(&PROBE_HEADER, &*self.node.probe_secret);
        Ok(request.header(header::ACCEPT, "text/event-stream").send().await?)
    }

    async fn publish(&self, client: &Client, number: u64) -> Result<(), Failed> {
        let url = format!("{}/{}/status", self.base, self.session);
        let body = json!({ "stage": "probe", "progress": 0, "message": number.to_string() });
        let request = client.post(url).header(&PROBE_HEADER, &*self.node.probe_secret).json(&body);
        expect(request.send().await?, StatusCode::ACCEPTED).map(drop)
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the stream ended before the event came")]
    Ended,
}

fn expect(response: Response, status: StatusCode) -> Result<Response, Failed> {
    if response.status() == status { Ok(response) } else { Err(Failed::Status(response.status())) }
}

/// The prober's own want of sockets or ports is no failure of the service.
fn out_of_sockets(error: &Failed) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // EMFILE, ENFILE, EADDRNOTAVAIL.
            return matches!(io.raw_os_error(), Some(24 | 23 | 99));
        }
        source = error.source();
    }
    false
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
