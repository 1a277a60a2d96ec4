//! Answers that wait to be sent: pages, panels, charts, files, the API. A client that asks and does not read would fill
//! the memory with them, so there is room for so many bytes of one connection and of all.
//!
//! Room is reserved before an answer is made, and belongs to its bytes: it is free again when the last of them has been
//! written to the socket or dropped. Streams and publishing need none.

use super::problem::Problem;
use crate::stream::{Caller, Connection};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread::available_parallelism,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Room is counted in units of so many bytes.
const UNIT: usize = 1_000;
/// Room for all answers, bytes.
const ALL: usize = 64_000_000;
/// Room for the answers of one connection, and so the largest answer, bytes: 10,000 rows of the history are 31 MB.
const OF_ONE: usize = 40_000_000;
/// What an answer may come to, before it is known: a page with its figures, bytes.
const EXPECTED: usize = 500_000;
/// A file out of the program is not copied, but its request costs a little, bytes.
const FILE: usize = 16_000;
/// Answers that are made at the same time, beyond one a core. More at once would take longer together, more memory, and
/// every connection to PostgreSQL from what has to be stored.
const MAKING: usize = 1;
/// How long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(3);
/// While room is short, a connection that has taken nothing of its answer for so long is closed.
const TAKES_NOTHING: Duration = Duration::from_secs(3);
/// After a request had to wait, room counts as short for so long.
const SHORT_FOR: Duration = Duration::from_secs(10);
/// So many bytes are handed on at once: as long as they wait, the client has taken nothing.
const PIECE: usize = 16 * 1024;

/// The body is part of the program: it lies in memory once, however often it is sent.
#[derive(Clone)]
pub struct InProgram;

#[derive(Clone)]
pub struct Unsent {
    all: Arc<All>,
    making: Arc<Semaphore>,
}

struct All {
    room: Arc<Semaphore>,
    short_until: Mutex<Option<Instant>>,
}

impl Default for Unsent {
    fn default() -> Unsent {
        let room = Arc::new(Semaphore::new(ALL / UNIT));
        let all = Arc::new(All { room, short_until: Mutex::default() });
        Unsent { all, making: making() }
    }
}

fn making() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAKING + available_parallelism().map_or(2, usize::from)))
}

/// The layer of everything that is made for its request.
pub async fn made(State(unsent): State<Unsent>, request: Request, next: Next) -> Response {
    unsent.within(EXPECTED, request, next).await
}

/// The layer of files, and of what is as small.
pub async fn stored(State(unsent): State<Unsent>, request: Request, next: Next) -> Response {
    unsent.within(FILE, request, next).await
}

impl Unsent {
    /// The same room for other routes, which are not made slower by those.
    pub fn beside(&self) -> Unsent {
        Unsent { all: self.all.clone(), making: making() }
    }

    async fn within(self, bytes: usize, request: Request, next: Next) -> Response {
        let Some(caller) = request.extensions().get::<Arc<Caller>>().cloned() else {
            return next.run(request).await;
        };
        let own = caller.connection.room(|| Arc::new(Semaphore::new(OF_ONE / UNIT)));
        let Some(room) = self.reserve(&own, bytes).await else { return full() };
        let making = timeout(PATIENCE, self.making.acquire()).await;
        if making.is_err() {
            return full();
        }
        let response = next.run(request).await;
        // An answer that turns out larger than was reserved waits for more room, and further ones are not made meanwhile.
        let response = self.hold(room, response, &own, &caller.connection).await;
        drop(making);
        response
    }

    /// Waits for room, first that of the connection. `None`: there is none.
    async fn reserve(&self, own: &Arc<Semaphore>, bytes: usize) -> Option<Room> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let all = &self.all.room;
        let take = async {
            let own = own.clone().acquire_many_owned(units).await.ok()?;
            if all.available_permits() < units as usize {
                *self.all.short_until.lock() = Some(Instant::now() + SHORT_FOR);
            }
            Some(Room { own, all: all.clone().acquire_many_owned(units).await.ok()? })
        };
        timeout(PATIENCE, take).await.ok()?
    }

    fn is_short(&self) -> bool {
        let until = self.all.short_until.lock();
        until.is_some_and(|until| Instant::now() < until)
    }

    /// The answer, whose bytes have the room until they are sent.
    async fn hold(
        &self,
        mut room: Room,
        response: Response,
        own: &Arc<Semaphore>,
        connection: &Arc<Connection>,
    ) -> Response {
        let (mut parts, body) = response.into_parts();
        let is_stream = parts.headers.get(header::CONTENT_TYPE);
        if is_stream.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Response::from_parts(parts, body);
        }
        let is_in_program = parts.extensions.remove::<InProgram>().is_some();
        let whole = match Limited::new(body, OF_ONE).collect().await {
            Ok(whole) => whole.to_bytes(),
            Err(error) => {
                tracing::error!(error, "an answer could not be made, or is larger than 40 MB");
                let detail = "The answer is larger than 40 MB. Ask for less of it.";
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
            }
        };
        // What is not needed goes back, but for what any answer costs.
        let needed = if is_in_program { FILE } else { whole.len().max(FILE) };
        match needed.div_ceil(UNIT).checked_sub(room.units()) {
            None | Some(0) => room.shrink(needed.div_ceil(UNIT)),
            Some(more) => match self.reserve(own, more * UNIT).await {
                Some(more) => room.grow(more),
                None => return full(),
            },
        }
        if whole.is_empty() {
            return Response::from_parts(parts, Body::empty());
        }
        let held = Arc::new(Held { _room: room, left: AtomicUsize::new(whole.len()) });
        tokio::spawn(watch(Arc::downgrade(&held), self.clone(), connection.clone()));
        Response::from_parts(parts, Body::new(Pieces { rest: whole, held }))
    }
}

