//! Parked streams: sockets whose head is sent, held by a thread that writes to them when there is something to say.
//!
//! No task, no channel, no timer and no buffer a stream; that is why an idle one costs less than a kilobyte. A reactor
//! owns its sessions, so fan-out takes no lock: one loop over a list of sockets, one `write` each, all of the same
//! bytes.

mod fan_out; // one event to all followers of a session
mod parked; // one socket: what is written, what waits, when it is looked at again
mod pending; // what a slow reader has not taken yet: bounded, conflated
mod sessions; // the sessions of a reactor, and who follows them
mod thread; // the loop: sockets, commands, timers

pub use thread::Thread;

use super::{knobs::Knobs, limits::Permit, message::Message};
use crate::{broker::Broker, gauge::Recorder};
use bytes::Bytes;
use kernel_bytes::Carried;
use mio::{Poll, Token, Waker};
use std::{
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use streamgauge_core::{
    cohort::Cohort,
    follow::Said,
    ids::{EventId, SessionId},
    region::Region,
};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Commands that may wait before publishers are held back.
const BACKLOG: usize = 4_096;
const WAKE: Token = Token(usize::MAX);

/// A socket on its way to the reactor.
pub struct Arrival {
    pub socket: TcpStream,
    /// What was read and written before.
    pub counted: Carried,
    pub session: SessionId,
    /// Set by the hub.
    pub key: u64,
    /// Set by the hub.
    pub cohort: Cohort,
    pub region: Region,
    pub broker: Arc<dyn Broker>,
    /// Retry, gap, snapshot or replay: the first chunk of the body.
    pub opening: Bytes,
    /// Events in it.
    pub told: u32,
    /// Its last event ends the session.
    pub ends: bool,
    /// What the follower knows once it has the opening.
    pub position: EventId,
    /// Set by the hub: what was queued for it meanwhile.
    pub live: Vec<Arc<Message>>,
    pub permit: Option<Box<Permit>>,
    /// The stream ends then, ms from now.
    pub expires_in_ms: Option<u32>,
    /// What came after the request.
    pub said: Said,
    /// The connection's place among all that the server may have open.
    pub place: OwnedSemaphorePermit,
}

pub enum Command {
    Park(Box<Arrival>),
    /// `due`: followers that the hub counted.
    Event {
        key: u64,
        due: u64,
        message: Arc<Message>,
    },
    Drain {
        window_ms: u32,
    },
}

/// The way to a reactor's thread. Cloning shares it.
#[derive(Clone)]
pub struct Reactor(Arc<Shared>);

struct Shared {
    /// Bounded by [`Reactor::room`] for events, and by the number of connections for arrivals.
    queue: Mutex<Vec<Command>>,
    /// Length of the queue and of what the thread took from it and has not done.
    backlog: AtomicUsize,
    less: Notify,
    /// The thread waits for sockets, or is about to: it must be woken.
    sleeps: AtomicBool,
    waker: Waker,
}

impl Reactor {
    /// The handle, and the thread that is to be run.
    pub fn new(knobs: Knobs, recorder: Recorder) -> io::Result<(Reactor, Thread)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let reactor = Reactor(Arc::new(Shared {
            queue: Mutex::default(),
            backlog: AtomicUsize::new(0),
            less: Notify::new(),
            sleeps: AtomicBool::new(false),
            waker,
        }));
        Ok((reactor.clone(), Thread::new(poll, reactor, knobs, recorder)))
    }

    pub fn push(&self, command: Command) {
        self.0.backlog.fetch_add(1, Ordering::Relaxed);
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        // A system call only where the thread would not look by itself.
        if self.0.sleeps.swap(false, Ordering::AcqRel)
            && let Err(error) = self.0.waker.wake()
        {
            tracing::error!(%error, "a reactor could not be woken; it looks again at its next timer");
        }
    }

    pub async fn room(&self) {
        while self.0.backlog.load(Ordering::Relaxed) > BACKLOG {
            let less = self.0.less.notified();
            if self.0.backlog.load(Ordering::Relaxed) > BACKLOG {
                less.await;
            }
        }
    }

    /// Takes all that waits.
    fn take(&self, commands: &mut Vec<Command>) {
        std::mem::swap(&mut *self.0.queue.lock().unwrap_or_else(PoisonError::into_inner), commands);
    }

    fn did(&self, commands: usize) {
        let before = self.0.backlog.fetch_sub(commands, Ordering::Relaxed);
        if before > BACKLOG {
            self.0.less.notify_waiters();
        }
    }

    /// Says that the thread is about to wait. `false`: something came meanwhile, so it must not.
    fn sleep(&self) -> bool {
        self.0.sleeps.store(true, Ordering::SeqCst);
        let empty = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !empty {
            self.0.sleeps.store(false, Ordering::Relaxed);
        }
        empty
    }

    fn wakes(&self) {
        self.0.sleeps.store(false, Ordering::Relaxed);
    }
}
