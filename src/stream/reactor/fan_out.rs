//! One event to all followers of a session.

use super::{
    super::message::{LAST_CHUNK, Message, chunk},
    engine::Engine,
    parked::Written,
    pending::{Holds, Part},
};
use crate::{clock, gauge::Recorder};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use streamgauge_core::{
    cohort::Cohort,
    frame,
    limits::Knob,
    measure::{counters::Counter, sample::Measure},
    region::Region,
};

/// So many deliveries share one look at the clock: the last of them is at most some 20 µs older than it says.
const SHARED_CLOCK: usize = 8;

/// Deliveries of one fan-out, counted apart and added up once.
#[derive(Default)]
pub struct Tally {
    delivered: u64,
    /// Written, waiting, or dropped: dealt with.
    given: u64,
    conflated: u64,
    bytes: u64,
    /// Where those are that were written to since the clock was last looked at.
    fresh: Fresh,
    /// Deliveries by region.
    regions: ByRegion,
}

struct ByRegion([u32; Region::COUNT]);

impl Default for ByRegion {
    fn default() -> Self {
        ByRegion([0; Region::COUNT])
    }
}

/// The followers that share one look at the clock.
#[derive(Default)]
struct Fresh {
    regions: [Region; SHARED_CLOCK],
    count: usize,
}

impl Engine {
    /// An event from the hub, which counted `due` followers: written at once, or kept until the batching interval
    /// has passed.
    pub(super) fn event(&mut self, key: u64, due: u64, message: Arc<Message>) {
        let Some(index) = self.sessions.find(key) else {
            return self.recorder.add(Counter::DroppedGone, due);
        };
        let now = self.now();
        let interval = self.knobs.get(Knob::BatchMs);
        let session = self.sessions.get(index);
        // Who left since the hub counted is gone, and did not get it.
        session.recorder.add(Counter::DroppedGone, due.saturating_sub(session.followers.len() as u64));
        session.owed += session.followers.len() as u64;
        let next = session.last_out.map_or(0, |last| last.saturating_add(interval));
        if session.batch.is_empty() && (now >= next || message.ends) {
            session.last_out = Some(now);
            return self.fan_out(index, std::slice::from_ref(&message));
        }
        let ends = message.ends;
        session.batch.push(message);
        match session.batch.len() {
            // The end of a session waits for nothing.
            _ if ends => self.flush_batch(index),
            1 => {
                self.batch_at(next.max(now), key);
            }
            BATCH.. => self.flush_batch(index),
            _ => {}
        }
    }

    /// Writes what the batching interval held back until now.
    pub(super) fn flush_due_batches(&mut self) {
        let now = self.now();
        while let Some(key) = self.due_batch(now) {
            if let Some(index) = self.sessions.find(key) {
                self.flush_batch(index);
            }
        }
    }

    fn flush_batch(&mut self, index: u32) {
        let now = self.now();
        let session = self.sessions.get(index);
        let batch = std::mem::take(&mut session.batch);
        if !batch.is_empty() {
            session.last_out = Some(now);
            self.fan_out(index, &batch);
        }
    }

