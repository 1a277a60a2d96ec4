//! The end of a run: what is still said, and what is still open.

use super::Worker;
use crate::drive::agenda::Act;

impl Worker {
    pub(super) fn count_unsent(&mut self) {
        let Worker { setup, sessions, tally, index, .. } = self;
        for (local, session) in (0u32..).zip(sessions) {
            let end = setup.plan.end_us(local * setup.threads + *index);
            while session.next_us < end {
                tally.counts.unsent += 1;
                session.next_us = setup.plan.next_us(session.next_us);
            }
        }
    }

    /// Ends every session now.
    pub(super) fn finish(&mut self, now: u64) {
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

    /// What is still open at the end of the run.
    pub(super) fn account(&mut self) {
        for index in 0..self.publishers.len() {
            // What never was answered is nothing that a follower must have, and neither is what never left.
            self.publishers[index].send_batch(&self.setup.requests, 0, u64::MAX);
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
}