/// Reserved of a connection's room and of all.
struct Room {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Room {
    fn units(&self) -> usize {
        self.all.num_permits()
    }

    fn shrink(&mut self, units: usize) {
        let spare = self.units().saturating_sub(units);
        drop((self.own.split(spare), self.all.split(spare)));
    }

    fn grow(&mut self, more: Room) {
        self.own.merge(more.own);
        self.all.merge(more.all);
    }
}

fn full() -> Response {
    Problem::away("The server makes and holds as many answers as it has room for.").into_response()
}

/// Closes the connection if it takes nothing while room is short. It holds nothing itself that waits.
async fn watch(held: Weak<Held>, unsent: Unsent, connection: Arc<Connection>) {
    let (mut seen, mut since) = (usize::MAX, Instant::now());
    loop {
        tokio::time::sleep(TAKES_NOTHING / 3).await;
        let Some(held) = held.upgrade() else { return };
        let left = held.left.load(Relaxed);
        if left != seen {
            (seen, since) = (left, Instant::now());
        } else if unsent.is_short() && since.elapsed() >= TAKES_NOTHING {
            tracing::debug!(
                left,
                "a client does not read its answer while room is short: its connection is closed"
            );
            connection.cut();
            return;
        }
    }
}

/// The room of one answer.
struct Held {
    _room: Room,
    /// Bytes that are not written to the socket yet.
    left: AtomicUsize,
}

/// An answer's body, piece by piece: HTTP/2 asks for the next one when its client has made room for it.
struct Pieces {
    rest: Bytes,
    held: Arc<Held>,
}

/// Bytes on their way through hyper.
struct Piece {
    bytes: Bytes,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.left.fetch_sub(self.bytes.len(), Relaxed);
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let bytes = self.rest.split_to(length);
        let piece = Piece { bytes, held: self.held.clone() };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(ALL / UNIT))
    }

    #[tokio::test]
    async fn room_is_free_again_when_the_last_byte_is_gone() {
        let (unsent, own) = (Unsent::default(), own());
        let free = || (unsent.all.room.available_permits(), own.available_permits());
        let all = free();
        let mut room = unsent.reserve(&own, EXPECTED).await.expect("room");
        assert_eq!(free(), (all.0 - EXPECTED / UNIT, all.1 - EXPECTED / UNIT));
        room.shrink(40);
        room.grow(unsent.reserve(&own, 2 * UNIT).await.expect("room"));
        let kept = (all.0 - 42, all.1 - 42);
        assert_eq!(free(), kept);
        let whole = Bytes::from(vec![7; 40_000]);
        let held = Arc::new(Held { _room: room, left: AtomicUsize::new(whole.len()) });
        let mut body = Pieces { rest: whole, held: held.clone() };
        let mut pieces = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            pieces.push(frame.into_data().expect("data"));
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE, PIECE, 40_000 - 2 * PIECE]);
        drop(body);
        pieces.remove(0);
        assert_eq!(held.left.load(Relaxed), 40_000 - PIECE);
        drop(held);
        assert_eq!(free(), kept, "two pieces wait");
        pieces.clear();
        assert_eq!(free(), all);
    }

    #[tokio::test]
    async fn at_the_bound_a_request_waits_until_there_is_room() {
        let (unsent, own) = (Unsent::default(), own());
        let all = unsent.reserve(&own, ALL - UNIT).await.expect("room");
        assert!(!unsent.is_short());
        let waiting = tokio::spawn({
            let unsent = unsent.clone();
            let other = Arc::new(Semaphore::new(10));
            async move { unsent.reserve(&other, 2 * UNIT).await.is_some() }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished() && unsent.is_short());
        drop(all);
        assert!(waiting.await.expect("it ran"));
    }
}
