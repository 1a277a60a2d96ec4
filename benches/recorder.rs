//! What measuring costs: events through hub and reactor to real TCP sockets, with and without the recorder by turns. What
//! goes without is the session by which a node probes itself: it takes the same way, and nothing of it is counted.
//!
//! `cargo bench --bench recorder`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a benchmark, a panic is the message")]

use bytes::Bytes;
use futures::FutureExt;
use rustix::time::{ClockId, clock_gettime};
use std::{
    hint::black_box,
    io::Read,
    net::{TcpListener, TcpStream},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};
use streamgauge::testing::{Arrival, Broker, Hub, LiveLimits, LocalBroker, Place, Publication, Recorder};
use streamgauge_core::{
    metric::{
        measure::{counters::Counter, sample::Sample},
        region::Region,
    },
    session::{
        cohort::Cohort,
        history::HistoryLimits,
        ids::{Epoch, EventId, SessionId},
        status::{Draft, State},
    },
    settings::limits::Limits,
};
use tokio::sync::Semaphore;

/// So few that the publishing thread writes to them itself, on its own CPU time.
const FOLLOWERS: usize = 100;
/// Sessions of each way, made by turns: where its sockets happen to lie makes one dearer than another.
const SESSIONS: usize = 8;
/// In which the followers of each session are.
const REGIONS: usize = 4;
/// Of each way.
const EVENTS: usize = 12_000;
/// Followers that are written to between two looks at the clock.
const GROUP: usize = 16;
/// Percent.
const BAR: f64 = 1.0;

fn main() -> ExitCode {
    let recorder = Recorder::new(4);
    let hub = Hub::start(recorder.clone(), LiveLimits::new(&Limits::default()), 1).expect("a hub");
    let local = LocalBroker::new(hub.clone(), HistoryLimits::default(), 3_600_000);
    let broker: Arc<dyn Broker> = Arc::new(local);
    let mut ways: [Vec<Session>; 2] = Default::default();
    for n in 0..SESSIONS {
        let probe = SessionId::probe(&format!("bench-{n}")).expect("a session");
        ways[0].push(follow(&hub, &broker, probe));
        ways[1].push(follow(&hub, &broker, format!("measured-{n}").parse().expect("a session")));
    }
    // The two ways take turns from event to event, so that whatever else the machine does falls on both; each goes first
    // as often as the other, and no session comes again before all others did, which would find it in the cache.
    let mut spent = [Vec::new(), Vec::new()];
    for round in 0..EVENTS {
        for turn in 0..2 {
            let way = (round / SESSIONS + turn) % 2;
            let session = &mut ways[way][round % SESSIONS];
            spent[way].push(publish(broker.as_ref(), &session.id, round));
            session.read();
        }
    }
    // What the reactor's thread took over may be on its way yet.
    thread::sleep(Duration::from_secs(1));
    let mut sample = Sample::new("bench", 0, 1);
    recorder.collect(&mut sample);
    let counted = sample.counters.get(Counter::Delivered);
    assert_eq!(counted, (EVENTS * FOLLOWERS) as u64, "deliveries of one way alone are counted");
    // Event by event, since the machine is quicker at one time than at another.
    let more = spent[1].iter().zip(&spent[0]).map(|(&with, &without)| with as f64 - without as f64);
    let more = typical(more) / FOLLOWERS as f64;
    let without = typical(spent[0].iter().map(|&ns| ns as f64)) / FOLLOWERS as f64;
    let with = without + more;
    // A look at the clock is part of measuring, and the probe's way looks at it too: taken off.
    let without = without - clock_ns() / GROUP as f64;
    let costs = (with / without - 1.0) * 100.0;
    println!("a delivery with the recorder     {with:>8.1} ns of CPU");
    println!("a delivery without it            {without:>8.1} ns of CPU");
    println!("measuring costs                  {costs:>8.2} %   (at most {BAR})");
    if costs <= BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Session {
    id: SessionId,
    /// The other ends of its followers' sockets.
    followers: Vec<TcpStream>,
}

impl Session {
    /// Reads what was written, outside of what is measured: readers that wait would be woken within it.
    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        for follower in &mut self.followers {
            assert!(follower.read(&mut buffer).is_ok_and(|read| read > 0), "it was written to");
        }
    }
}

/// Parks the near ends of new connections. The followers say where they are, which costs the most.
fn follow(hub: &Hub, broker: &Arc<dyn Broker>, session: SessionId) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let places = Arc::new(Semaphore::new(FOLLOWERS));
    let mut followers = Vec::with_capacity(FOLLOWERS);
    for number in 0..FOLLOWERS {
        let far = TcpStream::connect(address).expect("connected");
        let (near, _) = listener.accept().expect("accepted");
        near.set_nodelay(true).expect("no delay");
        near.set_nonblocking(true).expect("not blocking");
        followers.push(far);
        let region = Region::at(1 + number % REGIONS);
        let seat = hub.join(&session, Cohort::Stream, region).expect("a seat");
        let arrival = Arrival {
            socket: near,
            counted: kernel::socket_bytes::Carried::default(),
            session: session.clone(),
            key: 0,
            cohort: Cohort::Stream,
            region,
            broker: broker.clone(),
            opening: Bytes::from_static(b"3\r\n:\n\n\r\n"),
            told: 0,
            ends: false,
            position: EventId { epoch: Epoch(1), seq: 0 },
            live: Vec::new(),
            permit: None,
            expires_in: None,
            said: Default::default(),
            place: Place::from(places.clone().try_acquire_owned().expect("a place")),
        };
        hub.park(seat, arrival);
    }
    let mut session = Session { id: session, followers };
    session.read();
    session
}

/// One event to all followers of the session. Nanoseconds of this thread's CPU time.
fn publish(broker: &dyn Broker, session: &SessionId, round: usize) -> u64 {
    let draft = Draft {
        state: State::Running,
        stage: format!("stage {round}"),
        progress: (round % 101) as u8,
        message: Some("a message of a usual length".into()),
        data: serde_json::from_str(r#"{"words":1234,"speaker":"one","at":"00:12:34"}"#).ok(),
    };
    let since = cpu_ns();
    let published = broker.publish(session, Publication::First(draft), None).now_or_never();
    let spent = cpu_ns() - since;
    let published = published.expect("at once").expect("accepted");
    assert_eq!(published.subscribers, FOLLOWERS as u64);
    spent
}

fn cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(spent.tv_sec * 1_000_000_000 + spent.tv_nsec).unwrap_or(0)
}

/// What a look at the clock costs.
fn clock_ns() -> f64 {
    const LOOKS: u32 = 1_000_000;
    let since = cpu_ns();
    (0..LOOKS).for_each(|_| _ = black_box(SystemTime::now()));
    (cpu_ns() - since) as f64 / f64::from(LOOKS)
}

/// The mean without the tenths at both ends, in which something interrupted.
fn typical(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = &values[values.len() / 10..values.len() * 9 / 10];
    middle.iter().sum::<f64>() / middle.len() as f64
}
