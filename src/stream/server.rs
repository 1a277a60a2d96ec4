//! The accept loop: each connection gets a worker, a meter, hyper and the router; a stream's socket leaves for a reactor.

use super::{
    hub::Hub,
    meter::{Arriving, ConnectionMeter, MeteredIo, STALL_MS},
    multiplexed::{Multiplexed, Passing, Turn},
    parking::{Parking, park},
    places::{AddressFull, Connection, Listed, Place, Places},
    worker_pool::WorkerPool,
};
use crate::{measure::Recorder, stop::stopped};
use axum::{body::Body, response::Response};
use futures::{
    FutureExt, TryFutureExt,
    future::{AbortHandle, Abortable, BoxFuture},
};
use http::{HeaderValue, Request, header};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io::{self, Write as _},
    net::{self, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};

/// A client that has sent nothing by then is disconnected.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// One that has not sent its whole head by about then, too, and a kept connection on which nothing is asked: a publisher
/// that reports every ten seconds must not meet a connection that is just being closed. hyper would make a timer a
/// request for that; here a connection has one, which looks now and then.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Read and write buffer of a connection at most; a head that does not fit is answered by hyper, without a body.
const BUFFER: usize = 64 * 1024;
/// Requests of one HTTP/2 connection at once: nearly all of them streams.
const MULTIPLEXED: u32 = 128;
/// Requests of one HTTP/2 connection at once that are neither streams nor publishing. Further ones wait. Otherwise a client
/// that reads none of its answers could have 128 of them made.
const TURNS: usize = 16;
/// How long open requests may take to finish after the last stream has ended.
const FAREWELL: Duration = Duration::from_secs(8);

/// Where a request came from.
pub struct Caller {
    /// Address of the connection's other end.
    pub peer: SocketAddr,
    pub meter: Arc<ConnectionMeter>,
    /// On HTTP/1, where the connection's socket can be parked.
    pub parking: Option<Parking>,
    pub connection: Arc<Connection>,
    /// On HTTP/2: requests that are neither streams nor publishing take turns.
    turns: Option<Arc<Semaphore>>,
}

impl Caller {
    /// Waits until one more such request may be answered. The turn ends when all of its answer is taken: put it into the
    /// response's extensions. `None`: over HTTP/1 a connection has one request at a time.
    pub async fn turn(&self) -> Option<Turn> {
        Turn::take(self.turns.clone()?).await
    }
}

