//! One stream, from its arrival to its session's end. An open one that hears nothing costs a few hundred bytes.

use crate::{
    seen::{Seen, Sight},
    tally::Tally,
    wire::{
        body::Framing,
        events::{Event, Kind, Scanner},
        head,
    },
};
use std::os::fd::OwnedFd;
use streamgauge_core::session::ids::EventId;

use super::fanout::Fanout;

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Waiting,
    /// The request is not written yet.
    Connecting,
    /// What came of the answer's head so far.
    Head(Vec<u8>),
    Open,
    Over,
}

/// What the server said before it closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Farewell {
    #[default]
    None,
    End,
    Idle,
    Reconnect,
    /// 204: all was said before.
    Nothing,
}

pub struct Follower {
    /// Its number in the whole run: chooses its address.
    pub number: u32,
    pub session: u32,
    pub socket: Option<OwnedFd>,
    pub stage: Stage,
    pub due_us: u64,
    pub began_us: u64,
    /// Where to resume.
    pub position: Option<EventId>,
    pub seen: Seen,
    pub joined: bool,
    framing: Framing,
    scanner: Scanner,
    farewell: Farewell,
}

/// What became of a stream when its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// `end` was told.
    Ended,
    /// Closed as idle: its session's later messages are not due to it.
    Idle,
    /// It comes back after so many ms.
    Returns { after_ms: u32 },
    /// It never was a stream.
    Never,
}

/// Without a `retry:` from the server, as in a browser.
const RETRY_MS: u32 = 3_000;

impl Follower {
    pub fn new(number: u32, session: u32) -> Follower {
        Follower {
            number,
            session,
            socket: None,
            stage: Stage::Waiting,
            due_us: 0,
            began_us: 0,
            position: None,
            seen: Seen::default(),
            joined: false,
            framing: Framing::UntilClose,
            scanner: Scanner::default(),
            farewell: Farewell::None,
        }
    }

    /// Bytes came. An error: what answers is no event stream. `Ok(true)`: the body ended.
    pub fn received(
        &mut self,
        bytes: &[u8],
        now_us: u64,
        fanout: &mut Fanout,
        tally: &mut Tally,
    ) -> Result<bool, ()> {
        tally.counts.bytes_in += bytes.len() as u64;
        if self.stage == Stage::Open {
            return self.body(bytes, now_us, fanout, tally);
        }
        let Stage::Head(held) = &mut self.stage else { return Err(()) };
        held.extend_from_slice(bytes);
        let Some(head) = head::read(held).map_err(drop)? else { return Ok(false) };
        let rest = held.split_off(head.length);
        match head.status {
            200 => {
                tally.counts.established += 1;
                tally.connect.record(now_us.saturating_sub(self.due_us));
                tally.response.record(now_us.saturating_sub(self.due_us));
                tally.connect_began.record(now_us.saturating_sub(self.began_us));
            }
            // Over while it was away: nothing more will come.
            204 if self.joined => {
                tally.counts.established += 1;
                self.farewell = Farewell::Nothing;
                self.stage = Stage::Over;
                return Ok(true);
            }
            status => {
                let refused = matches!(status, 429 | 503);
                let counter = if refused {
                    &mut tally.counts.connect_refused
                } else {
                    &mut tally.counts.connect_failed
                };
                *counter += 1;
                self.stage = Stage::Over;
                return Err(());
            }
        }
        self.framing = head.framing;
        self.scanner = Scanner::default();
        self.farewell = Farewell::None;
        if self.position.is_none() {
            self.seen.begins();
        }
        self.stage = Stage::Open;
        self.joined = true;
        self.body(&rest, now_us, fanout, tally)
    }

    fn body(
        &mut self,
        bytes: &[u8],
        now_us: u64,
        fanout: &mut Fanout,
        tally: &mut Tally,
    ) -> Result<bool, ()> {
        let Follower { framing, scanner, seen, position, farewell, .. } = self;
        let mut long = false;
        // Without an event: what was written at once is over.
        let mut tell = |event: Option<Event>, tally: &mut Tally, fanout: &mut Fanout| {
            let Some(event) = event else { return seen.begun() };
            *position = event.id.or(*position);
            match event.kind {
                Kind::Status => {
                    let Some(mark) = event.mark else { return };
                    let sight = seen.status(mark.number);
                    match sight {
                        Sight::Snapshot => return,
                        Sight::Repeated => return tally.counts.repeated += 1,
                        Sight::Late => tally.counts.out_of_order += 1,
                        Sight::New { skipped } => tally.counts.skipped += skipped,
                    }
                    tally.counts.delivered += 1;
                    let latency = now_us.saturating_sub(mark.due_us);
                    tally.latency.record(latency);
                    tally.latency_sent.record(now_us.saturating_sub(mark.sent_us));
                    if fanout.came(mark.number) {
                        tally.last_delivery.record(latency);
                    }
                }
                Kind::End => {
                    if *farewell == Farewell::End {
                        tally.counts.repeated += 1;
                    } else if event.completed {
                        tally.counts.ended += 1;
                    }
                    *farewell = Farewell::End;
                    seen.end();
                }
                Kind::Ping => tally.counts.pings += 1,
                Kind::Gap => {
                    tally.counts.gaps += 1;
                    seen.gap();
                }
                Kind::Idle => *farewell = Farewell::Idle,
                Kind::Reconnect => *farewell = Farewell::Reconnect,
                Kind::Other => {}
            }
        };
        let pushed = framing.push(bytes, |part| {
            if part.is_empty() {
                return tell(None, tally, fanout);
            }
            long |= scanner.push(part, |event| tell(Some(event), tally, fanout)).is_err();
        });
        if pushed.is_err() || long { Err(()) } else { Ok(framing.is_done()) }
    }

    /// The connection is gone.
    pub fn closed(&mut self, tally: &mut Tally) -> Fate {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.socket = None;
        if matches!(stage, Stage::Connecting | Stage::Head(_)) {
            tally.counts.connect_failed += 1;
        }
        let after_ms = self.scanner.retry_ms.unwrap_or(RETRY_MS);
        match (stage == Stage::Open, self.farewell) {
            (_, Farewell::Nothing) => Fate::Ended,
            (false, _) if self.joined => Fate::Returns { after_ms },
            (false, _) => Fate::Never,
            (true, Farewell::End) => Fate::Ended,
            (true, Farewell::Idle) => {
                tally.counts.closed_idle += 1;
                Fate::Idle
            }
            (true, Farewell::Reconnect) => {
                tally.counts.closed_reconnect += 1;
                Fate::Returns { after_ms }
            }
            (true, Farewell::None) => {
                tally.counts.cut += 1;
                Fate::Returns { after_ms }
            }
        }
    }
}
