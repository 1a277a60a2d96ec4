//! Moves a connection from hyper to a reactor.
//!
//! The route answers with the stream's head and an empty body that never ends, and puts the opened
//! stream into the connection's [`Parking`]. Once the kernel has the head, the connection is dissolved: the socket goes to
//! the reactor of its session, and task, buffers and request are freed.

use super::{
    hub::Hub,
    message::{LAST_CHUNK, chunk},
    meter::{ConnectionMeter, MeteredIo},
    open::{Handed, Opened},
    places::Place,
    reactor::Arrival,
};
use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    net::TcpStream,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use streamgauge_core::session::{cohort::Cohort, follow::Said};

/// The kernel holds at most about twice this for a reader that does not take it.
const SEND_BUFFER: usize = 64 * 1024;

/// A connection's place for a stream that is to be parked.
#[derive(Clone, Default)]
pub struct Parking(Arc<Mutex<Option<Opened>>>);

impl Parking {
    /// Returns the response's body.
    pub fn put(&self, opened: Opened) -> NeverBody {
        *self.0.lock() = Some(opened);
        NeverBody
    }

    pub fn take(&self) -> Option<Opened> {
        self.0.lock().take()
    }
}

/// Its frames are written by the reactor.
pub struct NeverBody;

impl http_body::Body for NeverBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Hands the socket over. If that fails, dropping the opened stream counts it as closed. `read`: bytes that hyper has read
/// beyond the request.
pub fn park(hub: &Hub, io: MeteredIo<ConnectionMeter>, read: usize, opened: Opened, place: Place) {
    let mut said = Said::default();
    if !said.more(read) {
        return;
    }
    let counted = io.counted();
    let Ok(socket) = io.into_std() else { return };
    bound_the_kernel(&socket);
    let mut bytes = chunk(&opened.text);
    if opened.ends {
        bytes.extend_from_slice(LAST_CHUNK);
    }
    let (told, ends, position, region) = (opened.told, opened.ends, opened.position, opened.region);
    let expires_in = opened.expires_in;
    let Some(Handed { subscription, broker, permit }) = opened.hand() else { return };
    let arrival = Arrival {
        socket,
        counted,
        session: subscription.leave.session().clone(),
        key: 0,
        cohort: Cohort::Stream,
        region,
        broker,
        opening: bytes.freeze(),
        told,
        ends,
        position,
        live: Vec::new(),
        permit,
        expires_in,
        said,
        place,
    };
    hub.park(subscription, arrival);
}

fn bound_the_kernel(socket: &TcpStream) {
    // Without it the kernel buffers megabytes for a slow reader, outside of our bounds.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER);
}
