//! A thread of the load. All of a session's streams and its publisher belong to one thread, so no thread waits for
//! another.

mod ending; // what is still said, what is still open
mod messages; // what is said to the server, and its answers
mod session; // what a thread knows of one session
mod streams; // opened, read, cut, settled
mod turn; // the loop

use super::{
    agenda::{Act, Agenda},
    follower::Follower,
    publisher::Publisher,
    socket::Sources,
};
use crate::{
    plan::Plan,
    tally::Tally,
    wire::{request::Requests, target::Target},
};
use rustix::{
    event::epoll,
    time::{TimerfdClockId, TimerfdFlags, timerfd_create},
};
use session::Session;
use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, atomic::AtomicBool, mpsc::SyncSender},
    time::Instant,
};

/// Epoll data: publishers have this bit, the timer is all ones.
const PUBLISHER: u64 = 1 << 40;
const TIMER: u64 = u64::MAX;

/// What the threads are told while they run.
#[derive(Default)]
pub struct Orders {
    /// Say nothing new, complete every session, wait for the ends.
    pub finish: AtomicBool,
}

/// What one thread did in one second.
pub struct News {
    pub second: u64,
    pub thread: usize,
    /// Streams open at its end.
    pub open: u32,
    /// Most streams open in it.
    pub peak: u32,
    pub tally: Box<Tally>,
}

#[derive(Clone)]
pub struct Setup {
    pub plan: Arc<Plan>,
    /// Where messages go.
    pub target: Target,
    /// Where streams come from.
    pub follow: Target,
    pub requests: Requests,
    pub sources: Sources,
    pub orders: Arc<Orders>,
    pub origin: Instant,
    pub threads: u32,
    /// Connections of this thread for messages; one more is for polls.
    pub publishers: u32,
    /// For so long messages are collected, to go out in one request. `None`: each in a request of its own.
    pub batch_us: Option<u64>,
}

pub struct Worker {
    setup: Setup,
    index: u32,
    epoll: OwnedFd,
    timer: OwnedFd,
    armed_us: Option<u64>,
    agenda: Agenda,
    sessions: Vec<Session>,
    followers: Vec<Follower>,
    publishers: Vec<Publisher>,
    open: u32,
    /// The most of this second.
    peak: u32,
    /// Streams that have neither ended nor failed.
    alive: u32,
    tally: Box<Tally>,
    finishing: bool,
    news: SyncSender<News>,
}

impl Worker {
    pub fn new(setup: Setup, index: u32, news: SyncSender<News>) -> io::Result<Worker> {
        let (plan, threads) = (setup.plan.clone(), setup.threads);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let mut agenda = Agenda::default();
        let sessions = (0..plan.sessions).filter(|session| session % threads == index);
        let sessions: Vec<Session> = sessions
            .map(|session| {
                agenda.add(plan.creation_us(session), Act::Create(session), 0);
                let mut made = Session { next_us: plan.first_us(session), ..Session::default() };
                made.proceed(session, &plan, &mut agenda, 0);
                made
            })
            .collect();
        let mut followers = Vec::new();
        for stream in 0..plan.streams {
            let session = plan.session_of(stream);
            if session % threads == index {
                let local = u32::try_from(followers.len()).map_err(io::Error::other)?;
                agenda.add(plan.arrival_us(stream), Act::Connect(local), 0);
                followers.push(Follower::new(stream, session));
            }
        }
        agenda.add(plan.first_poll_us(), Act::Poll(0), 0);
        // One more than publish: the last one polls, so that no poll waits behind a message.
        let publishers = (0..=setup.publishers).map(|_| Publisher::default()).collect();
        let alive = u32::try_from(followers.len()).map_err(io::Error::other)?;
        Ok(Worker {
            setup,
            index,
            epoll,
            timer,
            armed_us: None,
            agenda,
            sessions,
            followers,
            publishers,
            open: 0,
            peak: 0,
            alive,
            tally: Box::default(),
            finishing: false,
            news,
        })
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.setup.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn local(&self, session: u32) -> usize {
        (session / self.setup.threads) as usize
    }

    fn report(&mut self, second: u64) {
        let (open, peak) = (self.open, std::mem::replace(&mut self.peak, self.open));
        let news =
            News { second, thread: self.index as usize, open, peak, tally: std::mem::take(&mut self.tally) };
        // The receiver ends only when the run is over.
        let _ = self.news.send(news);
    }
}

/// Less came than there was room for: the socket is empty, and epoll tells what comes next. Unless it has told already
/// that the other side closed: that edge does not come twice, and the end is still to be read.
fn is_empty(bytes: usize, buffer: &[u8], flags: epoll::EventFlags) -> bool {
    use epoll::EventFlags as Flags;
    bytes < buffer.len() && !flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR)
}

/// Edge-triggered: a socket that stays readable does not wake the loop twice.
fn watch(epoll: &OwnedFd, socket: &OwnedFd, data: u64) {
    use epoll::EventFlags as Flags;
    // It fails only when the kernel has no memory left; the stream then counts as one that never answered.
    let _ = epoll::add(
        epoll,
        socket,
        epoll::EventData::new_u64(data),
        Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET,
    );
}
