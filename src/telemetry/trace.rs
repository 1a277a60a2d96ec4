//! The trace that the work at hand belongs to. Only where telemetry is on does any work have one.

use super::{Attribute, Inner, Kind, Span, Waited};
use crate::{chance::random, clock};
use std::{
    borrow::Cow,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use streamgauge_core::trace::{TraceParent, is_kept};
use tracing::Instrument;

tokio::task_local! {
    static CURRENT: Arc<Trace>;
}

/// Steps of one request that are kept. A batch of a thousand events must not push everybody else's spans out.
const MOST_STEPS: u32 = 32;

/// A request or a turn of a job that is under way.
pub struct Trace {
    inner: Arc<Inner>,
    trace: [u8; 16],
    id: [u8; 8],
    /// At the other side.
    parent: Option<[u8; 8]>,
    kept: bool,
    /// Unix µs.
    start: i64,
    steps: AtomicU32,
}

impl Trace {
    /// `None`: without chance there are no numbers, and without numbers no traces.
    pub(super) fn begin(inner: &Arc<Inner>, start: i64, parent: Option<TraceParent>) -> Option<Arc<Trace>> {
        let (fresh, id) = (random().ok()?, random().ok()?);
        let trace = parent.map_or(fresh, |parent| parent.trace);
        Some(Arc::new(Trace {
            inner: inner.clone(),
            trace,
            id,
            parent: parent.map(|parent| parent.span),
            kept: is_kept(parent, trace, inner.ratio),
            start,
            steps: AtomicU32::new(0),
        }))
    }

    /// Runs `work` as a part of it: its steps become spans, and what it logs names the trace, kept or not, since the
    /// publisher's side may have kept its own part.
    pub async fn scope<T>(self: Arc<Trace>, work: impl Future<Output = T>) -> T {
        // As an error, so that every line that is logged at all is in it.
        let span = tracing::error_span!("trace", trace_id = %Hex(&self.trace), span_id = %Hex(&self.id));
        CURRENT.scope(self, work.instrument(span)).await
    }

    /// It ends now. Its attributes hold no session, no user, no query and no header.
    pub fn finish(
        &self,
        name: Cow<'static, str>,
        kind: Kind,
        failed: bool,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        let span = Span {
            name,
            kind,
            start: self.start,
            end: clock::now_us(),
            failed,
            attributes,
            trace: self.trace,
            id: self.id,
            parent: self.parent,
            remote: self.parent.is_some(),
        };
        self.hand_in(span);
    }

    fn hand_in(&self, span: Span) {
        if self.kept && self.inner.spans.try_send(span).is_err() {
            self.inner.overflowed.fetch_add(1, Relaxed);
        }
    }

    /// Whether one more step is kept.
    fn has_room(&self) -> bool {
        self.kept && self.steps.fetch_add(1, Relaxed) < MOST_STEPS
    }
}

/// Where a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    PostgreSql,
    Redis,
    /// In this process.
    Here,
}

/// Runs `work` as one step of the current trace, if there is one that is kept. `failed`: whether the answer says so.
pub async fn step<T>(
    name: &'static str,
    system: System,
    failed: impl FnOnce(&T) -> bool,
    work: impl Future<Output = T>,
) -> T {
    let trace = CURRENT.try_with(Arc::clone).ok().filter(|trace| trace.has_room());
    let Some((trace, id)) = trace.and_then(|trace| Some((trace, random().ok()?))) else {
        return work.await;
    };
    let start = clock::now_us();
    let answer = work.await;
    let (kind, attributes) = match system {
        System::PostgreSql => (Kind::Client, vec![("db.system.name", Attribute::Text("postgresql".into()))]),
        System::Redis => (Kind::Client, vec![("db.system.name", Attribute::Text("redis".into()))]),
        System::Here => (Kind::Internal, Vec::new()),
    };
    trace.hand_in(Span {
        name: name.into(),
        kind,
        start,
        end: clock::now_us(),
        failed: failed(&answer),
        attributes,
        trace: trace.trace,
        id,
        parent: Some(trace.id),
        remote: false,
    });
    answer
}

/// A step that PostgreSQL does. Its time counts as a wait of the request at hand.
pub async fn database<T, E>(name: &'static str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let _wait = Waited::current().map(Waited::begin);
    step(name, System::PostgreSql, Result::is_err, work).await
}

/// `work` goes on in the trace that is current here, whatever task it runs on.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let trace = CURRENT.try_with(Arc::clone).ok();
    async move {
        match trace {
            Some(trace) => trace.scope(work).await,
            None => work.await,
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
