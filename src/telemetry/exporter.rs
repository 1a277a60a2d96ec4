//! Sends what was measured, one request at a time: while a collector is slow, spans wait in their bounded queue.

use super::{Inner, Span, encode};
use crate::{clock, stop::stopped};
use prost::Message;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use streamgauge_core::{metric::export::Family, settings::config::Otlp};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};

/// Spans of one request.
const BATCH: usize = 512;
/// How long a span waits for company.
const LINGER: Duration = Duration::from_secs(1);
/// A collector that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// For the last request of all: nobody waits long for a server that stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whose metrics are sent.
pub trait Source: Send + Sync {
    /// The node's name.
    fn node(&self) -> &str;
    /// Unix microseconds.
    fn started_us(&self) -> i64;
    fn families(&self) -> Vec<Family>;
}

pub struct Exporter {
    http: reqwest::Client,
    /// Without a slash at its end.
    endpoint: String,
    interval: Duration,
    inner: Arc<Inner>,
    spans: mpsc::Receiver<Span>,
    away: bool,
}

impl Exporter {
    pub(super) fn new(
        otlp: &Otlp,
        inner: Arc<Inner>,
        spans: mpsc::Receiver<Span>,
    ) -> reqwest::Result<Exporter> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let interval = Duration::from_millis(otlp.interval_ms.into());
        Ok(Exporter { http, endpoint: otlp.endpoint.clone(), interval, inner, spans, away: false })
    }

    /// Until `stop`, and then once more.
    pub async fn run(mut self, source: impl Source, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        tokio::select! {
            () = stopped(&mut stop) => {}
            // Dropped in the middle of a request too: a collector that hangs must not hold up a stop.
            () = self.send(&source, &mut batch) => {}
        }
        let _ = tokio::time::timeout(FAREWELL, self.send_rest(&source, &mut batch)).await;
    }

    async fn send(&mut self, source: &impl Source, batch: &mut Vec<Span>) {
        let ticks = |period| {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut linger, mut metrics) = (ticks(LINGER), ticks(self.interval));
        loop {
            let room = BATCH - batch.len();
            tokio::select! {
                _ = self.spans.recv_many(batch, room) => {
                    if batch.len() == BATCH {
                        self.send_spans(source, batch).await;
                    }
                }
                _ = linger.tick() => self.send_spans(source, batch).await,
                _ = metrics.tick() => self.send_metrics(source).await,
            }
        }
    }

    async fn send_rest(&mut self, source: &impl Source, batch: &mut Vec<Span>) {
        self.send_metrics(source).await;
        loop {
            while batch.len() < BATCH
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            self.send_spans(source, batch).await;
        }
    }

    async fn send_spans(&mut self, source: &impl Source, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        let request = encode::traces(encode::resource(source.node()), std::mem::take(batch));
        // Not tried again: newer ones say more, and nothing may pile up.
        let taken = self.post("/v1/traces", request.encode_to_vec()).await;
        let counter = if taken { &self.inner.sent } else { &self.inner.refused };
        counter.fetch_add(count, Relaxed);
    }

    /// What is not taken now is in the next one: they count from the start.
    async fn send_metrics(&mut self, source: &impl Source) {
        let (started, now) = (source.started_us(), clock::now_us());
        let request = encode::metrics(encode::resource(source.node()), &source.families(), started, now);
        self.post("/v1/metrics", request.encode_to_vec()).await;
    }

    /// `true`: the collector took it. Says once when it goes away, and once when it is back.
    async fn post(&mut self, path: &str, body: Vec<u8>) -> bool {
        let request = self.http.post(format!("{}{path}", self.endpoint));
        let request = request.header("content-type", "application/x-protobuf").body(body);
        let why = match request.send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
            // The address may hold a password.
            Err(error) => Some(error.without_url().to_string()),
        };
        match &why {
            Some(why) if !self.away => tracing::warn!(why, "the OTLP collector does not take what is sent"),
            None if self.away => tracing::info!("the OTLP collector takes what is sent"),
            _ => {}
        }
        self.away = why.is_some();
        why.is_none()
    }
}
