//! OpenTelemetry by OTLP, where an endpoint is configured. A collector that is away holds nobody up and fills no memory:
//! what does not fit is dropped and counted.

mod encode; // spans and metrics as OTLP's messages
mod exporter; // sends them

pub use exporter::Exporter;

use crate::{access::random, clock};
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use streamgauge_core::{
    config::Otlp,
    trace::{TraceParent, is_kept},
};
use tokio::sync::mpsc;

/// Spans that wait to be sent; about 500 kB.
const QUEUE: usize = 2_048;

/// Where spans are handed in. Cloning shares it.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Inner>>);

struct Inner {
    spans: mpsc::Sender<Span>,
    /// 0 to 1.
    ratio: f64,
    sent: AtomicU64,
    /// For want of room.
    overflowed: AtomicU64,
    /// The collector did not take them.
    refused: AtomicU64,
}

/// What became of spans since the start.
pub struct Spans {
    pub sent: u64,
    pub overflowed: u64,
    pub refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that was answered.
    Server,
    /// Something that the server does by itself.
    Internal,
}

/// Something that took time, finished. Its attributes hold no session, no user, no query and no header.
pub struct Span {
    pub name: Cow<'static, str>,
    pub kind: Kind,
    /// Unix µs.
    pub start: i64,
    pub end: i64,
    pub failed: bool,
    pub attributes: Vec<(&'static str, Attribute)>,
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
}

pub enum Attribute {
    Text(Cow<'static, str>),
    Number(i64),
}

impl Telemetry {
    /// Off without an endpoint; otherwise with what sends, which is to be run.
    pub fn new(otlp: Option<&Otlp>) -> reqwest::Result<(Telemetry, Option<Exporter>)> {
        let Some(otlp) = otlp else { return Ok((Telemetry::default(), None)) };
        let (spans, waiting) = mpsc::channel(QUEUE);
        let inner = Arc::new(Inner {
            spans,
            ratio: otlp.sample_ratio,
            sent: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let exporter = Exporter::new(otlp, inner.clone(), waiting)?;
        Ok((Telemetry(Some(inner)), Some(exporter)))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// `None`: off.
    pub fn spans(&self) -> Option<Spans> {
        let inner = self.0.as_ref()?;
        Some(Spans {
            sent: inner.sent.load(Relaxed),
            overflowed: inner.overflowed.load(Relaxed),
            refused: inner.refused.load(Relaxed),
        })
    }

    /// Takes a span that ends now, if its trace is kept. `start`: Unix µs.
    pub fn finished(
        &self,
        (name, kind): (Cow<'static, str>, Kind),
        start: i64,
        parent: Option<TraceParent>,
        failed: bool,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        let Some(inner) = &self.0 else { return };
        // Without chance there are no numbers, and without numbers no traces.
        let (Ok(fresh), Ok(id)) = (random(), random()) else { return };
        let trace = parent.map_or(fresh, |parent| parent.trace);
        if !is_kept(parent, trace, inner.ratio) {
            return;
        }
        let parent = parent.map(|parent| parent.span);
        let span = Span { name, kind, start, end: clock::now_us(), failed, attributes, trace, id, parent };
        if inner.spans.try_send(span).is_err() {
            inner.overflowed.fetch_add(1, Relaxed);
        }
    }

    /// Runs one turn of a job as a span.
    pub async fn job(&self, name: &'static str, job: impl Future<Output = ()>) {
        let start = clock::now_us();
        job.await;
        if self.is_on() {
            self.finished((format!("job {name}").into(), Kind::Internal), start, None, false, Vec::new());
        }
    }
}
