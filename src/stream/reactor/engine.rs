//! What a reactor holds, and its work: commands, sockets, timers. The thread that holds its lock does the work.

use super::{
    Arrival, Command,
    fan_out::{Writing, count_bytes, delivered},
    parked::{Parked, Written},
    pending::{Holds, Part},
    sessions::Sessions,
};
use crate::{
    measure::Recorder,
    stream::{
        Hub, jitter,
        limits::LiveLimits,
        meter::reconcile,
        open::closed,
        wheel::{Entry, Wheel},
    },
};
use bytes::Bytes;
use kernel::send_many::Sender;
use mio::{Interest, Registry, Token, event::Event};
use slab::Slab;
use std::{
    collections::BTreeSet,
    os::fd::AsFd,
    time::{Duration, Instant},
};
use streamgauge_core::{
    metric::measure::{counters::Counter, sample::Measure},
    session::{frame, ids::Epoch},
    settings::limits::Limit,
};

const NEVER: u64 = u64::MAX;
/// Capacity beyond this is freed after use.
const CROWD: usize = 4_096;
/// After its ticket expired, a follower reconnects within this, ms.
const EXPIRED_BACK_MS: std::ops::Range<u32> = 100..2_000;

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER)
}

pub struct Engine {
    registry: Registry,
    pub(super) limits: LiveLimits,
    pub(super) recorder: Recorder,
    hub: Option<Hub>,
    /// Its clock's zero.
    pub(super) start: Instant,
    pub(super) streams: Slab<Parked>,
    pub(super) sessions: Sessions,
    pub(super) writing: Writing,
    wheel: Wheel,
    stamp: u32,
    /// When a session's batch is due, and its key.
    batches: BTreeSet<(u64, u64)>,
    /// Streams to close once the loop over them is through.
    pub(super) leaving: Vec<(u32, Counter)>,
    /// The window, and when it began.
    drain: Option<(u64, u64)>,
    /// When the thread looks at the timers again, ms. While it is at work that is at once.
    looks_at: u64,
    /// A timer was set that comes up earlier.
    hurry: bool,
    /// Empty, with room for the next round.
    spare: Vec<Command>,
}

impl Engine {
    /// `sender`: writes to many by one system call.
    pub fn new(registry: Registry, limits: LiveLimits, recorder: Recorder, sender: Option<Sender>) -> Engine {
        Engine {
            registry,
            limits,
            recorder,
            hub: None,
            start: Instant::now(),
            streams: Slab::new(),
            sessions: Sessions::default(),
            writing: Writing::new(sender),
            wheel: Wheel::new(),
            stamp: 0,
            batches: BTreeSet::new(),
            leaving: Vec::new(),
            drain: None,
            looks_at: 0,
            hurry: false,
            spare: Vec::new(),
        }
    }

    /// Whom to tell of streams that closed.
    pub fn serve(&mut self, hub: Hub) {
        self.hub = Some(hub);
    }

    /// Does all of `commands`.
    pub fn apply(&mut self, mut commands: Vec<Command>) {
        commands.drain(..).for_each(|command| self.obey_one(command));
        if commands.capacity() <= CROWD {
            self.spare = commands;
        }
    }

