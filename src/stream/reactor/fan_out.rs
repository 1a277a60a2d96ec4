//! One event to all followers of a session.

use super::{
    super::message::{LAST_CHUNK, Message, chunk},
    engine::Engine,
    parked::Written,
    pending::{Holds, Part},
};
use crate::{clock, measure::Recorder};
use bytes::{Bytes, BytesMut};
use kernel::send_many::Sender;
use std::{
    io::{self, Write},
    os::fd::AsFd,
    sync::Arc,
};
use streamgauge_core::{
    metric::{
        measure::{counters::Counter, sample::Measure},
        region::{Counts, Region},
    },
    session::{cohort::Cohort, frame},
    settings::limits::Limit,
};

/// So many followers are written to by one system call, where the kernel does that, and with one look at the clock
/// afterwards: the first of them has its event up to some 60 µs earlier than is measured.
const GROUP: usize = 16;

/// A reader that has more waiting gets so long to take it and its farewell, ms.
const TO_TAKE_FAREWELL_MS: u64 = 5_000;

/// Deliveries of one fan-out, counted apart and added up once.
#[derive(Default)]
pub struct Tally {
    /// Written, waiting, or dropped: dealt with.
    given: u64,
    conflated: u64,
    /// For followers that had been told farewell.
    gone: u64,
    bytes: u64,
    /// Of sockets, whether each was a system call or part of one.
    writes: u64,
    /// Events that were delivered, by region.
    delivered: Counts,
}

/// How a group is written to: the room for it is kept.
pub struct Writing {
    /// `None`: the kernel has no such call, or does not let this process use it.
    sender: Option<Sender>,
    results: Vec<io::Result<usize>>,
    group: Vec<u32>,
}

impl Writing {
    pub fn new(sender: Option<Sender>) -> Writing {
        Writing { sender, results: Vec::with_capacity(GROUP), group: Vec::with_capacity(GROUP) }
    }
}

impl Engine {
    /// An event from the hub, which counted `due` followers: written at once, or kept until the batching interval
    /// has passed.
    pub(super) fn event(&mut self, key: u64, due: u64, message: Arc<Message>) {
        let Some(index) = self.sessions.find(key) else {
            return self.recorder.add(Counter::DroppedGone, due);
        };
        let now = self.now();
        let interval = u64::from(self.limits.get(Limit::BatchMs));
        let session = self.sessions.get(index);
        // Who left since the hub counted is gone, and did not get it.
        session.recorder.add(Counter::DroppedGone, due.saturating_sub(session.followers.len() as u64));
        session.owed += session.followers.len() as u64;
        let next = session.last_out.map_or(0, |last| last + interval);
        if session.batch.is_empty() && (now >= next || message.ends) {
            session.last_out = Some(now);
            if interval > 0 {
                session.recorder.record(Measure::Hold, 0);
            }
            return self.fan_out(index, std::slice::from_ref(&message), now);
        }
        let ends = message.ends;
        session.batch.push(message);
        session.batch_came.push(now);
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
        for came in session.batch_came.drain(..) {
            session.recorder.record(Measure::Hold, now.saturating_sub(came));
        }
        if !batch.is_empty() {
            session.last_out = Some(now);
            self.fan_out(index, &batch, now);
        }
    }

