//! Every byte of a connection, attributed to what was asked on it, and the moment at which a response or a
//! delivery has left for the kernel.

use super::places::Watched;
use crate::{clock, measure::Recorder};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::rt::TokioIo;
use kernel::socket_bytes::Carried;
use parking_lot::{Mutex, MutexGuard};
use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use streamgauge_core::{
    metric::{
        measure::{counters::Counter, sample::Measure},
        region::Region,
    },
    session::cohort::Cohort,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// How long, and how many bytes, a client's input is still read after its last answer.
const PARTING: Duration = Duration::from_secs(1);
const LEFT_OVER: usize = 1024 * 1024;
/// How long a client may leave sent bytes unacknowledged, or its receive window closed, ms.
pub const STALL_MS: u32 = 20_000;

/// What a request is for, as far as its cost is part of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Pages, publishing, administration: not part of the comparison.
    Other,
    Stream(Cohort),
    Poll(Cohort),
}

/// Shared by a connection's socket and the requests on it. HTTP/1.1 answers one request at a time, so all
/// bytes between a request's first one and the next request's belong to it. On HTTP/2 each request has one of its own.
pub struct ConnectionMeter {
    recorder: Recorder,
    /// Only tasks of the connection's own thread take it, so it is never contended.
    state: Mutex<State>,
}

struct State {
    traffic: Traffic,
    /// First byte of the request (of the first one: the accept), Unix microseconds.
    started_us: Option<i64>,
    /// Bytes read since the last attribution: a request's head arrives before it is known what the request is for.
    unattributed: u64,
    /// A request whose answer has not begun to be sent.
    under_way: bool,
    /// The request's body has not arrived yet.
    awaits_body: bool,
    /// When the connection was accepted or answered last, Unix ms.
    quiet_since: i64,
    /// A request arrived or bytes were sent since [`ConnectionMeter::overstays`] looked.
    stirred: bool,
    /// The response's head is in the write buffer.
    answered: bool,
    /// How many streams that response opens; 0 for a 204.
    opens: u32,
    /// On HTTP/2: since when the answer waits for its client to make room, Unix ms. A stream's body is asked for what it has
    /// at least once a second while there is room, and begins anew each time.
    asked_for_more: Option<i64>,
    /// Where its follower is.
    region: Region,
    /// The node's own probe.
    silent: bool,
    /// Bytes of the request that is being answered, both ways.
    of_request: u64,
    /// Bytes read and written in all.
    read: u64,
    written: u64,
    /// The kernel has all of the last response.
    out: bool,
    /// The answer is a stream in hyper's hands, which reads nothing meanwhile: this looks for a closed connection. It is the
    /// connection's last.
    streams: bool,
    /// The stream was closed because its reader is slow: what is still in the write buffer is lost to that.
    slow: bool,
    /// Deliveries in the write buffer: when each was accepted; `None` for snapshots and replays.
    leaving: Vec<Option<i64>>,
}

/// What a socket reports of the bytes that pass over it.
pub trait Counts {
    fn read(&self, bytes: &[u8]);