    fn fan_out(&mut self, index: u32, messages: &[Arc<Message>]) {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return };
        let whole = together(messages);
        let session = self.sessions.get(index);
        let (cohort, followers) = (session.cohort, std::mem::take(&mut session.followers));
        let recorder = session.recorder.clone();
        let owed = std::mem::take(&mut session.owed);
        let now = self.now();
        let mut tally = Tally::default();
        for &key in &followers {
            let Some(parked) = self.streams.get_mut(key as usize) else { continue };
            if parked.has(last.id) {
                continue;
            }
            let part = if parked.has(first.id) {
                // It joined in the middle of the batch: its snapshot covers some of it.
                let rest: Vec<_> =
                    messages.iter().filter(|message| !parked.has(message.id)).cloned().collect();
                together(&rest)
            } else {
                whole.clone()
            };
            let events = part.holds.events();
            tally.given += events;
            parked.position = last.id;
            parked.last_event = now;
            parked.last_sent = now;
            if let Some(pending) = &mut parked.pending {
                let (conflated, slow) = pending.push(part);
                tally.conflated += conflated;
                if slow {
                    self.leaving.push((key, Counter::ClosedSlow));
                }
                continue;
            }
            match parked.write(&part, &mut tally.bytes) {
                Written::All => {
                    tally.delivered += events;
                    tally.regions.0[parked.region.index()] += events as u32;
                    if events < whole.holds.events() {
                        // Only what it was given is timed.
                        time(&recorder, &part.holds, &[parked.region]);
                    } else {
                        tally.fresh.regions[tally.fresh.count] = parked.region;
                        tally.fresh.count += 1;
                    }
                    if tally.fresh.count == SHARED_CLOCK {
                        time(&recorder, &whole.holds, &tally.fresh.regions);
                        tally.fresh.count = 0;
                    }
                    if let Some(reason) = part.ends {
                        self.leaving.push((key, reason));
                    }
                }
                failed => self.not_all(key, failed, events),
            }
        }
        time(&recorder, &whole.holds, &tally.fresh.regions[..tally.fresh.count]);
        recorder.add(Counter::Delivered, tally.delivered);
        for (index, &count) in tally.regions.0.iter().enumerate().skip(1).filter(|(_, count)| **count > 0) {
            count_at(&recorder, Region::at(index), count.into());
        }
        // Owed and not given: the follower's snapshot or replay had it already.
        recorder.add(Counter::Repeated, owed.saturating_sub(tally.given));
        recorder.add(Counter::Conflated, tally.conflated);
        count_bytes(&recorder, cohort, 0, tally.bytes);
        self.sessions.get(index).followers = followers;
        self.close_leaving();
    }

    /// A write that did not take all: the rest waits for room, or the follower and the part's events are lost.
    pub(super) fn not_all(&mut self, key: u32, written: Written, events: u64) {
        match written {
            Written::All => {}
            Written::Blocked => self.watch_for_room(key),
            Written::Gone => {
                self.recorder_of(key).add(Counter::DroppedGone, events);
                self.leaving.push((key, Counter::ClosedByClient));
            }
            Written::Stalled => {
                self.recorder_of(key).add(Counter::DroppedSlow, events);
                self.leaving.push((key, Counter::ClosedSlow));
            }
        }
    }

    /// A ping, a farewell: no event.
    pub(super) fn say(&mut self, key: u32, bytes: Bytes, ends: Option<Counter>) {
        let now = self.now();
        let Some(parked) = self.streams.get_mut(key as usize) else { return };
        parked.last_sent = now;
        let part = Part { bytes, holds: Holds::Nothing, ends };
        if let Some(pending) = &mut parked.pending {
            // A reader that has not even taken events needs no ping, and hears of the end if it still gets there.
            if ends.is_some() && pending.push(part).1 {
                self.leaving.push((key, Counter::ClosedSlow));
            }
            return self.close_leaving();
        }
        let mut bytes = 0;
        match (parked.write(&part, &mut bytes), ends) {
            (Written::All, None) => {}
            (Written::All, Some(reason)) => self.leaving.push((key, reason)),
            (Written::Blocked, _) => self.watch_for_room(key),
            (Written::Gone, _) => self.leaving.push((key, Counter::ClosedByClient)),
            (Written::Stalled, _) => self.leaving.push((key, Counter::ClosedSlow)),
        }
        self.count_stream_bytes(key, 0, bytes);
        self.close_leaving();
    }

    /// Says the last word and closes once it is written.
    pub(super) fn farewell(&mut self, key: u32, text: &str, reason: Counter) {
        let mut bytes = chunk(text.as_bytes());
        bytes.extend_from_slice(LAST_CHUNK);
        self.say(key, bytes.freeze(), Some(reason));
    }

    /// The ping of this moment; all streams that are due share it.
    pub(super) fn ping(&self) -> Bytes {
        chunk(frame::ping(clock::now_ms(), self.knobs.get(Knob::HeartbeatMs)).as_bytes()).freeze()
    }
}

/// More events than this are not held back, however long the interval.
const BATCH: usize = 256;

/// All messages in one write.
fn together(messages: &[Arc<Message>]) -> Part {
    if let [message] = messages {
        return Part::one(message);
    }
    let mut bytes = BytesMut::new();
    messages.iter().for_each(|message| bytes.extend_from_slice(&message.chunk));
    let ends = messages.last().is_some_and(|message| message.ends).then_some(Counter::ClosedAtEnd);
    Part { bytes: bytes.freeze(), holds: Holds::Many(messages.into()), ends }
}

pub fn count_bytes(recorder: &Recorder, cohort: Cohort, heard: u64, written: u64) {
    recorder.add(Counter::StreamBytesIn, heard);
    recorder.add(Counter::StreamBytesOut, written);
    let both = match cohort {
        Cohort::Stream => Counter::StreamCohortBytes,
        Cohort::Poll => Counter::PollCohortBytes,
    };
    recorder.add(both, heard + written);
}

/// Counts and times what one follower alone was given.
pub fn delivered(recorder: &Recorder, holds: &Holds, region: Region) {
    recorder.add(Counter::Delivered, holds.events());
    count_at(recorder, region, holds.events());
    time(recorder, holds, &[region]);
}

/// What a region was given was also due to it.
fn count_at(recorder: &Recorder, region: Region, events: u64) {
    recorder.add_at(region, Counter::DeliveriesDue, events);
    recorder.add_at(region, Counter::Delivered, events);
}

/// Records the age of the events that followers in these regions have just been sent.
fn time(recorder: &Recorder, holds: &Holds, regions: &[Region]) {
    if regions.is_empty() {
        return;
    }
    let now = clock::now_us();
    for accepted in holds.accepted_us() {
        let age = u64::try_from(now - accepted).unwrap_or(0);
        recorder.record_n(Measure::Delivery, age, regions.len() as u64);
        regions.iter().for_each(|&region| recorder.record_at(region, Measure::Delivery, age));
    }
}
