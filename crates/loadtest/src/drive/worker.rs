//! A thread's loop: do what is due, then read what has come. All of a session's streams and its publisher belong to one
//! thread, so no thread waits for another.

use super::{
    agenda::{Act, Agenda},
    fanout::Fanout,
    follower::{Fate, Follower, Stage},
    publisher::{Ask, Asked, Publisher},
    socket::Sources,
};
use crate::{
    plan::Plan,
    tally::Tally,
    wire::{mark::Mark, request::Requests, target::Target},
};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime},
};
use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::SyncSender,
    },
    time::Instant,
};

/// How long streams may take to hear of their session's end.
const GRACE_US: u64 = 15_000_000;
/// Things done before the sockets are looked at again.
const TOGETHER: usize = 64;
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
    pub target: Target,
    pub requests: Requests,
    pub sources: Sources,
    pub orders: Arc<Orders>,
    pub origin: Instant,
    pub threads: u32,
    /// Connections of this thread for messages.
    pub publishers: u32,
}

#[derive(Default)]
struct Session {
    /// The server has answered its creation, or a failure of it: followers may come.
    created: bool,
    /// A creation was asked for.
    begun: bool,
    completing: bool,
    /// The server accepted its completion.
    completed: bool,
    sent: u64,
    /// When its next message is due.
    next_us: u64,
    /// Numbers that the server did not accept: nobody is due them.
    not_accepted: Vec<u64>,
    ticket: Option<Box<str>>,
    followers: u32,
    waiting: Vec<u32>,
    fanout: Fanout,
}

impl Session {
    /// Its next message, or after the last one its end: so a backlog is said before the session ends, however late.
    fn proceed(&mut self, number: u32, plan: &Plan, agenda: &mut Agenda, now: u64) {
        let end = plan.end_us(number);
        if self.next_us < end {
            agenda.add(self.next_us, Act::Send(number), now);
        } else {
            agenda.add(end, Act::Complete(number), now);
        }
    }
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
        let publishers = (0..setup.publishers).map(|_| Publisher::default()).collect();
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

