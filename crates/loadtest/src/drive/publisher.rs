//! One keep-alive connection for messages. Requests go out without waiting for answers, up to a bound; what is held
//! back by it keeps the time at which it was due.

use super::socket::Sources;
use crate::wire::answers::{Answer, Answers};
use rustix::io::Errno;
use std::{collections::VecDeque, io, net::SocketAddr, os::fd::OwnedFd};

/// Requests under way on one connection.
const MOST: usize = 64;
/// Servers close a connection that says nothing for a while; one that was silent this long is opened anew instead of
/// running into that.
const STALE_US: u64 = 4_000_000;
/// After a connection failed.
const PAUSE_US: u64 = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Create,
    Status { number: u64 },
    Complete,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub session: u32,
    pub ask: Ask,
    pub at_us: u64,
}

#[derive(Default)]
pub struct Publisher {
    pub socket: Option<OwnedFd>,
    connected: bool,
    out: Vec<u8>,
    written: usize,
    under_way: VecDeque<Asked>,
    answers: Answers,
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

    pub fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && self.waiting.is_empty()
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
