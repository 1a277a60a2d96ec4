//! Parked streams: sockets whose head is sent, held by a thread that writes to them when there is something to say.
//!
//! No task, no channel, no timer and no buffer a stream; that is why an idle one costs less than a kilobyte. A reactor
//! owns its sessions, and one thread at a time is at work in it, so fan-out is one loop over a list of sockets, one
//! `write` each, all of the same bytes.
//!
//! That thread need not be the reactor's own. To wake it for ten writes costs more than the writes' own share, so
//! the thread that brings an event does them itself ([`Reactor::drive`]), if no other is at work and they are few. The
//! reactor's thread has the rest: crowds, sockets that stir, timers.

mod engine; // what a reactor holds: commands, sockets and timers change it
mod fan_out; // one event to all followers of a session
mod parked; // one socket: what is written, what waits, when it is looked at again
mod pending; // what a slow reader has not taken yet: bounded, conflated
mod sessions; // the sessions of a reactor, and who follows them
mod thread; // sleeps, and does what nobody else did

pub use thread::Thread;

use self::engine::Engine;
use super::{admission::Permit, limits::LiveLimits, message::Message, places::Place};
use crate::{broker::Broker, measure::Recorder};
use bytes::Bytes;
use kernel::send_many::Sender;
use kernel::socket_bytes::Carried;
use mio::{Poll, Token, Waker};
use std::{
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use streamgauge_core::{
    metric::region::Region,
    session::{
        cohort::Cohort,
        follow::Said,
        ids::{EventId, SessionId},
    },
};
use tokio::sync::Notify;

/// Commands that may wait before publishers are held back.
const BACKLOG: usize = 4_096;
/// Writes that the thread that brings an event does itself, at most: about a millisecond.
const LIGHT: u64 = 128;
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
    /// The stream ends then.
    pub expires_in: Option<Duration>,
    /// What came after the request.
    pub said: Said,
    /// The connection's place among all that the server may have open.
    pub place: Place,
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

impl Command {
    /// How many writes it asks for.
    fn weight(&self) -> u64 {
        match self {
            Command::Park(_) => 1,
            Command::Event { due, .. } => *due,
            Command::Drain { .. } => LIGHT + 1,
        }
    }
}

/// The way to a reactor. Cloning shares it.
#[derive(Clone)]
pub struct Reactor(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Length of the queue and of what was taken from it and is not done.
    backlog: AtomicUsize,
    less: Notify,
    /// After releasing it, the holder re-checks the queue: commands queued meanwhile are its responsibility.
    engine: Mutex<Engine>,
    /// The thread waits for sockets, or is about to: it must be woken.
    sleeps: AtomicBool,
    waker: Waker,
}

/// Bounded by [`Reactor::room`] for events, and by the number of connections for arrivals.
#[derive(Default)]
struct Queue {
    commands: Vec<Command>,
    weight: u64,
}

impl Reactor {
    /// The handle, and the thread that is to be run.
    pub fn new(limits: LiveLimits, recorder: Recorder) -> io::Result<(Reactor, Thread)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let sender = Sender::new().inspect_err(|error| {
            tracing::info!(%error, "no io_uring here: each delivery is a system call of its own");
        });
        let engine = Engine::new(poll.registry().try_clone()?, limits, recorder, sender.ok());
        let reactor = Reactor(Arc::new(Shared {
            queue: Mutex::default(),
            backlog: AtomicUsize::new(0),
            less: Notify::new(),
            engine: Mutex::new(engine),
            sleeps: AtomicBool::new(false),
            waker,
        }));
        Ok((reactor.clone(), Thread::new(poll, reactor)))
    }

    /// Queues it; it is done once somebody calls [`Reactor::drive`] or [`Reactor::wake`].
    pub fn push(&self, command: Command) {
        self.0.backlog.fetch_add(1, Ordering::Relaxed);
        let mut queue = self.queue();
        queue.weight += command.weight();
        queue.commands.push(command);
    }

    /// Makes sure that queued commands run: here and now if they are few, by the thread at work, or by the
    /// reactor's thread. Not under a lock that closing a stream takes: the hub's or a broker's.
    pub fn drive(&self) {
        let mut carried = 0;
        loop {
            let weight = {
                let queue = self.queue();
                if queue.commands.is_empty() {
                    return;
                }
                queue.weight
            };
            carried += weight;
            if carried > LIGHT {
                return self.wake();
            }
            let hurry = match self.0.engine.try_lock() {
                Ok(mut engine) => {
                    self.work(&mut engine);
                    engine.needs_wakeup()
                }
                Err(TryLockError::WouldBlock) => return,
                // The thread finds it in pieces too, and ends the process.
                Err(TryLockError::Poisoned(_)) => true,
            };
            if hurry {
                self.wake();
            }
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

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: somebody's panic left it in pieces.
    fn engine(&self) -> Option<MutexGuard<'_, Engine>> {
        self.0.engine.lock().ok()
    }

    /// Does all that is queued.
    fn work(&self, engine: &mut Engine) {
        let mut commands = engine.spare();
        {
            let mut queue = self.queue();
            std::mem::swap(&mut queue.commands, &mut commands);
            queue.weight = 0;
        }
        let count = commands.len();
        engine.apply(commands);
        let before = self.0.backlog.fetch_sub(count, Ordering::Relaxed);
        if before > BACKLOG {
            self.0.less.notify_waiters();
        }
    }

    /// Has the reactor's thread do what is queued. A system call only where it would not look by itself.
    pub fn wake(&self) {
        if self.0.sleeps.swap(false, Ordering::AcqRel)
            && let Err(error) = self.0.waker.wake()
        {
            tracing::error!(%error, "a reactor could not be woken; it looks again at its next timer");
        }
    }

    /// The thread is about to wait.
    fn sleeps(&self) {
        self.0.sleeps.store(true, Ordering::SeqCst);
    }

    fn has_work(&self) -> bool {
        !self.queue().commands.is_empty()
    }

    fn wakes(&self) {
        self.0.sleeps.store(false, Ordering::Relaxed);
    }
}