    pub fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0u8; 64 * 1024];
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1_024);
        let mut second = 0;
        let mut until = None;
        loop {
            let now = self.now_us();
            if now / 1_000_000 > second {
                self.report(second);
                second = now / 1_000_000;
                if self.setup.orders.finish.load(Relaxed) {
                    self.finish(now);
                }
            }
            self.act(now);
            let quiet = self.agenda.next_us().is_none() && self.publishers.iter().all(Publisher::is_quiet);
            if self.alive == 0 && quiet {
                break;
            }
            if !self.finishing && now > self.setup.plan.last_us() + GRACE_US {
                // The server is far behind. What it has not taken by now was not sent; what it has is waited for.
                self.count_unsent();
                self.finish(now);
            }
            if self.finishing && now > *until.get_or_insert(now + GRACE_US) {
                break;
            }
            self.arm()?;
            // Once a second at least, to report and to hear orders.
            let timeout = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                // The structure is packed: its fields are copied out, not referred to.
                let (flags, data) = (event.flags, event.data);
                self.came(data.u64(), flags, &mut buffer);
            }
        }
        self.account();
        self.report(second);
        Ok(())
    }

    /// Wakes the loop when the next thing is due. A timer of its own, since epoll's timeout counts in whole ms.
    fn arm(&mut self) -> io::Result<()> {
        let retries = self.publishers.iter().filter_map(Publisher::retry_us);
        let next = self.agenda.next_us().into_iter().chain(retries).min();
        if next == self.armed_us {
            return Ok(());
        }
        self.armed_us = next;
        // Zero would disarm it.
        let wait_us = next.map_or(0, |due| due.saturating_sub(self.now_us()).max(1));
        let at = Timespec {
            tv_sec: i64::try_from(wait_us / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: (wait_us % 1_000_000 * 1_000).cast_signed(),
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: never, it_value: at },
        )?;
        Ok(())
    }

    /// Everything that is due, in portions, so that a long backlog does not keep the sockets waiting.
    fn act(&mut self, now: u64) {
        for _ in 0..TOGETHER {
            let Some((due, act, known)) = self.agenda.take(now) else { break };
            match act {
                Act::Connect(stream) => self.connect(stream, due),
                Act::Create(session) | Act::Send(session) | Act::Complete(session) => {
                    let publisher = self.publisher_of(session);
                    // Whatever waits for the same connection was due before.
                    if self.publishers[publisher].waiting.is_empty() && self.ask(publisher, due, act) {
                        // What follows a message that was held back is late before it is known.
                        self.tally.own_lag.record(self.now_us().saturating_sub(due.max(known)));
                    } else {
                        self.publishers[publisher].waiting.push_back((due, act));
                        self.tally.counts.held_back += u64::from(matches!(act, Act::Send(_)));
                    }
                }
            }
        }
        for index in 0..self.publishers.len() {
            self.release(index);
            self.flush(index);
        }
    }

    /// Sends what waited for its connection, as far as there is room.
    fn release(&mut self, index: usize) {
        while let Some((due, act)) = self.publishers[index].waiting.pop_front() {
            if !self.ask(index, due, act) {
                self.publishers[index].waiting.push_front((due, act));
                break;
            }
        }
    }

    fn local(&self, session: u32) -> usize {
        (session / self.setup.threads) as usize
    }

    fn publisher_of(&self, session: u32) -> usize {
        self.local(session) % self.publishers.len()
    }

    /// Puts a request on its way, unless the connection is full.
    fn ask(&mut self, index: usize, due: u64, act: Act) -> bool {
        let now = self.now_us();
        let (ready, new) = self.publishers[index].ready(self.setup.target.address, now);
        if new && let Some(socket) = &self.publishers[index].socket {
            watch(&self.epoll, socket, PUBLISHER | index as u64);
        }
        if !ready {
            return false;
        }
        let (Act::Create(number) | Act::Send(number) | Act::Complete(number) | Act::Connect(number)) = act;
        let local = self.local(number);
        let Worker { sessions, publishers, setup, tally, agenda, finishing, .. } = self;
        let (session, publisher, requests) = (&mut sessions[local], &mut publishers[index], &setup.requests);
        let asked = |ask| Asked { session: number, ask, at_us: now };
        match act {
            Act::Create(_) if !*finishing => {
                session.begun = true;
                publisher.ask(asked(Ask::Create), |out| requests.create(number, out));
            }
            Act::Send(_) if !session.completing && !*finishing => {
                session.sent += 1;
                tally.counts.sent += 1;
                let mark = Mark { number: session.sent, due_us: due, sent_us: now };
                session.fanout.sent(mark.number, session.followers);
                let ask = asked(Ask::Status { number: mark.number });
                publisher.ask(ask, |out| requests.status(number, mark, out));
                session.next_us = setup.plan.next_us(due);
                session.proceed(number, &setup.plan, agenda, now);
            }
            Act::Complete(_) if session.begun && !session.completing => {
                session.completing = true;
                publisher.ask(asked(Ask::Complete), |out| requests.complete(number, out));
            }
            _ => {}
        }
        true
    }

    fn flush(&mut self, index: usize) {
        if self.publishers[index].has_output() && self.publishers[index].flush().is_err() {
            self.broken(index);
        }
    }

    fn connect(&mut self, stream: u32, due: u64) {
        let follower = &self.followers[stream as usize];
        let local = self.local(follower.session);
        if (self.sessions[local].completed || self.finishing) && !follower.joined {
            return self.leaves();
        }
        if !self.sessions[local].created && !follower.joined {
            self.followers[stream as usize].due_us = due;
            return self.sessions[local].waiting.push(stream);
        }
        let now = self.now_us();
        let follower = &mut self.followers[stream as usize];
        (follower.due_us, follower.began_us) = (due, now);
        self.tally.counts.connect_attempts += 1;
        follower.stage = Stage::Connecting;
        match self.setup.sources.open(self.setup.target.address, follower.number) {
            Ok(socket) => {
                watch(&self.epoll, &socket, u64::from(stream));
                follower.socket = Some(socket);
            }
            Err(_) => self.closed(stream),
        }
    }

    /// A stream is over for good.
    fn leaves(&mut self) {
        self.alive = self.alive.saturating_sub(1);
    }

    fn came(&mut self, data: u64, flags: epoll::EventFlags, buffer: &mut [u8]) {
        if data == TIMER {
            let mut ticks = [0u8; 8];
            // Only to silence it; how often it fired says nothing.
            let _ = rustix::io::read(&self.timer, &mut ticks);
            self.armed_us = None;
        } else if data & PUBLISHER != 0 {
            self.publisher_came((data & !PUBLISHER) as usize, flags, buffer);
        } else if let Ok(stream) = u32::try_from(data) {
            self.follower_came(stream, flags, buffer);
        }
    }

    fn publisher_came(&mut self, index: usize, flags: epoll::EventFlags, buffer: &mut [u8]) {
        if flags.contains(epoll::EventFlags::OUT) && self.publishers[index].writable().is_err() {
            return self.broken(index);
        }
        loop {
            let Some(socket) = &self.publishers[index].socket else { return };
            match rustix::io::read(socket, &mut *buffer) {
                Ok(0) => return self.broken(index),
                Ok(bytes) => {
                    self.publishers[index].received(&buffer[..bytes]);
                    if !self.answers(index) {
                        return self.broken(index);
                    }
                    if is_empty(bytes, buffer, flags) {
                        break;
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => return self.broken(index),
            }
        }
        self.release(index);
        self.flush(index);
    }

    fn answers(&mut self, index: usize) -> bool {
        loop {
            match self.publishers[index].answer() {
                Ok(Some((asked, answer))) => self.answered(asked, Some((answer.status, &answer.body))),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn broken(&mut self, index: usize) {
        let now = self.now_us();
        for asked in self.publishers[index].broken(now) {
            self.answered(asked, None);
        }
    }

    /// `None`: the connection was cut before there was an answer.
    fn answered(&mut self, asked: Asked, answer: Option<(u16, &[u8])>) {
        let local = self.local(asked.session);
        let good = match answer {
            Some((200..300, _)) => {
                let now = self.now_us();
                self.tally.answer.record(now.saturating_sub(asked.at_us));
                true
            }
            Some((429 | 503, _)) => {
                self.tally.counts.publish_refused += 1;
                false
            }
            _ => {
                self.tally.counts.publish_failed += 1;
                false
            }
        };
        let session = &mut self.sessions[local];
        match asked.ask {
            Ask::Create => {
                session.created = true;
                session.ticket = answer.and_then(|(_, body)| ticket(body));
                for stream in std::mem::take(&mut session.waiting) {
                    let due = self.followers[stream as usize].due_us;
                    self.connect(stream, due);
                }
            }
            Ask::Status { number } if !good => session.not_accepted.push(number),
            Ask::Status { .. } => self.tally.counts.accepted += 1,
            Ask::Complete => session.completed = good,
        }
    }

    fn follower_came(&mut self, stream: u32, flags: epoll::EventFlags, buffer: &mut [u8]) {
        let Worker { followers, sessions, setup, tally, .. } = self;
        let follower = &mut followers[stream as usize];
        let session = &mut sessions[(follower.session / setup.threads) as usize];
        let Some(socket) = &follower.socket else { return };
        if follower.stage == Stage::Connecting && flags.contains(epoll::EventFlags::OUT) {
            let ticket = session.ticket.as_deref();
            let request =
                setup.requests.follow(&setup.target.authority, follower.session, follower.position, ticket);
            // A fresh socket's buffer takes a request at once.
            match rustix::io::write(socket, &request) {
                Ok(bytes) if bytes == request.len() => follower.stage = Stage::Head(Vec::new()),
                _ => return self.closed(stream),
            }
        }
        loop {
            let Some(socket) = &follower.socket else { return };
            match rustix::io::read(socket, &mut *buffer) {
                Ok(0) => return self.closed(stream),
                Ok(bytes) => {
                    // Read for each socket: in a burst the last of a thousand really comes later than the first.
                    let now = u64::try_from(setup.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let was_open = follower.stage == Stage::Open;
                    let ended = follower.received(&buffer[..bytes], now, &mut session.fanout, tally);
                    if !was_open && follower.stage == Stage::Open {
                        self.open += 1;
                        self.peak = self.peak.max(self.open);
                        session.followers += 1;
                    }
                    if !matches!(ended, Ok(false)) {
                        return self.closed(stream);
                    }
                    if is_empty(bytes, buffer, flags) {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => return self.closed(stream),
            }
        }
    }

    fn closed(&mut self, stream: u32) {
        let now = self.now_us();
        let follower = &mut self.followers[stream as usize];
        let local = (follower.session / self.setup.threads) as usize;
        if follower.stage == Stage::Open {
            self.open -= 1;
            self.sessions[local].followers -= 1;
        }
        match follower.closed(&mut self.tally) {
            Fate::Never => self.leaves(),
            Fate::Idle => {
                self.settle(stream, 0);
                self.leaves();
            }
            Fate::Ended => {
                self.settle(stream, self.sessions[local].sent);
                self.leaves();
            }
            Fate::Returns { after_ms } => {
                self.agenda.add(now + u64::from(after_ms) * 1_000, Act::Connect(stream), now);
            }
        }
    }

    /// Counts what a stream should have had and had not. `sent`: the last number due to it.
    fn settle(&mut self, stream: u32, sent: u64) {
        let follower = &mut self.followers[stream as usize];
        let session = &self.sessions[(follower.session / self.setup.threads) as usize];
        let excused =
            session.not_accepted.iter().filter(|number| **number <= sent && follower.seen.lacks(**number));
        let excused = excused.count() as u64;
        self.tally.counts.lost += follower.seen.lost(sent).saturating_sub(excused);
        self.tally.counts.announced_missing += follower.seen.announced;
        // Settled once: it has no more to answer for.
        follower.joined = false;
        follower.seen = crate::seen::Seen::default();
    }

    fn count_unsent(&mut self) {
        let Worker { setup, sessions, tally, index, .. } = self;
        for (local, session) in (0u32..).zip(sessions) {
            let end = setup.plan.end_us(local * setup.threads + *index);
            while session.next_us < end {
                tally.counts.unsent += 1;
                session.next_us = setup.plan.next_us(session.next_us);
            }
        }
    }

    /// What is still open at the end of the run.
    fn account(&mut self) {
        for index in 0..self.publishers.len() {
            // What never was answered is nothing that a follower must have.
            self.broken(index);
        }
        for stream in 0..self.followers.len() {
            let follower = &self.followers[stream];
            let session = &self.sessions[(follower.session / self.setup.threads) as usize];
            if follower.joined {
                self.tally.counts.end_missing += u64::from(session.completed);
                let sent = session.sent;
                self.settle(stream as u32, sent);
            }
        }
    }

    /// Ends every session now.
    fn finish(&mut self, now: u64) {
        if std::mem::replace(&mut self.finishing, true) {
            return;
        }
        self.agenda.clear();
        for publisher in &mut self.publishers {
            publisher.waiting.clear();
        }
        let threads = self.setup.threads;
        for (local, session) in (0u32..).zip(&mut self.sessions) {
            session.waiting.clear();
            if session.begun {
                self.agenda.add(now, Act::Complete(local * threads + self.index), now);
            }
        }
        // Who never came will not come now; who waits to return comes back at once.
        self.alive = 0;
        for (stream, follower) in (0u32..).zip(&self.followers) {
            if follower.joined && follower.socket.is_none() {
                self.agenda.add(now, Act::Connect(stream), now);
            }
            self.alive += u32::from(follower.joined || follower.socket.is_some());
        }
    }

    fn report(&mut self, second: u64) {
        let (open, peak) = (self.open, std::mem::replace(&mut self.peak, self.open));
        let news =
            News { second, thread: self.index as usize, open, peak, tally: std::mem::take(&mut self.tally) };
        // Whoever listens is gone only when the run is over.
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
    // It can fail only for want of kernel memory; the stream then counts as one that never answered.
    let _ = epoll::add(
        epoll,
        socket,
        epoll::EventData::new_u64(data),
        Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET,
    );
}

/// The right to follow, where the server hands one out with a new session.
fn ticket(body: &[u8]) -> Option<Box<str>> {
    #[derive(serde::Deserialize)]
    struct Created {
        ticket: Option<Box<str>>,
    }
    serde_json::from_slice::<Created>(body).ok()?.ticket
}
