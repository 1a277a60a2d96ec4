//! HTTP/2: several requests share a connection, and each has a meter of its own.
//!
//! Bytes of bodies are counted as they pass. The rest is read from the frames on the socket. Heads count for the requests
//! that arrived with them, in equal shares, because HPACK shortens a head by those before it. Settings, pings and window
//! updates count for all open requests.

use super::{
    meter::{ConnectionMeter, Counts},
    places::Watched,
};
use crate::{clock, measure::Recorder};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use std::{
    io::IoSlice,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The head of a frame: length (3 bytes), kind, flags, stream (4 bytes).
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// A frame of any kind that belongs to no request.
const SETTINGS: u8 = 4;
/// The preface that a client sends before its first frame.
const PREFACE: usize = 24;
/// No frame carries more unless the other end allows it.
const LARGEST: usize = 16_384;

/// Shared by the connection's socket and its requests.
pub struct Multiplexed {
    recorder: Recorder,
    /// A request arrived since the last check.
    asked: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// The open requests, and those that have ended since the last flush.
    open: Vec<Arc<ConnectionMeter>>,
    /// When it was accepted, or when the last answer was read, Unix ms.
    quiet_since: i64,
    incoming: Passed,
    outgoing: Passed,
}

impl Multiplexed {
    pub fn new(recorder: Recorder) -> Multiplexed {
        let (incoming, outgoing) = (Passed::after(PREFACE), Passed::after(0));
        Multiplexed {
            recorder,
            asked: AtomicBool::new(false),
            state: Mutex::new(State { open: Vec::new(), quiet_since: clock::now_ms(), incoming, outgoing }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A new request, whose head was read.
    pub fn request(&self) -> Arc<ConnectionMeter> {
        self.asked.store(true, Relaxed);
        let meter = Arc::new(ConnectionMeter::new(self.recorder.clone()));
        let mut state = self.state();
        // One read may bring several requests; the others follow.
        meter.read(state.incoming.one_head());
        state.open.push(meter.clone());
        meter
    }
}

impl Multiplexed {
    /// Returns once no request was open for about `quiet`, or a stream is not taken any more: what the kernel knows of a
    /// socket that is stuck it does not know of a stream that is. hyper lets a client stay that answers pings and asks
    /// nothing, that never gets as far as asking, or that gives a stream no room.
    pub async fn overstays(&self, quiet: Duration) {
        const LOOKS: u32 = 5;
        let mut looks = 0;
        while looks < LOOKS {
            tokio::time::sleep(quiet / LOOKS).await;
            let state = self.state();
            let open = || state.open.iter().filter(|one| Arc::strong_count(one) > 1);
            let now = clock::now_ms();
            if open().any(|one| one.stalls(now)) {
                return;
            }
            looks = if self.asked.swap(false, Relaxed) || open().next().is_some() { 0 } else { looks + 1 };
        }
    }
}

impl Watched for Multiplexed {
    fn quiet_since(&self) -> Option<i64> {
        let state = self.state();
        let is_due = |one: &&Arc<ConnectionMeter>| Arc::strong_count(one) > 1 && one.quiet_since().is_none();
        state.open.iter().find(is_due).is_none().then_some(state.quiet_since)
    }
}

/// One of the requests that a connection may have at once, until all of its answer is read.
#[derive(Clone)]
pub struct Turn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Turn {
    pub async fn take(turns: Arc<Semaphore>) -> Option<Turn> {
        turns.acquire_owned().await.ok().map(|permit| Turn { _permit: Arc::new(permit) })
    }
}

impl Counts for Multiplexed {
    fn read(&self, bytes: &[u8]) {
        self.state().incoming.pass(bytes);
    }

    fn written(&self, parts: &[IoSlice<'_>], mut bytes: usize) {
        let mut state = self.state();
        for part in parts {
            let some = &part[..bytes.min(part.len())];
            state.outgoing.pass(some);
            bytes -= some.len();
        }
    }

    fn flushed(&self) -> bool {
        let mut state = self.state();
        let State { open, quiet_since, incoming, outgoing } = &mut *state;
        share(open.iter(), &mut incoming.others, ConnectionMeter::read);
        // One that is not answered yet may not say yet what it is, and what is written for it would count for nothing.
        share(open.iter().filter(|one| one.is_out()), &mut outgoing.others, ConnectionMeter::written);
        share(open.iter().filter(|one| one.answers()), &mut outgoing.heads, ConnectionMeter::written);
        open.retain(|one| {
            one.flushed();
            // No other holder: it was answered, and the whole answer was read.
            let stays = Arc::strong_count(one) > 1;
            if !stays {
                *quiet_since = one.quiet_since().unwrap_or(*quiet_since);
            }
            stays
        });
        false
    }
}

/// Equal shares, the first ones a byte more. Without an open request they wait.
fn share<'a>(
    among: impl Iterator<Item = &'a Arc<ConnectionMeter>> + Clone,
    bytes: &mut usize,
    give: fn(&ConnectionMeter, usize),
) {
    let count = among.clone().count();
    if *bytes == 0 || count == 0 {
        return;
    }
    for (place, one) in among.enumerate() {
        give(one, *bytes / count + usize::from(place < *bytes % count));
    }
    *bytes = 0;
}

/// What passed in one direction, bodies apart.
struct Passed {
    /// Bytes of requests' or answers' heads, and how many heads that were.
    heads: usize,
    count: usize,
    /// Bytes of frames that belong to no request.
    others: usize,
    /// The present frame: its kind, and its bytes that have not passed yet.
    kind: u8,
    left: usize,
    /// What has arrived of the next frame's head.
    head: [u8; HEAD],
    have: usize,
}

impl Passed {
    /// Bytes before the first frame.
    fn after(left: usize) -> Passed {
        Passed { heads: 0, count: 0, others: 0, kind: SETTINGS, left, head: [0; HEAD], have: 0 }
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let some = if self.left > 0 {
                let some = self.left.min(bytes.len());
                self.left -= some;
                self.add(some);
                some
            } else {
                let some = (HEAD - self.have).min(bytes.len());
                self.head[self.have..self.have + some].copy_from_slice(&bytes[..some]);
                self.have += some;
                if self.have == HEAD {
                    self.begin();
                }
                some
            };
            bytes = &bytes[some..];
        }
    }

    fn begin(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
        (self.kind, self.have) = (kind, 0);
        self.count += usize::from(kind == HEADERS);
        self.add(HEAD);
    }

    fn add(&mut self, bytes: usize) {
        match self.kind {
            DATA => {}
            HEADERS | CONTINUATION => self.heads += bytes,
            _ => self.others += bytes,
        }
    }

    /// Takes the share of one head.
    fn one_head(&mut self) -> usize {
        let share = self.heads.checked_div(self.count).unwrap_or_default();
        self.heads -= share;
        self.count = self.count.saturating_sub(1);
        share
    }
}

/// A body, counted as it passes, with the heads of its frames.
pub struct Passing<B> {
    body: B,
    meter: Arc<ConnectionMeter>,
    count: fn(&ConnectionMeter, usize),
    is_answer: bool,
    _turn: Option<Turn>,
}

impl<B> Passing<B> {
    pub fn of_request(body: B, meter: Arc<ConnectionMeter>) -> Passing<B> {
        Passing { body, meter, count: ConnectionMeter::read, is_answer: false, _turn: None }
    }

    /// hyper polls nothing before the client has room in its window.
    pub fn of_answer(body: B, meter: Arc<ConnectionMeter>, turn: Option<Turn>) -> Passing<B> {
        meter.asked_for_more(clock::now_ms());
        Passing { body, meter, count: ConnectionMeter::written, is_answer: true, _turn: turn }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Passing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if self.is_answer {
            // Asked again once there is room for more, and until then what was handed out is not taken.
            self.meter.waits_for_room(polled.is_ready(), clock::now_ms());
        } else {
            self.meter.awaits_body(polled.is_pending());
        }
        let frame = ready!(polled);
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            (self.count)(&self.meter, data.len() + HEAD * data.len().div_ceil(LARGEST).max(1));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_nothing_is_quiet() {
        let connection = Multiplexed::new(Recorder::new(1));
        let mut quiet = std::pin::pin!(connection.overstays(Duration::from_millis(50)));
        let open = connection.request();
        let waited = tokio::time::timeout(Duration::from_millis(200), quiet.as_mut()).await;
        assert!(waited.is_err(), "a stream is open");
        drop(open);
        assert!(tokio::time::timeout(Duration::from_secs(5), quiet).await.is_ok());
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let frame =
            |kind: u8, bytes: u8| [&[0, 0, bytes, kind, 0, 0, 0, 0, 1][..], &vec![7; bytes.into()]].concat();
        let said = [
            vec![7; PREFACE],
            frame(SETTINGS, 12),
            frame(HEADERS, 200),
            frame(CONTINUATION, 3),
            frame(DATA, 100),
            frame(HEADERS, 0),
            frame(DATA, 0),
            frame(6, 8),
        ]
        .concat();
        for size in 1..=said.len() {
            let mut passed = Passed::after(PREFACE);
            said.chunks(size).for_each(|some| passed.pass(some));
            assert_eq!((passed.heads, passed.count), (3 * HEAD + 203, 2), "{size} bytes a piece");
            assert_eq!(passed.others, PREFACE + 2 * HEAD + 12 + 8, "{size} bytes a piece");
            assert_eq!((passed.one_head(), passed.one_head(), passed.one_head()), (115, 115, 0));
        }
    }
}
