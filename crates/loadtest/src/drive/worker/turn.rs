//! The loop: do what is due, then read what has come.

use super::{PUBLISHER, TIMER, Worker};
use crate::drive::{agenda::Act, publisher::Publisher};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
    time::{Itimerspec, TimerfdTimerFlags, timerfd_settime},
};
use std::{io, sync::atomic::Ordering::Relaxed};

/// How long streams may take to hear of their session's end.
const GRACE_US: u64 = 15_000_000;
/// Things done before the sockets are looked at again.
const TOGETHER: usize = 64;

impl Worker {
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
        let batches = self.publishers.iter().filter_map(Publisher::batch_us);
        let next = self.agenda.next_us().into_iter().chain(retries).chain(batches).min();
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
                Act::Poll(_) => {
                    let poller = self.publishers.len() - 1;
                    if !self.ask(poller, due, act) {
                        self.publishers[poller].waiting.push_back((due, act));
                    }
                }
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
            self.publishers[index].send_batch(&self.setup.requests, now, now);
            self.flush(index);
        }
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
}
