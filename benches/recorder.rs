//! What measuring costs: the reactor's loop over real TCP sockets, with and without the recorder by turns.
//!
//! `cargo bench --bench recorder`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a benchmark, a panic is the message")]

use rustix::time::{ClockId, clock_gettime};
use send_many::Sender;
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use streamgauge::testing::Recorder;
use streamgauge_core::{
    measure::{counters::Counter, sample::Measure},
    region::Region,
};

const FOLLOWERS: usize = 100;
/// Of them in each way.
const EVENTS: usize = 4_000;
/// As many are written to by one system call.
const GROUP: usize = 16;

fn main() {
    let mut sockets = followers();
    let mut sender = Sender::new().ok();
    let recorder = Recorder::new(2);
    // The two ways take turns from event to event, so that whatever else the machine does falls on both; and each goes
    // first as often as the other.
    let mut spent = [Vec::new(), Vec::new()];
    for round in 0..EVENTS {
        for turn in 0..2 {
            let measured = (round + turn) % 2 == 0;
            let recorder = measured.then_some(&recorder);
            spent[usize::from(measured)].push(publish(&mut sockets, sender.as_mut(), recorder));
        }
    }
    let each = spent.map(|mut times| {
        // The slowest tenth was interrupted by something.
        times.sort_unstable();
        times.truncate(EVENTS * 9 / 10);
        times.iter().sum::<u64>() as f64 / (times.len() * FOLLOWERS) as f64
    });
    println!("a delivery with the recorder     {:>8.1} ns of CPU", each[1]);
    println!("a delivery without it            {:>8.1} ns of CPU", each[0]);
    println!("measuring costs                  {:>8.2} %   (at most 1)", (each[1] / each[0] - 1.0) * 100.0);
}

/// Sockets whose other ends are read all the time, by a thread each.
fn followers() -> Vec<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let pair = |_| {
        let far = TcpStream::connect(address).expect("connected");
        let (near, _) = listener.accept().expect("accepted");
        near.set_nodelay(true).expect("no delay");
        near.set_nonblocking(true).expect("not blocking");
        thread::spawn(move || std::io::copy(&mut { far }, &mut std::io::sink()));
        near
    };
    (0..FOLLOWERS).map(pair).collect()
}

/// As `stream/reactor/fan_out.rs` does it: one look at the clock for a group, one addition for each counter and event.
/// The followers say where they are, which costs the most. Nanoseconds of this thread's CPU time.
fn publish(sockets: &mut [TcpStream], mut sender: Option<&mut Sender>, recorder: Option<&Recorder>) -> u64 {
    let message = [b'x'; 240];
    let (accepted, region) = (now_us(), Region::at(1));
    let mut results = Vec::with_capacity(GROUP);
    let since = cpu_ns();
    for group in sockets.chunks_mut(GROUP) {
        match &mut sender {
            Some(sender) => sender.send(&message, group.iter().map(AsFd::as_fd), &mut results),
            None => results.extend(group.iter_mut().map(|socket| socket.write(&message))),
        }
        let written = results.drain(..).filter(|result| matches!(result, Ok(240))).count();
        assert_eq!(written, group.len(), "a follower does not keep up");
        if let Some(recorder) = recorder {
            let age = u64::try_from(now_us() - accepted).unwrap_or(0);
            recorder.record_n(Measure::Delivery, age, written as u64);
            (0..written).for_each(|_| recorder.record_at(region, Measure::Delivery, age));
        }
    }
    if let Some(recorder) = recorder {
        recorder.add(Counter::DeliveriesDue, FOLLOWERS as u64);
        recorder.add(Counter::Delivered, FOLLOWERS as u64);
        recorder.add(Counter::StreamBytesIn, 0);
        recorder.add(Counter::StreamBytesOut, (FOLLOWERS * message.len()) as u64);
        recorder.add(Counter::StreamCohortBytes, (FOLLOWERS * message.len()) as u64);
    }
    cpu_ns() - since
}

fn cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(spent.tv_sec * 1_000_000_000 + spent.tv_nsec).unwrap_or(0)
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
