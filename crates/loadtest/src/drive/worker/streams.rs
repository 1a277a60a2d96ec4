//! Streams: opened, read, cut, and what each should have had.

use super::{Worker, is_empty, watch};
use crate::drive::{
    agenda::Act,
    follower::{Fate, Stage},
};
use rustix::{event::epoll, io::Errno};

impl Worker {
    pub(super) fn connect(&mut self, stream: u32, due: u64) {
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
        match self.setup.sources.open(self.setup.follow.address, follower.number) {
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

    pub(super) fn follower_came(&mut self, stream: u32, flags: epoll::EventFlags, buffer: &mut [u8]) {
        let Worker { followers, sessions, setup, tally, .. } = self;
        let follower = &mut followers[stream as usize];
        let session = &mut sessions[(follower.session / setup.threads) as usize];
        let Some(socket) = &follower.socket else { return };
        if follower.stage == Stage::Connecting && flags.contains(epoll::EventFlags::OUT) {
            let ticket = session.ticket.as_deref();
            let request =
                setup.requests.follow(&setup.follow.authority, follower.session, follower.position, ticket);
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
    pub(super) fn settle(&mut self, stream: u32, sent: u64) {
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
}