    fn fan_out(&mut self, index: u32, messages: &[Arc<Message>], now: u64) {
        let Some(last) = messages.last() else { return };
        let whole = together(messages);
        let session = self.sessions.get(index);
        let (cohort, followers) = (session.cohort, std::mem::take(&mut session.followers));
        let recorder = session.recorder.clone();
        let owed = std::mem::take(&mut session.owed);
        let mut tally = Tally::default();
        let mut group = std::mem::take(&mut self.writing.group);
        for &key in &followers {
            let Some(parked) = self.streams.get_mut(key as usize) else { continue };
            if parked.has(last.id) {
                continue;
            }
            // It may have joined in the middle of the batch: then its snapshot covers some of it.
            let known = messages.iter().take_while(|message| parked.has(message.id)).count();
            let news = &messages[known..];
            tally.given += news.len() as u64;
            if parked.leaves.is_some() {
                tally.gone += news.len() as u64;
                continue;
            }
            parked.position = last.id;
            parked.last_event = now;
            parked.last_sent = now;
            match &mut parked.pending {
                Some(pending) => {
                    // One by one, so that progress in a batch is conflated like any other.
                    let mut slow = false;
                    for message in news {
                        let (conflated, too_slow) = pending.push(Part::one(message));
                        tally.conflated += conflated;
                        slow |= too_slow;
                    }
                    if slow {
                        self.leaving.push((key, Counter::ClosedSlow));
                    }
                }
                None if known > 0 => self.write_to(&[key], &together(news), &recorder, &mut tally),
                None => {
                    group.push(key);
                    if group.len() == GROUP {
                        self.write_to(&group, &whole, &recorder, &mut tally);
                        group.clear();
                    }
                }
            }
        }
        self.write_to(&group, &whole, &recorder, &mut tally);
        group.clear();
        self.writing.group = group;
        recorder.delivered(&tally.delivered);
        recorder.add(Counter::SocketWrites, tally.writes);
        // Owed and not given: the follower's snapshot or replay had it already.
        recorder.add(Counter::Repeated, owed.saturating_sub(tally.given));
        recorder.add(Counter::Conflated, tally.conflated);
        recorder.add(Counter::DroppedGone, tally.gone);
        count_bytes(&recorder, cohort, 0, tally.bytes);
        self.sessions.get(index).followers = followers;
        self.close_leaving();
    }

    /// Writes a part to followers that have nothing waiting, [`GROUP`] at most.
    fn write_to(&mut self, group: &[u32], part: &Part, recorder: &Recorder, tally: &mut Tally) {
        tally.writes += group.len() as u64;
        let mut results = std::mem::take(&mut self.writing.results);
        let streams = &mut self.streams;
        match &mut self.writing.sender {
            Some(sender) if group.len() > 1 => {
                let sockets = group.iter().filter_map(|&key| streams.get(key as usize));
                sender.send(&part.bytes, sockets.map(|parked| parked.socket.as_fd()), &mut results);
            }
            _ => results.extend(group.iter().filter_map(|&key| {
                streams.get_mut(key as usize).map(|parked| parked.socket.write(&part.bytes))
            })),
        }
        let events = part.holds.events();
        let mut regions = Counts::default();
        for (&key, result) in group.iter().zip(results.drain(..)) {
            let Some(parked) = self.streams.get_mut(key as usize) else { continue };
            match parked.wrote(part, result, &mut tally.bytes) {
                Written::All => {
                    regions.add(parked.region, 1);
                    if let Some(reason) = part.ends {
                        self.leaving.push((key, reason));
                    }
                }
                failed => self.not_all(key, failed, events),
            }
        }
        let mut nowhere = regions.sum();
        for (region, followers) in regions.known() {
            tally.delivered.add(region, followers * events);
            nowhere -= followers;
        }
        tally.delivered.add(Region::UNKNOWN, nowhere * events);
        time(recorder, &part.holds, &regions);
        self.writing.results = results;
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
                let region = self.streams.get(key as usize).map(|parked| parked.region).unwrap_or_default();
                self.recorder_of(key).at(region).dropped_slow(events);
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
            let Some(reason) = ends else { return };
            let (conflated, slow) = pending.push(part);
            self.recorder_of(key).add(Counter::Conflated, conflated);
            if slow {
                self.leaving.push((key, Counter::ClosedSlow));
                return self.close_leaving();
            }
            return self.takes_farewell(key, reason);
        }
        let mut bytes = 0;
        match (parked.write(&part, &mut bytes), ends) {
            (Written::All, None) => {}
            (Written::All, Some(reason)) => self.leaving.push((key, reason)),
            (Written::Blocked, ends) => {
                self.watch_for_room(key);
                if let Some(reason) = ends {
                    self.takes_farewell(key, reason);
                }
            }
            (Written::Gone, _) => self.leaving.push((key, Counter::ClosedByClient)),
            (Written::Stalled, _) => self.leaving.push((key, Counter::ClosedSlow)),
        }
        self.count_stream_bytes(key, 0, bytes);
        self.close_leaving();
    }

    /// Its last word waits for room: that has its time, and nothing comes after it.
    fn takes_farewell(&mut self, key: u32, reason: Counter) {
        let now = self.now();
        if let Some(parked) = self.streams.get_mut(key as usize) {
            parked.leaves = Some(reason);
            parked.until = now + TO_TAKE_FAREWELL_MS;
        }
        self.arm(key, now);
    }

    /// Says the last word and closes once it is written.
    pub(super) fn farewell(&mut self, key: u32, text: &str, reason: Counter) {
        let mut bytes = chunk(text.as_bytes());
        bytes.extend_from_slice(LAST_CHUNK);
        self.say(key, bytes.freeze(), Some(reason));
    }

    /// The ping of this moment; all streams that are due share it.
    pub(super) fn ping(&self) -> Bytes {
        chunk(frame::ping(clock::now_ms(), self.limits.get(Limit::HeartbeatMs)).as_bytes()).freeze()
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
    recorder.at(region).delivered(holds.events());
    recorder.add(Counter::SocketWrites, u64::from(holds.events() > 0));
    let mut regions = Counts::default();
    regions.add(region, 1);
    time(recorder, holds, &regions);
}

