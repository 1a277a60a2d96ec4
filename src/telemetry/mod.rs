//! OpenTelemetry by OTLP, where an endpoint is configured. A collector that is away holds nobody up and fills no memory:
//! what does not fit is dropped and counted.

mod encode; // spans and metrics as OTLP's messages
mod exporter; // sends them
mod trace; // what is under way, its steps, and what the log calls it
mod waited; // how long a request waits for PostgreSQL

pub use exporter::{Exporter, Source};
pub use trace::{System, Trace, carried, database, step};
pub use waited::Waited;

use crate::clock;
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use streamgauge_core::{settings::config::Otlp, trace::TraceParent};
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
    /// The buffer was full.
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
    /// Something that it asks another to do.
    Client,
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
    /// The parent stands at the other side.
    remote: bool,
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

    /// A request or a turn of a job that begins at `start` (Unix µs), in a trace of its own or in the parent's. `None`: off.
    pub fn begin(&self, start: i64, parent: Option<TraceParent>) -> Option<Arc<Trace>> {
        Trace::begin(self.0.as_ref()?, start, parent)
    }

    /// Runs one turn of a job as a span.
    pub async fn job<T>(&self, name: &'static str, job: impl Future<Output = T>) -> T {
        let Some(trace) = self.begin(clock::now_us(), None) else { return job.await };
        let done = trace.clone().scope(job).await;
        trace.finish(format!("job {name}").into(), Kind::Internal, false, Vec::new());
        done
    }
}
