//! One parked socket: what is written, what waits, and when it is looked at again.

use super::{
    super::{admission::Permit, places::Place},
    pending::{Part, Pending},
};
use kernel::socket_bytes::Carried;
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use streamgauge_core::{
    metric::{measure::counters::Counter, region::Region},
    session::{follow::Said, ids::EventId},
};

/// Times are ms on the reactor's clock. This struct is what an idle stream costs: mind its size.
pub struct Parked {
    pub socket: TcpStream,
    /// What was read and written, to be compared with the kernel's count in the end.
    pub counted: Carried,
    /// Index of its session.
    pub session: u32,
    /// Index in its session's list of followers.
    pub place: u32,
    /// What the follower has been sent, or has waiting, up to.
    pub position: EventId,
    pub pending: Option<Box<Pending>>,
    pub _permit: Option<Box<Permit>>,
    pub opened: u64,
    pub last_sent: u64,
    pub last_event: u64,
    /// When the stream ends at the latest; `u64::MAX`: never.
    pub until: u64,
    /// The stamp of its one valid entry in the wheel.
    pub stamp: u32,
    /// Bytes that the follower sent. A follower has nothing to send: one that keeps sending is disconnected.
    pub said: Said,
    pub region: Region,
    /// At `until` because the server stops, not because a ticket expires.
    pub drains: bool,
    /// Its farewell waits for room; nothing follows it.
    pub leaves: Option<Counter>,
    pub _place: Place,
}

/// How much of a write was done.
pub enum Written {
    All,
    Blocked,
    /// The follower has disconnected.
    Gone,
    /// It read nothing for so long that the kernel closed the connection.
    Stalled,
}

impl Parked {
    /// It was sent the event, or has it waiting, or its snapshot is newer.
    pub fn has(&self, id: EventId) -> bool {
        self.position.epoch == id.epoch && self.position.seq >= id.seq
    }

    /// Writes as much of a part as the socket takes, and keeps the rest. `bytes` grows by what was written.
    pub fn write(&mut self, part: &Part, bytes: &mut u64) -> Written {
        let result = self.socket.write(&part.bytes);
        self.wrote(part, result, bytes)
    }

    /// The part was written with that result: keeps what was not written.
    pub fn wrote(&mut self, part: &Part, result: io::Result<usize>, bytes: &mut u64) -> Written {
        match blocked_is_none(result) {
            Ok(written) => {
                *bytes += written as u64;
                self.counted.sent += written as u64;
                if written == part.bytes.len() {
                    return Written::All;
                }
                self.pending = Some(Box::new(Pending::new(part.clone(), written)));
                Written::Blocked
            }
            Err(error) => of_error(&error),
        }
    }

    /// Writes what waits; calls `done` with each part whose last byte is written.
    pub fn flush(&mut self, bytes: &mut u64, mut done: impl FnMut(Part)) -> Written {
        let Some(pending) = &mut self.pending else { return Written::All };
        while let Some(rest) = pending.rest() {
            match blocked_is_none(self.socket.write(rest)) {
                Ok(0) => return Written::Blocked,
                Ok(written) => {
                    *bytes += written as u64;
                    self.counted.sent += written as u64;
                    if let Some(part) = pending.wrote(written) {
                        done(part);
                    }
                }
                Err(error) => return of_error(&error),
            }
        }
        self.pending = None;
        Written::All
    }

    /// Reads and discards what the follower sends. Returns how many bytes, and [`Written::All`] if it is still connected.
    pub fn hear(&mut self) -> (u64, Written) {
        let mut scratch = [0u8; 1_024];
        let mut heard = 0;
        loop {
            match self.socket.read(&mut scratch) {
                Ok(0) => return (heard, Written::Gone),
                Ok(read) => {
                    heard += read as u64;
                    self.counted.received += read as u64;
                    if !self.said.more(read) {
                        return (heard, Written::Gone);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (heard, Written::All),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (heard, of_error(&error)),
            }
        }
    }
}

/// A socket that would block has taken nothing, and so has one whose write was interrupted: epoll says when to go on.
fn blocked_is_none(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        result => result,
    }
}

fn of_error(error: &io::Error) -> Written {
    if error.kind() == io::ErrorKind::TimedOut { Written::Stalled } else { Written::Gone }
}