/// Records the age of the events that so many followers in each region have just been sent: added up, since each addition
/// to the recorder is an atomic one.
fn time(recorder: &Recorder, holds: &Holds, followers: &Counts) {
    if followers.sum() == 0 {
        return;
    }
    let now = clock::now_us();
    for accepted in holds.accepted_us() {
        let age = u64::try_from(now - accepted).unwrap_or(0);
        recorder.record_each(Measure::DeliveryLatency, age, followers);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::places::Place, Arrival, Command},
        *,
    };
    use crate::{
        broker::{Broker, LocalBroker},
        stream::{Hub, LiveLimits},
    };
    use std::{
        io::Read,
        net::{TcpListener, TcpStream},
        time::Duration,
    };
    use streamgauge_core::{
        metric::measure::sample::Sample,
        session::{
            follow::Said,
            history::HistoryLimits,
            ids::{Epoch, EventId, SessionId},
            status::{Draft, State, StatusEvent},
        },
        settings::limits::Limits,
    };
    use tokio::sync::Semaphore;

    const FOLLOWERS: usize = 40;
    const EVENTS: u64 = 50;
    /// Goes away before the first event.
    const GONE: usize = 7;
    /// Reads nothing.
    const SLOW: usize = 33;

    fn session() -> SessionId {
        "job".parse().expect("an id")
    }

    fn event(seq: u64) -> Arc<Message> {
        let draft = Draft {
            state: State::Running,
            stage: "work".into(),
            progress: seq as u8,
            message: Some("x".repeat(2_000)),
            data: None,
        };
        let id = EventId { epoch: Epoch(1), seq };
        Arc::new(Message::live(&StatusEvent::new(id, session(), draft, 5), clock::now_us()))
    }

    fn pair(index: usize, listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().expect("an address");
        let far = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        if index == SLOW {
            far.set_recv_buffer_size(4_096).expect("a small buffer");
        }
        far.connect(&address.into()).expect("connected");
        let (near, _) = listener.accept().expect("a connection");
        if index == SLOW {
            socket2::SockRef::from(&near).set_send_buffer_size(4_096).expect("a small buffer");
        }
        near.set_nonblocking(true).expect("not blocking");
        (near, far.into())
    }

    /// One that has been at work for so long.
    fn engine(
        age: Duration,
        sender: Option<Sender>,
        recorder: &Recorder,
    ) -> (mio::Poll, Engine, Vec<TcpStream>) {
        let limits = LiveLimits::new(&Limits::default());
        let hub = Hub::start(recorder.clone(), limits.clone(), 1).expect("a hub");
        let broker: Arc<dyn Broker> = Arc::new(LocalBroker::new(hub, HistoryLimits::default(), 60_000));
        let poll = mio::Poll::new().expect("an epoll");
        let registry = poll.registry().try_clone().expect("its registry");
        let mut engine = Engine::new(registry, limits, recorder.clone(), sender);
        engine.start -= age;
        let (listener, places) =
            (TcpListener::bind("127.0.0.1:0").expect("a port"), Arc::new(Semaphore::new(FOLLOWERS)));
        let mut ends = Vec::new();
        for index in 0..FOLLOWERS {
            let (near, far) = pair(index, &listener);
            ends.push(far);
            let arrival = Arrival {
                socket: near,
                counted: Default::default(),
                session: session(),
                key: 1,
                cohort: Cohort::Stream,
                region: Region::UNKNOWN,
                broker: broker.clone(),
                opening: Bytes::from_static(b"hello"),
                told: 0,
                ends: false,
                position: EventId { epoch: Epoch(1), seq: 0 },
                live: Vec::new(),
                permit: None,
                expires_in: None,
                said: Said::default(),
                place: Place::from(places.clone().try_acquire_owned().expect("a place")),
            };
            engine.apply(vec![Command::Park(Box::new(arrival))]);
        }
        (poll, engine, ends)
    }

    /// By one system call for many, or by one for each: nobody sees a difference.
    fn check(sender: Option<Sender>) {
        let recorder = Recorder::new(1);
        let (_poll, mut engine, mut ends) = engine(Duration::ZERO, sender, &recorder);
        let gone = ends.remove(GONE);
        // Closed with bytes unread: a reset, so that writing to it fails at once.
        drop(gone);
        let messages: Vec<_> = (1..=EVENTS).map(event).collect();
        for message in &messages {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: message.clone() }]);
        }
        let expected =
            messages.iter().fold(b"hello".to_vec(), |all, message| [&all[..], &message.chunk].concat());
        for (index, end) in ends.iter_mut().enumerate().filter(|(index, _)| *index != SLOW - 1) {
            let mut heard = vec![0; expected.len()];
            end.read_exact(&mut heard).expect("all of it");
            assert!(heard == expected, "follower {index} hears the same as any other");
        }
        assert_eq!(engine.streams.len(), FOLLOWERS - 1, "who is gone is closed, who is slow waits");
        let waiting: u64 = engine
            .streams
            .iter()
            .map(|(_, p)| p.pending.as_ref().map_or(0, |pending| pending.events()))
            .sum();
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect(&mut sample);
        let count = |counter| sample.counters.get(counter);
        assert!(count(Counter::Conflated) > 0 && waiting > 0, "the slow one has the latest");
        let dealt = count(Counter::Delivered) + count(Counter::Conflated) + count(Counter::DroppedGone);
        assert_eq!(dealt + waiting, EVENTS * FOLLOWERS as u64);
        assert_eq!(count(Counter::ClosedByClient), 1);
        assert_eq!(sample.histograms.get(Measure::DeliveryLatency).len(), count(Counter::Delivered));
    }

    /// 2^32 ms are 49.7 days.
    #[test]
    fn timers_and_batches_go_on_after_months() {
        let recorder = Recorder::new(1);
        let (_poll, mut engine, ends) = engine(Duration::from_secs(80 * 24 * 60 * 60), None, &recorder);
        let mut due = Vec::new();
        engine.tick(&mut due);
        let heartbeat = engine.limits.heartbeat();
        let next = engine.until_next().expect("a timer");
        assert!(next <= heartbeat + Duration::from_millis(200) && next > heartbeat / 2, "{next:?}");
        engine.start -= heartbeat + Duration::from_secs(1);
        engine.tick(&mut due);
        let heard = |mut end: &TcpStream| {
            end.set_nonblocking(true).expect("not blocking");
            let mut bytes = [0; 4_096];
            let count = end.read(&mut bytes).expect("something");
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        assert!(ends.iter().all(|end| heard(end).contains("event: ping")), "a heartbeat late");
        engine.limits.set(&Limits { batch_ms: 50, ..Limits::default() });
        for seq in 1..=2 {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: event(seq) }]);
        }
        assert!(ends.iter().all(|end| heard(end).contains("id: ")), "the first at once");
        engine.start -= Duration::from_millis(50);
        engine.tick(&mut due);
        assert!(ends.iter().all(|end| heard(end).contains("id: ")), "the second with the batch");
        engine.limits.set(&Limits { batch_ms: 1_000, ..Limits::default() });
        for seq in 3..=6 {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: event(seq) }]);
        }
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect(&mut sample);
        let all = FOLLOWERS as u64;
        let count =
            |sample: &Sample| [Counter::SocketWrites, Counter::Delivered].map(|one| sample.counters.get(one));
        assert_eq!(count(&sample), [2 * all, 2 * all], "a write each, and none for the ping");
        engine.start -= Duration::from_secs(1);
        engine.tick(&mut due);
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect(&mut sample);
        assert_eq!(sample.counters.get(Counter::SocketWrites), all, "four events in one write");
    }

    #[test]
    fn an_event_waits_for_its_batch_and_that_is_measured() {
        let recorder = Recorder::new(1);
        let (_poll, mut engine, _ends) = engine(Duration::from_secs(60), None, &recorder);
        let publish = |engine: &mut Engine, seq| {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: event(seq) }]);
        };
        publish(&mut engine, 1);
        engine.limits.set(&Limits { batch_ms: 1_000, ..Limits::default() });
        engine.start -= Duration::from_secs(2);
        publish(&mut engine, 2);
        publish(&mut engine, 3);
        engine.start -= Duration::from_millis(400);
        publish(&mut engine, 4);
        engine.start -= Duration::from_millis(600);
        engine.tick(&mut Vec::new());
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect(&mut sample);
        let hold = sample.histograms.get(Measure::Hold);
        assert_eq!(hold.len(), 3, "one value an event, not one a follower; none without batching");
        assert_eq!(hold.count_between(0, 0), 1, "the first went at once");
        // As long as the test itself takes, they wait longer or less.
        assert_eq!((hold.count_between(500, 800), hold.count_between(950, 2_000)), (1, 1));
    }

    /// Nothing comes after the last chunk, and a reader that takes nothing holds its place no longer for it.
    #[test]
    fn a_farewell_that_waits_is_the_last_word() {
        let recorder = Recorder::new(1);
        let (_poll, mut engine, _ends) = engine(Duration::ZERO, None, &recorder);
        let publish = |engine: &mut Engine, seq| {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: event(seq) }]);
        };
        (1..=EVENTS).for_each(|seq| publish(&mut engine, seq));
        let slow = engine.streams.iter().find(|(_, parked)| parked.pending.is_some()).expect("a slow one").0;
        let waiting =
            |engine: &Engine| engine.streams[slow].pending.as_ref().map_or(0, |pending| pending.events());
        engine.farewell(slow as u32, &frame::reconnect(100), Counter::ClosedExpired);
        let before = waiting(&engine);
        publish(&mut engine, EVENTS + 1);
        assert_eq!(waiting(&engine), before, "an event behind the last chunk");
        engine.start -= Duration::from_millis(TO_TAKE_FAREWELL_MS + 200);
        engine.tick(&mut Vec::new());
        assert!(engine.streams.get(slow).is_none(), "it has had its time");
        let mut sample = Sample::new("a", 0, 1);
        recorder.collect(&mut sample);
        assert_eq!(sample.counters.get(Counter::ClosedExpired), 1);
        assert_eq!(sample.counters.get(Counter::DroppedGone), before + 1);
    }

    #[test]
    fn a_reader_that_the_kernel_gave_up_on_loses_events_of_its_region() {
        let (recorder, region) = (Recorder::new(1), Region::at(1));
        let (_poll, mut engine, _ends) = engine(Duration::ZERO, None, &recorder);
        engine.streams[0].region = region;
        engine.not_all(0, Written::Stalled, 2);
        engine.close_leaving();
        let mut sample = Sample::new("a", 0, 1);
        assert!(recorder.collect_at(region, &mut sample));
        let count = |counter| sample.counters.get(counter);
        assert_eq!((count(Counter::DeliveriesDue), count(Counter::DroppedSlow)), (2, 2));
        assert_eq!(count(Counter::StreamsClosed), 1);
    }

    /// What a batch holds back for it, and what waits for room in its socket, is lost because it is slow.
    #[test]
    fn a_slow_reader_loses_what_its_batch_holds_to_slowness() {
        let (recorder, region) = (Recorder::new(1), Region::at(1));
        let (_poll, mut engine, _ends) = engine(Duration::ZERO, None, &recorder);
        engine.limits.set(&Limits { batch_ms: 1_000, ..Limits::default() });
        engine.streams[0].region = region;
        for seq in 1..=3 {
            engine.apply(vec![Command::Event { key: 1, due: FOLLOWERS as u64, message: event(seq) }]);
        }
        engine.leaving.push((0, Counter::ClosedSlow));
        engine.close_leaving();
        let mut sample = Sample::new("a", 0, 1);
        assert!(recorder.collect_at(region, &mut sample));
        assert_eq!(sample.counters.get(Counter::DroppedSlow), 2, "the first went at once");
    }

    #[test]
    fn many_are_written_to_as_one_is() {
        check(None);
        match Sender::new() {
            Ok(sender) => check(Some(sender)),
            // As in many containers.
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported),
                "{error}"
            ),
        }
    }
}