    /// Bytes of these parts were written.
    fn written(&self, parts: &[IoSlice<'_>], bytes: usize);

    /// The kernel has all of the write buffer. Answers whether to check that the client is still connected.
    fn flushed(&self) -> bool;
}

impl Counts for ConnectionMeter {
    fn read(&self, bytes: &[u8]) {
        self.read(bytes.len());
    }

    fn written(&self, _: &[IoSlice<'_>], bytes: usize) {
        self.written(bytes);
    }

    fn flushed(&self) -> bool {
        self.flushed()
    }
}

impl ConnectionMeter {
    pub fn new(recorder: Recorder) -> ConnectionMeter {
        let now = clock::now_us();
        let state = State {
            traffic: Traffic::Other,
            started_us: Some(now),
            unattributed: 0,
            under_way: false,
            awaits_body: false,
            quiet_since: now / 1_000,
            stirred: true,
            answered: false,
            opens: 0,
            asked_for_more: None,
            region: Region::UNKNOWN,
            silent: false,
            of_request: 0,
            read: 0,
            written: 0,
            out: false,
            streams: false,
            slow: false,
            leaving: Vec::new(),
        };
        ConnectionMeter { recorder, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A new request, of an unknown purpose so far.
    pub fn request(&self) {
        let mut state = self.state();
        (state.under_way, state.stirred, state.awaits_body) = (true, true, false);
        state.streams = false;
        state.traffic = Traffic::Other;
        state.opens = 0;
        state.asked_for_more = None;
        state.out = false;
    }

    /// Nothing on this connection counts as traffic.
    pub fn silence(&self) {
        self.state().silent = true;
    }

    /// Sets the request's purpose, and counts it.
    pub fn classify(&self, traffic: Traffic) {
        {
            let mut state = self.state();
            if state.silent {
                return;
            }
            state.traffic = traffic;
        }
        let (kind, cohort) = match traffic {
            Traffic::Other => return,
            Traffic::Stream(cohort) => (Counter::StreamRequests, cohort),
            Traffic::Poll(cohort) => (Counter::PollRequests, cohort),
        };
        self.recorder.add(kind, 1);
        self.recorder
            .add(cohort_counter(cohort, Counter::StreamCohortRequests, Counter::PollCohortRequests), 1);
    }

    /// The answer will be `streams`: the time to its head is measured.
    pub fn opens(&self, streams: u32, region: Region) {
        let mut state = self.state();
        state.opens = streams;
        state.region = region;
    }

    /// A stream's body is asked for what it has, `at` Unix ms: its client took what came before.
    pub fn asked_for_more(&self, at: i64) {
        self.state().asked_for_more = Some(at);
    }

    /// The answer has something that is to be taken, or on the contrary has nothing to say for now. A stream's body tells by
    /// [`asked_for_more`](Self::asked_for_more).
    pub fn waits_for_room(&self, waits: bool, at: i64) {
        let mut state = self.state();
        if !matches!(state.traffic, Traffic::Stream(_)) {
            state.asked_for_more = waits.then_some(at);
        }
    }

    /// Its client has read nothing for too long.
    pub fn stalls(&self, now: i64) -> bool {
        self.state().asked_for_more.is_some_and(|at| now - at > STALL_MS.into())
    }

    /// The response is on its way into the write buffer. `streams`: it goes on until somebody ends it.
    pub fn answered(&self, streams: bool) {
        let mut state = self.state();
        state.answered = true;
        state.streams = streams;
    }

    /// The head of the last answer has left.
    pub fn is_out(&self) -> bool {
        self.state().out
    }

    /// Returns once nothing was asked, and nothing written, for about `quiet`, though no answer and no stream is due. Bytes
    /// that make no request do not count: a client that sends its head in drips is no better than a silent one.
    pub async fn overstays(&self, quiet: Duration) {
        const LOOKS: u32 = 5;
        let mut looks = 0;
        while looks < LOOKS {
            tokio::time::sleep(quiet / LOOKS).await;
            let mut state = self.state();
            let busy = std::mem::take(&mut state.stirred) || state.under_way || state.streams;
            looks = if busy { 0 } else { looks + 1 };
        }
    }

    /// The handler begins or stops waiting for more of the request's body.
    pub fn awaits_body(&self, awaits: bool) {
        self.state().awaits_body = awaits;
    }

    /// The stream is closed because its reader is slow.
    pub fn was_slow(&self) {
        self.state().slow = true;
    }

    /// A delivery is on its way into the write buffer.
    pub fn leaving(&self, accepted_us: Option<i64>) {
        self.state().leaving.push(accepted_us);
    }

    /// Its answer has not left yet.
    pub fn answers(&self) -> bool {
        self.state().answered
    }

    pub fn read(&self, bytes: usize) {
        let mut state = self.state();
        state.unattributed += bytes as u64;
        state.of_request += bytes as u64;
        state.read += bytes as u64;
        if state.started_us.is_none() {
            state.started_us = Some(clock::now_us());
        }
    }

    pub fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.stirred = true;
        state.written += bytes as u64;
        state.of_request += bytes as u64;
        let read = std::mem::take(&mut state.unattributed);
        let holds_events = bytes > 0 && !state.leaving.is_empty();
        let (incoming, outgoing, cohort) = match state.traffic {
            Traffic::Other => return,
            Traffic::Stream(cohort) => (Counter::StreamBytesIn, Counter::StreamBytesOut, cohort),
            Traffic::Poll(cohort) => (Counter::PollBytesIn, Counter::PollBytesOut, cohort),
        };
        drop(state);
        self.recorder.add(incoming, read);
        self.recorder.add(outgoing, bytes as u64);
        self.recorder.add(Counter::SocketWrites, holds_events.into());
        let both = cohort_counter(cohort, Counter::StreamCohortBytes, Counter::PollCohortBytes);
        self.recorder.add(both, read + bytes as u64);
    }

    /// The kernel has all of the write buffer. Answers whether to check that the client is still connected.
    pub fn flushed(&self) -> bool {
        let mut state = self.state();
        let look = state.streams;
        if !state.answered && state.leaving.is_empty() {
            return look;
        }
        let now = clock::now_us();
        let answered = std::mem::take(&mut state.answered);
        state.out |= answered;
        state.under_way &= !answered;
        if answered {
            state.quiet_since = now / 1_000;
        }
        if answered && let Some(started) = state.started_us.take() {
            match state.traffic {
                Traffic::Stream(_) if state.opens > 0 => {
                    let (opens, took) = (u64::from(state.opens), u64::try_from(now - started).unwrap_or(0));
                    let at = self.recorder.at(state.region);
                    at.add(Counter::ConnectEstablished, opens);
                    at.record_n(Measure::ConnectionEstablishment, took, opens);
                    self.recorder.add(Counter::OpeningBytes, state.of_request);
                }
                Traffic::Poll(_) => self.recorder.record_since(Measure::PollDuration, started, now),
                Traffic::Stream(_) | Traffic::Other => {}
            }
        }
        if answered {
            state.of_request = 0;
        }
        if state.silent {
            state.leaving.clear();
            return look;
        }
        let at = self.recorder.at(state.region);
        at.delivered(state.leaving.len() as u64);
        for accepted in state.leaving.drain(..).flatten() {
            at.record(Measure::DeliveryLatency, u64::try_from(now - accepted).unwrap_or(0));
        }
        look
    }
}

impl Watched for ConnectionMeter {
    fn quiet_since(&self) -> Option<i64> {
        let state = self.state();
        let is_due = state.streams || (state.under_way && !state.awaits_body);
        (!is_due).then_some(state.quiet_since)
    }
}

impl Drop for ConnectionMeter {
    fn drop(&mut self) {
        // Read since the last write, without an answer.
        self.written(0);
        let (lost, silent, slow, region) = {
            let state = self.state();
            (state.leaving.len() as u64, state.silent, state.slow, state.region)
        };
        match (silent, slow) {
            (true, _) => {}
            (false, true) => self.recorder.at(region).dropped_slow(lost),
            (false, false) => self.recorder.add(Counter::DroppedGone, lost),
        }
    }
}

/// Adds what the kernel says of a socket, and what was counted on it, to what the two are compared by.
pub fn reconcile(recorder: &Recorder, counted: Carried, socket: BorrowedFd<'_>) {
    let Ok(kernel) = kernel::socket_bytes::carried(socket) else { return };
    recorder.add(Counter::KernelBytesIn, kernel.received);
    recorder.add(Counter::KernelBytesOut, kernel.sent);
    recorder.add(Counter::MeterBytesIn, counted.received);
    recorder.add(Counter::MeterBytesOut, counted.sent);
}

fn cohort_counter(cohort: Cohort, stream: Counter, poll: Counter) -> Counter {
    match cohort {
        Cohort::Stream => stream,
        Cohort::Poll => poll,
    }
}

/// A request's body over HTTP/1. Its meter learns when the sender keeps the handler waiting.
pub struct Arriving {
    body: Incoming,
    meter: Arc<ConnectionMeter>,
    waits: bool,
}

impl Arriving {
    pub fn new(body: Incoming, meter: Arc<ConnectionMeter>) -> Arriving {
        Arriving { body, meter, waits: false }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if self.waits != polled.is_pending() {
            self.waits = polled.is_pending();
            self.meter.awaits_body(self.waits);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that tells its meter. hyper flushes it only after everything it buffered has been written.
pub struct MeteredIo<C> {
    socket: TokioIo<TcpStream>,
    meter: Arc<C>,
}

impl<C> MeteredIo<C> {
    pub fn new(socket: TcpStream, meter: Arc<C>) -> MeteredIo<C> {
        MeteredIo { socket: TokioIo::new(socket), meter }
    }

    /// Ready when the client has closed the connection or its sending half.
    fn is_left(&self, cx: &mut Context<'_>) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let seen = self.socket.inner().poll_peek(cx, &mut ReadBuf::uninit(&mut byte));
        matches!(seen, Poll::Ready(Ok(0) | Err(_)))
    }
}

impl MeteredIo<ConnectionMeter> {
    /// Bytes read and written so far.
    pub fn counted(&self) -> Carried {
        let state = self.meter.state();
        Carried { received: state.read, sent: state.written }
    }

    /// Compares with the kernel what was counted on a connection that is over.
    pub fn reconcile(&self) {
        if !self.meter.state().silent {
            reconcile(&self.meter.recorder, self.counted(), self.socket.inner().as_fd());
        }
    }

    /// Ends the connection so that the last answer arrives. A socket that is closed while bytes wait to be read (a body
    /// that was refused) is reset, and the answer with it: those are read and passed over, within bounds.
    pub async fn part(self) {
        let mut socket = self.socket.into_inner();
        let _ = socket.shutdown().await;
        let reading = async {
            let mut scratch = vec![0; 16 * 1024];
            let mut left = LEFT_OVER;
            while left > 0
                && let Ok(bytes @ 1..) = socket.read(&mut scratch).await
            {
                left = left.saturating_sub(bytes);
            }
        };
        let _ = timeout(PARTING, reading).await;
    }

    /// The bare socket, in non-blocking mode and out of tokio's hands.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.socket.into_inner().into_std()
    }
}

impl<C: Counts> Read for MeteredIo<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // hyper's cursor moves out of sight once lent, so the bytes take a short way over the stack.
        let mut buf = buf;
        let mut scratch = [MaybeUninit::uninit(); 8 * 1024];
        let room = buf.remaining().min(scratch.len());
        let mut filled = ReadBuf::uninit(&mut scratch[..room]);
        std::task::ready!(Pin::new(self.socket.inner_mut()).poll_read(cx, &mut filled))?;
        if filled.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.meter.read(filled.filled());
        buf.put_slice(filled.filled());
        Poll::Ready(Ok(()))
    }
}

impl<C: Counts> Write for MeteredIo<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.meter.written(&[IoSlice::new(buf)], written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.meter.written(bufs, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        if self.meter.flushed() && self.is_left(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it overstays within 200 ms, where 50 are borne, while `client` does something every 5 ms.
    async fn overstays(meter: &ConnectionMeter, client: impl Fn()) -> bool {
        let clock = async {
            loop {
                client();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let watched = async {
            tokio::select! {
                () = clock => {}
                () = meter.overstays(Duration::from_millis(50)) => {}
            }
        };
        timeout(Duration::from_millis(200), watched).await.is_ok()
    }

    #[tokio::test]
    async fn who_asks_nothing_overstays() {
        let meter = ConnectionMeter::new(Recorder::new(1));
        let answer = |streams| {
            meter.answered(streams);
            meter.written(10);
            meter.flushed();
        };
        assert!(overstays(&meter, || {}).await, "silent");
        assert!(overstays(&meter, || meter.read(1)).await, "a head byte by byte");
        meter.request();
        assert!(!overstays(&meter, || {}).await, "waits for its answer");
        assert!(!overstays(&meter, || meter.written(10)).await, "takes a long answer");
        answer(false);
        assert!(overstays(&meter, || {}).await, "answered, and silent since");
        let asks = || {
            meter.request();
            answer(false);
        };
        assert!(!overstays(&meter, asks).await, "asks now and then");
        meter.request();
        answer(true);
        assert!(!overstays(&meter, || {}).await, "a stream is open");
    }
}
