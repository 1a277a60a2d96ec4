//! The accept loop: each connection gets a meter, hyper's HTTP/1.1 and the router.

use super::meter::MeteredIo;
use crate::{gauge::Recorder, stop::stopped};
use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioTimer;
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tower::Service;

/// A client that has not sent its whole head by then is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Read and write buffer of a connection; also bounds the size of a request's head.
const BUFFER: usize = 16 * 1024;
/// How long a client may leave what it was sent unacknowledged, or its receive window shut, ms. hyper waits for a
/// blocked write without end, and all that time the stream would keep its place: the kernel ends it instead.
#[cfg(target_os = "linux")]
const STALL_MS: u32 = 20_000;
/// How long open requests may take to finish after the last stream was told to reconnect.
const FAREWELL: Duration = Duration::from_secs(8);

/// Serves until `stop`, then lets every connection finish what it is at. `most`: connections at once.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    recorder: Recorder,
    most: usize,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(most));
    loop {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit,
            () = stopped(&mut stop) => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((socket, _)) => {
                let connection = serve_one(socket, router.clone(), recorder.clone(), stop.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => rest_after(&error).await,
        }
    }
    drop(listener);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    if timeout(FAREWELL, room.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not finish in time and are cut");
    }
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

async fn serve_one(socket: TcpStream, router: Router, recorder: Recorder, mut stop: watch::Receiver<bool>) {
    // Frames are small and must not wait for each other.
    let _ = socket.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&socket, STALL_MS);
    let io = MeteredIo::new(socket, recorder);
    let meter = io.meter();
    let service = service_fn(move |mut request: Request<Incoming>| {
        meter.request();
        request.extensions_mut().insert(meter.clone());
        let (meter, mut router) = (meter.clone(), router.clone());
        async move {
            let response: Response<Body> = router.call(request.map(Body::new)).await?;
            meter.answered();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    // An error here is the client's: it left, or spoke no HTTP. hyper has answered what could be answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