    /// Room for commands.
    pub fn spare(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.spare)
    }

    /// Does what is due by now. `due`: room for what the wheel turns up.
    pub fn tick(&mut self, due: &mut Vec<Entry>) {
        self.flush_due_batches();
        self.wheel.turn(self.now(), due);
        if !due.is_empty() {
            let ping = self.ping();
            due.drain(..).for_each(|(key, stamp)| self.look_at(key, stamp, &ping));
            if due.capacity() > CROWD {
                *due = Vec::new();
            }
        }
    }

    /// The thread wakes: it will look at all timers.
    pub fn wakes(&mut self) {
        self.looks_at = 0;
    }

    /// How long the thread may sleep.
    pub fn until_next(&mut self) -> Option<Duration> {
        let batch = self.batches.first().map(|&(at, _)| at);
        let next = self.wheel.next().into_iter().chain(batch).min();
        self.looks_at = next.unwrap_or(NEVER);
        Some(Duration::from_millis(next?.saturating_sub(self.now())))
    }

    /// Whether the thread sleeps too long for what was set meanwhile.
    pub fn needs_wakeup(&mut self) -> bool {
        std::mem::take(&mut self.hurry)
    }

    fn timer(&mut self, at: u64) {
        self.hurry |= at < self.looks_at;
    }

    /// The session's batch goes out then.
    pub(super) fn batch_at(&mut self, at: u64, key: u64) {
        self.batches.insert((at, key));
        self.timer(at);
    }

    /// Takes the next session whose batch is due.
    pub(super) fn due_batch(&mut self, now: u64) -> Option<u64> {
        let due = self.batches.first().filter(|&&(at, _)| at <= now)?.1;
        self.batches.pop_first();
        Some(due)
    }

    /// Ms since the reactor began.
    pub(super) fn now(&self) -> u64 {
        whole_ms(self.start.elapsed())
    }

    fn obey_one(&mut self, command: Command) {
        match command {
            Command::Park(arrival) => self.park(*arrival),
            Command::Event { key, due, message } => self.event(key, due, message),
            Command::Drain { window_ms } => {
                self.drain = Some((window_ms.into(), self.now()));
                let keys: Vec<u32> = self.streams.iter().map(|(key, _)| key as u32).collect();
                keys.into_iter().for_each(|key| self.drain_one(key));
            }
        }
    }

    fn park(&mut self, arrival: Arrival) {
        let now = self.now();
        let Arrival { socket, counted, session, key, cohort, broker, opening, told, ends, position, .. } =
            arrival;
        let index = self.sessions.find_or_add(key, session, cohort, &broker, &self.recorder);
        let entry = self.streams.vacant_entry();
        // Bounded by the number of connections.
        let stream = entry.key() as u32;
        let mut socket = mio::net::TcpStream::from_std(socket);
        let registered = self.registry.register(&mut socket, Token(entry.key()), Interest::READABLE);
        let followers = &mut self.sessions.get(index).followers;
        let place = followers.len() as u32;
        followers.push(stream);
        entry.insert(Parked {
            socket,
            counted,
            session: index,
            place,
            position,
            pending: None,
            _permit: arrival.permit,
            opened: now,
            last_sent: now,
            last_event: now,
            until: arrival.expires_in.map_or(NEVER, |left| now.saturating_add(whole_ms(left))),
            stamp: 0,
            said: arrival.said,
            region: arrival.region,
            drains: false,
            leaves: None,
            _place: arrival.place,
        });
        self.arm(stream, now);
        if registered.is_err() {
            let due = u64::from(told) + arrival.live.len() as u64;
            self.recorder_of(stream).add(Counter::DroppedGone, due);
            self.leaving.push((stream, Counter::ClosedByClient));
            return self.close_leaving();
        }
        let ends = ends.then_some(Counter::ClosedAtEnd);
        self.recorder_of(stream).add(Counter::OpeningBytes, opening.len() as u64);
        self.hand(stream, Part { bytes: opening, holds: Holds::Told(told), ends });
        let recorder = self.recorder_of(stream);
        let mut live = arrival.live.into_iter();
        while let Some(message) = live.next() {
            let Some(parked) = self.streams.get_mut(stream as usize) else {
                // It went while it was told what came before.
                return recorder.add(Counter::DroppedGone, 1 + live.len() as u64);
            };
            if parked.has(message.id) {
                recorder.add(Counter::Repeated, 1);
                continue;
            }
            parked.position = message.id;
            self.hand(stream, Part::one(&message));
        }
        if self.drain.is_some() {
            self.drain_one(stream);
        }
    }

    /// Events for one follower alone: its opening, and what came before it was parked.
    fn hand(&mut self, key: u32, part: Part) {
        let Some(parked) = self.streams.get_mut(key as usize) else { return };
        let events = part.holds.events();
        if let Some(pending) = &mut parked.pending {
            let (conflated, slow) = pending.push(part);
            self.recorder_of(key).add(Counter::Conflated, conflated);
            if slow {
                self.leaving.push((key, Counter::ClosedSlow));
            }
            return self.close_leaving();
        }
        let mut bytes = 0;
        match parked.write(&part, &mut bytes) {
            Written::All => {
                let region = parked.region;
                delivered(&self.recorder_of(key), &part.holds, region);
                if let Some(reason) = part.ends {
                    self.leaving.push((key, reason));
                }
            }
            failed => self.not_all(key, failed, events),
        }
        self.count_stream_bytes(key, 0, bytes);
        self.close_leaving();
    }

    /// The socket has room, has bytes to read, or is gone.
    pub fn on_event(&mut self, event: &Event) {
        let key = event.token().0;
        let Some(parked) = self.streams.get_mut(key) else { return };
        let key = key as u32;
        let (mut heard, mut written, mut end) = (0, 0, Written::All);
        // The event may be of a socket that had this place a moment ago, so it is the socket that says how it is.
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            (heard, end) = parked.hear();
        }
        if matches!(end, Written::All) && event.is_writable() && parked.pending.is_some() {
            let recorder = &self.sessions.get(parked.session).recorder;
            let leaving = &mut self.leaving;
            let region = parked.region;
            end = parked.flush(&mut written, |part| {
                delivered(recorder, &part.holds, region);
                if let Some(reason) = part.ends {
                    leaving.push((key, reason));
                }
            });
        }
        match end {
            Written::All | Written::Blocked => {}
            // The kernel gave up on a reader that took nothing: it was slow, and not simply gone.
            Written::Stalled if parked.pending.is_some() => self.leaving.push((key, Counter::ClosedSlow)),
            Written::Stalled | Written::Gone => self.leaving.push((key, Counter::ClosedByClient)),
        }
        self.count_stream_bytes(key, heard, written);
        self.close_leaving();
    }

    /// Its slot of the wheel came up.
    fn look_at(&mut self, key: u32, stamp: u32, ping: &Bytes) {
        let now = self.now();
        let Some(parked) = self.streams.get(key as usize).filter(|parked| parked.stamp == stamp) else {
            return;
        };
        if let Some(reason) = parked.leaves {
            // It has had its time to take its farewell.
            if now >= parked.until {
                self.leaving.push((key, reason));
                return self.close_leaving();
            }
            return self.arm(key, now);
        }
        let idle = u64::from(self.limits.get(Limit::IdleCloseMs));
        if now >= parked.until {
            let (back, reason) = if parked.drains {
                (100..1_000, Counter::ClosedByDrain)
            } else {
                (EXPIRED_BACK_MS, Counter::ClosedExpired)
            };
            return self.farewell(key, &frame::reconnect(jitter(back)), reason);
        }
        if now >= parked.last_event + idle {
            return self.farewell(key, &frame::idle(idle), Counter::ClosedIdle);
        }
        if now >= parked.last_sent + u64::from(self.limits.get(Limit::HeartbeatMs)) {
            self.say(key, ping.clone(), None);
        }
        self.arm(key, now);
    }

    /// Puts the stream into the wheel, at the next moment at which it may want something.
    pub(super) fn arm(&mut self, key: u32, now: u64) {
        let Some(parked) = self.streams.get_mut(key as usize) else { return };
        let heartbeat = parked.last_sent + u64::from(self.limits.get(Limit::HeartbeatMs));
        let idle = parked.last_event + u64::from(self.limits.get(Limit::IdleCloseMs));
        self.stamp = self.stamp.wrapping_add(1);
        parked.stamp = self.stamp;
        let at = heartbeat.min(idle).min(parked.until).max(now);
        self.wheel.add((key, self.stamp), at);
        self.timer(at);
    }

    /// Chooses a moment within the window at which the stream is sent away.
    fn drain_one(&mut self, key: u32) {
        let (Some((window, began)), now) = (self.drain, self.now()) else { return };
        let Some(parked) = self.streams.get_mut(key as usize) else { return };
        // A tenth of the window stays for the last ones to take their farewell.
        let last = (window - window / 10).saturating_sub(now - began);
        let at = now + u64::from(jitter(0..u32::try_from(last.max(1)).unwrap_or(u32::MAX)));
        // Not later than its ticket allows.
        if at < parked.until {
            parked.until = at;
            parked.drains = true;
            self.arm(key, now);
        }
    }

    pub(super) fn watch_for_room(&mut self, key: u32) {
        if let Some(parked) = self.streams.get_mut(key as usize) {
            let both = Interest::READABLE | Interest::WRITABLE;
            if self.registry.reregister(&mut parked.socket, Token(key as usize), both).is_err() {
                self.leaving.push((key, Counter::ClosedByClient));
            }
        }
    }

    pub(super) fn close_leaving(&mut self) {
        while let Some((key, reason)) = self.leaving.pop() {
            self.close(key, reason);
        }
    }

    fn close(&mut self, key: u32, reason: Counter) {
        let Some(parked) = self.streams.try_remove(key as usize) else { return };
        let now = self.now();
        let session = self.sessions.get(parked.session);
        let recorder = session.recorder.clone();
        if !session.id.is_probe() {
            reconcile(&recorder, parked.counted, parked.socket.as_fd());
        }
        session.followers.swap_remove(parked.place as usize);
        if let Some(&moved) = session.followers.get(parked.place as usize)
            && let Some(moved) = self.streams.get_mut(moved as usize)
        {
            moved.place = parked.place;
        }
        // What a batch still holds for it was owed to it, unless it came later than the event.
        let batched = session.batch.iter().filter(|message| !parked.has(message.id)).count() as u64;
        session.owed = session.owed.saturating_sub(batched);
        let lost = batched + parked.pending.as_ref().map_or(0, |pending| pending.events());
        match reason {
            Counter::ClosedSlow => recorder.at(parked.region).dropped_slow(lost),
            _ => recorder.add(Counter::DroppedGone, lost),
        }
        recorder.at(parked.region).add_apart(Counter::StreamsClosed, 1);
        recorder.add(reason, 1);
        let lived = now.saturating_sub(parked.opened);
        recorder.record(Measure::ConnectionDuration, lived);
        // A name that never was a session's stands on no timeline.
        if parked.position.epoch != Epoch::NONE {
            closed(&recorder, &session.id, reason, lived);
        }
        session.broker.unwatch(&session.id);
        if let Some(hub) = &self.hub {
            hub.unpark(&session.id, 1);
        }
        if session.followers.is_empty() {
            recorder.add(Counter::Repeated, session.owed);
            self.sessions.remove(parked.session);
        }
        if self.streams.is_empty() {
            // A crowd that left takes its memory along.
            self.streams.shrink_to_fit();
        }
    }

    /// What counts for a stream's session.
    pub(super) fn recorder_of(&mut self, key: u32) -> Recorder {
        let session = self.streams.get(key as usize).map(|parked| parked.session);
        let session = session.and_then(|index| self.sessions.try_get(index));
        session.map_or_else(|| self.recorder.clone(), |session| session.recorder.clone())
    }

    pub(super) fn count_stream_bytes(&mut self, key: u32, heard: u64, written: u64) {
        if heard + written > 0
            && let Some(parked) = self.streams.get(key as usize)
            && let Some(session) = self.sessions.try_get(parked.session)
        {
            count_bytes(&session.recorder, session.cohort, heard, written);
        }
    }
}
