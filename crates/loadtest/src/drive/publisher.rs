//! One keep-alive connection for messages. Requests go out without waiting for answers, up to a bound; what is held
//! back by it keeps the time at which it was due. Messages can be collected and put into one request, a line each.

use super::socket::Sources;
use crate::wire::{
    answers::{Answer, Answers},
    request::Requests,
};
use rustix::io::Errno;
use std::{collections::VecDeque, io, net::SocketAddr, os::fd::OwnedFd};

/// Requests under way on one connection.
const MOST: usize = 64;
/// Servers close a connection that says nothing for a while; one that was silent this long is opened anew instead of
/// running into that.
const STALE_US: u64 = 4_000_000;
/// After a connection failed.
const PAUSE_US: u64 = 200_000;
/// Messages in one request: half of what the route takes.
const MOST_LINES: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Create {
        session: u32,
    },
    Status(Sent),
    /// In the order of its lines.
    Batch(Vec<Sent>),
    Complete {
        session: u32,
    },
    Poll,
}

/// A message on its way: its session, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub session: u32,
    pub number: u64,
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    pub ask: Ask,
    /// When it should have gone out.
    pub due_us: u64,
    /// When it did.
    pub at_us: u64,
}

/// Messages that are collected for one request.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    told: Vec<Sent>,
    due_us: u64,
}

#[derive(Default)]
pub struct Publisher {
    pub socket: Option<OwnedFd>,
    connected: bool,
    out: Vec<u8>,
    written: usize,
    under_way: VecDeque<Asked>,
    answers: Answers,
    batch: Batch,
    used_us: u64,
    failed_us: Option<u64>,
    /// What is due and must wait, in order: for each session at most a message and its end.
    pub waiting: VecDeque<(u64, super::agenda::Act)>,
}

impl Publisher {
    /// Whether another request may go out; opens the connection when there is none. `true` in `.1`: it is new, and has
    /// to be watched.
    pub fn ready(&mut self, target: SocketAddr, now_us: u64) -> (bool, bool) {
        let stale = self.under_way.is_empty() && now_us.saturating_sub(self.used_us) > STALE_US;
        if self.socket.is_some() && !stale {
            return (self.under_way.len() < MOST, false);
        }
        if self.failed_us.is_some_and(|failed| now_us < failed + PAUSE_US) {
            return (false, false);
        }
        self.reset();
        match Sources::new(target, 1).open(target, 0) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.used_us = now_us;
                (true, true)
            }
            Err(_) => {
                self.failed_us = Some(now_us);
                (false, false)
            }
        }
    }

    /// When it is worth trying again, while nothing will wake it.
    pub fn retry_us(&self) -> Option<u64> {
        (self.socket.is_none() && !self.waiting.is_empty()).then(|| self.failed_us.unwrap_or(0) + PAUSE_US)
    }

    pub fn ask(&mut self, asked: Asked, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.out);
        self.used_us = asked.at_us;
        self.under_way.push_back(asked);
    }

    /// Puts a message into the batch, which goes out `after_us` from its first one.
    pub fn collect(&mut self, told: Sent, now_us: u64, after_us: u64, write: impl FnOnce(&mut Vec<u8>)) {
        if self.batch.told.is_empty() {
            self.batch.due_us = now_us + after_us;
        }
        write(&mut self.batch.lines);
        self.batch.told.push(told);
        if self.batch.told.len() >= MOST_LINES {
            self.batch.due_us = now_us;
        }
    }

    /// When the batch is due, if there is one.
    pub fn batch_us(&self) -> Option<u64> {
        (!self.batch.told.is_empty()).then_some(self.batch.due_us)
    }

    /// Asks for what was collected, if it is due by then.
    pub fn send_batch(&mut self, requests: &Requests, now_us: u64, by_us: u64) {
        if self.batch_us().is_some_and(|due| due <= by_us) {
            let Batch { lines, told, .. } = std::mem::take(&mut self.batch);
            let asked = Asked { ask: Ask::Batch(told), due_us: now_us, at_us: now_us };
            self.ask(asked, |out| requests.batch(&lines, out));
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && self.waiting.is_empty() && self.batch.told.is_empty()
    }

    pub fn has_output(&self) -> bool {
        self.written < self.out.len()
    }

    /// The socket became writable, which it first does when it is connected.
    pub fn writable(&mut self) -> io::Result<()> {
        if !self.connected
            && let Some(socket) = &self.socket
        {
            rustix::net::sockopt::socket_error(socket)??;
            self.connected = true;
        }
        self.flush()
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = self.socket.as_ref().filter(|_| self.connected) else { return Ok(()) };
        while self.written < self.out.len() {
            match rustix::io::write(socket, &self.out[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    pub fn received(&mut self, bytes: &[u8]) {
        self.answers.push(bytes);
    }

    /// The next answer, with what it answers.
    pub fn answer(&mut self) -> io::Result<Option<(Asked, Answer)>> {
        let Some(answer) = self.answers.next().map_err(io::Error::other)? else { return Ok(None) };
        let asked = self.under_way.pop_front().ok_or_else(|| io::Error::other("an answer to nothing"))?;
        Ok(Some((asked, answer)))
    }

    /// The connection is gone. What had no answer will never have one.
    pub fn broken(&mut self, now_us: u64) -> VecDeque<Asked> {
        let unanswered = std::mem::take(&mut self.under_way);
        if !unanswered.is_empty() {
            self.failed_us = Some(now_us);
        }
        self.reset();
        unanswered
    }

    fn reset(&mut self) {
        self.socket = None;
        self.connected = false;
        self.out.clear();
        self.written = 0;
        self.answers = Answers::default();
        self.under_way.clear();
    }
}
