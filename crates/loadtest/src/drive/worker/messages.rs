//! What is said to the server, and its answers.

use super::{PUBLISHER, Worker, is_empty, session::ticket, watch};
use crate::{
    drive::{
        agenda::Act,
        publisher::{Ask, Asked, Sent},
    },
    wire::{answers::fates, mark::Mark},
};
use rustix::{event::epoll, io::Errno};

/// Polls of one thread: enough to say how soon polls are answered, too few to be a load.
const POLL_EVERY_US: u64 = 100_000;

impl Worker {
    /// Sends what waited for its connection, as far as there is room.
    pub(super) fn release(&mut self, index: usize) {
        while let Some((due, act)) = self.publishers[index].waiting.pop_front() {
            if !self.ask(index, due, act) {
                self.publishers[index].waiting.push_front((due, act));
                break;
            }
        }
    }

    pub(super) fn publisher_of(&self, session: u32) -> usize {
        self.local(session) % self.setup.publishers as usize
    }

    /// Puts a request on its way, unless the connection is full.
    pub(super) fn ask(&mut self, index: usize, due: u64, act: Act) -> bool {
        let now = self.now_us();
        let is_poll = matches!(act, Act::Poll(_));
        let target = if is_poll { &self.setup.follow } else { &self.setup.target };
        let (ready, new) = self.publishers[index].ready(target.address, now);
        if new && let Some(socket) = &self.publishers[index].socket {
            watch(&self.epoll, socket, PUBLISHER | index as u64);
        }
        if !ready {
            return false;
        }
        if let Act::Poll(number) = act {
            self.poll(index, number, due);
            return true;
        }
        let (Act::Create(number)
        | Act::Send(number)
        | Act::Complete(number)
        | Act::Connect(number)
        | Act::Poll(number)) = act;
        let local = self.local(number);
        let Worker { sessions, publishers, setup, tally, agenda, finishing, .. } = self;
        let (session, publisher, requests) = (&mut sessions[local], &mut publishers[index], &setup.requests);
        let asked = |ask| Asked { ask, due_us: due, at_us: now };
        match act {
            Act::Create(_) if !*finishing => {
                session.begun = true;
                let ask = Ask::Create { session: number };
                publisher.ask(asked(ask), |out| requests.create(number, out));
            }
            Act::Send(_) if !session.completing && !*finishing => {
                session.sent += 1;
                tally.counts.sent += 1;
                let mark = Mark { number: session.sent, due_us: due, sent_us: now };
                session.fanout.sent(mark.number, session.followers);
                let told = Sent { session: number, number: mark.number };
                match setup.batch_us {
                    Some(after) => {
                        publisher.collect(told, now, after, |out| requests.line(number, mark, out));
                        publisher.send_batch(requests, now, now);
                    }
                    None => {
                        publisher.ask(asked(Ask::Status(told)), |out| requests.status(number, mark, out));
                    }
                }
                session.next_us = setup.plan.next_us(due);
                session.proceed(number, &setup.plan, agenda, now);
            }
            Act::Complete(_) if session.begun && !session.completing => {
                session.completing = true;
                // Its last messages may still be among those collected.
                publisher.send_batch(requests, now, u64::MAX);
                let ask = Ask::Complete { session: number };
                publisher.ask(asked(ask), |out| requests.complete(number, out));
            }
            _ => {}
        }
        true
    }

    /// Polls one session that runs and has told something, and plans the next poll.
    fn poll(&mut self, index: usize, number: u32, due: u64) {
        if self.finishing {
            return;
        }
        let now = self.now_us();
        let count = self.sessions.len();
        let mut turns = (0..count).map(|step| (number as usize + step) % count);
        let runs = |local: &usize| {
            let session = &self.sessions[*local];
            session.created && session.sent > 0 && !session.completing
        };
        let found = turns.find(runs);
        if let Some(local) = found {
            let Worker { sessions, publishers, setup, index: thread, .. } = self;
            let session = u32::try_from(local).unwrap_or(0) * setup.threads + *thread;
            let ticket = sessions[local].ticket.as_deref();
            publishers[index].ask(Asked { ask: Ask::Poll, due_us: due, at_us: now }, |out| {
                setup.requests.poll(&setup.follow.authority, session, ticket, out);
            });
        }
        let next = due + POLL_EVERY_US;
        if next < self.setup.plan.last_us() {
            let number = u32::try_from(found.unwrap_or(0) + 1).unwrap_or(0);
            self.agenda.add(next, Act::Poll(number), now);
        }
    }

    pub(super) fn flush(&mut self, index: usize) {
        if self.publishers[index].has_output() && self.publishers[index].flush().is_err() {
            self.broken(index);
        }
    }

    pub(super) fn publisher_came(&mut self, index: usize, flags: epoll::EventFlags, buffer: &mut [u8]) {
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

    pub(super) fn broken(&mut self, index: usize) {
        let now = self.now_us();
        for asked in self.publishers[index].broken(now) {
            self.answered(asked, None);
        }
    }

    /// `None`: the connection was cut before there was an answer.
    fn answered(&mut self, asked: Asked, answer: Option<(u16, &[u8])>) {
        let status = answer.map(|(status, _)| status);
        if matches!(status, Some(200..300)) {
            let now = self.now_us();
            self.tally.response.record(now.saturating_sub(asked.due_us));
            if asked.ask != Ask::Poll {
                self.tally.answer.record(now.saturating_sub(asked.at_us));
            }
        }
        match asked.ask {
            Ask::Create { session } => {
                self.judged(status);
                let session = self.local(session);
                let session = &mut self.sessions[session];
                session.created = true;
                session.ticket = answer.and_then(|(_, body)| ticket(body));
                for stream in std::mem::take(&mut session.waiting) {
                    let due = self.followers[stream as usize].due_us;
                    self.connect(stream, due);
                }
            }
            Ask::Poll => {
                self.tally.counts.polled += 1;
                let is_good = matches!(status, Some(200..300 | 429 | 503));
                self.tally.counts.poll_failed += u64::from(!is_good);
            }
            Ask::Status(told) => self.told(told, status),
            Ask::Batch(lines) => {
                let fates = answer.map_or_else(Vec::new, |(_, body)| fates(body));
                for (index, told) in lines.into_iter().enumerate() {
                    self.told(told, fates.get(index).copied().or(status.filter(|status| *status >= 300)));
                }
            }
            Ask::Complete { session } => {
                let good = self.judged(status);
                let session = self.local(session);
                self.sessions[session].completed = good;
            }
        }
    }

    /// What became of one message.
    fn told(&mut self, Sent { session, number }: Sent, status: Option<u16>) {
        if self.judged(status) {
            self.tally.counts.accepted += 1;
        } else {
            let session = self.local(session);
            self.sessions[session].not_accepted.push(number);
        }
    }

    /// Whether the server took it. Counts why not.
    fn judged(&mut self, status: Option<u16>) -> bool {
        match status {
            Some(200..300) => return true,
            Some(429 | 503) => self.tally.counts.publish_refused += 1,
            _ => self.tally.counts.publish_failed += 1,
        }
        false
    }
}