/// Answers any request.
pub type Answers =
    Arc<dyn Fn(Request<Body>, &Arc<Caller>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// What every connection is served with.
#[derive(Clone)]
pub struct Serving {
    pub answers: Answers,
    pub recorder: Recorder,
    pub hub: Hub,
    /// Tells connections to finish their requests.
    pub stop: watch::Receiver<bool>,
}

/// Serves until `serving.stop`, then lets every connection finish: the streams have left by then.
pub async fn serve(listener: TcpListener, workers: &WorkerPool, serving: Serving, places: Places) {
    let mut stop = serving.stop.clone();
    loop {
        let permit = tokio::select! {
            permit = places.take() => permit,
            () = stopped(&mut stop) => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted.and_then(|(socket, peer)| Ok((socket.into_std()?, peer))) {
            Ok((socket, peer)) => {
                let (cut, cuts) = AbortHandle::new_pair();
                match places.admit(permit, peer.ip(), cut) {
                    Ok((place, listed)) => {
                        let serving = serving.clone();
                        let serve = move || serve_one(serving, socket, peer, place, listed);
                        workers.give(move || Abortable::new(serve(), cuts).map(drop)).await;
                    }
                    Err(AddressFull) => refuse(socket),
                }
            }
            Err(error) => rest_after(&error).await,
        }
    }
    drop(listener);
    if timeout(FAREWELL, places.all_free()).await.is_err() {
        tracing::warn!("some connections did not finish in time and are cut");
    }
}

/// The address has too many connections. Nothing is read; the refusal fits into an empty socket buffer.
fn refuse(mut socket: net::TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 5\r\n\
        content-type: text/plain; charset=utf-8\r\ncontent-length: 55\r\n\r\n\
        This address has as many connections as it is allowed.\n";
    // The client may have left already, and nothing waits for this.
    let _ = socket.write(ANSWER);
    let _ = socket.shutdown(net::Shutdown::Write);
}

/// Out of file descriptors, accepting fails at once and again: without a pause the loop would spin.
async fn rest_after(error: &io::Error) {
    let of_the_client =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !of_the_client {
        tracing::error!(%error, "cannot accept connections; trying again in 100 ms");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn serve_one(serving: Serving, socket: net::TcpStream, peer: SocketAddr, place: Place, listed: Listed) {
    // Fails only where the kernel is out of memory.
    let Ok(socket) = TcpStream::from_std(socket) else { return };
    // Frames are small and must not wait for each other.
    let _ = socket.set_nodelay(true);
    #[cfg(target_os = "linux")]
    // hyper waits for a blocked write without a limit, and the stream would keep its place: the kernel ends it instead.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&socket, STALL_MS);
    match timeout(FIRST_WORD, speaks_http2(&socket)).await {
        Ok(Ok(true)) => serve_http2(serving, socket, peer, &listed.connection).await,
        Ok(Ok(false)) => serve_http1(serving, socket, peer, place, listed).await,
        Ok(Err(_)) | Err(_) => {}
    }
}

/// HTTP/2 begins with a preface that no HTTP/1 request begins with.
async fn speaks_http2(socket: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = socket.peek(&mut first).await?;
        if seen == PREFACE.len() || seen == 0 || first[..seen] != PREFACE[..seen] {
            return Ok(seen == PREFACE.len() && first == PREFACE);
        }
        // A client that sends its first line byte by byte: peeking again at once would spin.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

fn answer(request: Request<Body>, answers: &Answers, caller: Arc<Caller>) -> Answering {
    caller.meter.request();
    let answering = answers(request, &caller);
    Box::pin(async move {
        let mut response = answering.await;
        let streams = caller.parking.is_some() && is_stream(&response);
        if streams {
            // A stream ends its connection: once it is parked, no hyper is there to read a second request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        caller.meter.answered(streams);
        Ok(response)
    })
}

/// Whether it is a stream. An answer whose length is known is not.
fn is_stream(response: &Response<Body>) -> bool {
    let kind = || response.headers().get(header::CONTENT_TYPE);
    let is_sse = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/event-stream");
    response.body().size_hint().exact().is_none() && kind().is_some_and(is_sse)
}

enum End {
    Closed,
    Park(Box<super::Opened>),
}

async fn serve_http1(serving: Serving, socket: TcpStream, peer: SocketAddr, place: Place, listed: Listed) {
    let Serving { answers, recorder, hub, mut stop } = serving;
    let (meter, parking) = (Arc::new(ConnectionMeter::new(recorder)), Parking::default());
    let io = MeteredIo::new(socket, meter.clone());
    listed.connection.watch(meter.clone());
    let caller = Arc::new(Caller {
        peer,
        meter: meter.clone(),
        parking: Some(parking.clone()),
        connection: listed.connection.clone(),
        turns: None,
    });
    let service = service_fn(move |request: Request<Incoming>| {
        let request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(Arriving::new(body, caller.meter.clone())),
        });
        answer(request, &answers, caller.clone())
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        // A client may half-close after its last request and wait. Streams check themselves whether their client is connected.
        .half_close(true)
        .serve_connection(io, service);
    let end = {
        let told = stop.clone();
        let mut stopping = pin!(async move { stopped(&mut stop).await });
        let (mut listens, mut stops) = (false, false);
        let mut overstays = pin!(meter.overstays(HEAD_TIMEOUT));
        poll_fn(|cx| {
            // Each poll takes locks, and this task wakes for every request, so the future is polled once until it is woken.
            if !stops && (!listens || told.has_changed().unwrap_or(true)) {
                listens = true;
                stops = stopping.as_mut().poll(cx).is_ready();
                if stops {
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
            // An error here is the client's: it left, or spoke no HTTP. hyper has answered what could be answered.
            if connection.poll_without_shutdown(cx).is_ready() || overstays.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Closed);
            }
            // The kernel has the head, and nothing of the body was made yet: now the socket can be handed over.
            match meter.is_out().then(|| parking.take()).flatten() {
                Some(opened) => Poll::Ready(End::Park(Box::new(opened))),
                None => Poll::Pending,
            }
        })
        .await
    };
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    match end {
        End::Closed => {
            io.reconcile();
            io.part().await;
        }
        End::Park(opened) => {
            // The socket's byte counter goes with the connection; the reactor counts on. A parked stream is not closed
            // for others, so it leaves the list.
            drop((meter, parking, listed));
            park(&hub, io, read_buf.len(), *opened, place);
        }
    }
}

async fn serve_http2(serving: Serving, socket: TcpStream, peer: SocketAddr, connection: &Arc<Connection>) {
    let Serving { answers, recorder, mut stop, .. } = serving;
    let shared = Arc::new(Multiplexed::new(recorder));
    connection.watch(shared.clone());
    let (connection, turns) = (connection.clone(), Arc::new(Semaphore::new(TURNS)));
    let io = MeteredIo::new(socket, shared.clone());
    let requests = shared.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let meter = requests.request();
        let request = request.map(|body| Body::new(Passing::of_request(body, meter.clone())));
        let (connection, turns) = (connection.clone(), Some(turns.clone()));
        let caller = Arc::new(Caller { peer, meter: meter.clone(), parking: None, connection, turns });
        let answering = answer(request, &answers, caller);
        answering.map_ok(|mut answer| {
            let turn = answer.extensions_mut().remove::<Turn>();
            answer.map(|body| Body::new(Passing::of_answer(body, meter, turn)))
        })
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MULTIPLEXED)
        .max_header_list_size(BUFFER as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stop) => {}
        () = shared.overstays(HEAD_TIMEOUT) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(FAREWELL, connection).await;
}
