//! What measuring costs: the reactor's loop over real sockets, with and without the recorder, in turns.
//!
//! `cargo bench --bench recorder`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a benchmark, a panic is the message")]

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use streamgauge::testing::Recorder;
use streamgauge_core::measure::{counters::Counter, sample::Measure};

const FOLLOWERS: usize = 100;
const EVENTS: usize = 2_000;
const TURNS: usize = 9;

fn main() {
    let mut sockets: Vec<(UnixStream, UnixStream)> =
        (0..FOLLOWERS).map(|_| UnixStream::pair().expect("a pair of sockets")).collect();
    let recorder = Recorder::new(2);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        with.push(run(&mut sockets, Some(&recorder)));
        without.push(run(&mut sockets, None));
    }
    let (with, without) = (median(with), median(without));
    let each = |time: Duration| time.as_nanos() as f64 / (EVENTS * FOLLOWERS) as f64;
    println!("a delivery with the recorder     {:>8.1} ns", each(with));
    println!("a delivery without it            {:>8.1} ns", each(without));
    println!(
        "measuring costs                  {:>8.2} %   (at most 1)",
        (each(with) / each(without) - 1.0) * 100.0
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// As `stream/reactor/fan_out.rs` does it: one look at the clock for eight deliveries, one addition for each counter
/// and event. Only the writes are timed; what was written is read away in between.
fn run(sockets: &mut [(UnixStream, UnixStream)], recorder: Option<&Recorder>) -> Duration {
    let message = [b'x'; 240];
    let mut sink = [0; 65_536];
    let mut time = Duration::ZERO;
    for event in 0..EVENTS {
        let accepted = now_us();
        let since = Instant::now();
        let mut fresh = 0;
        for (writer, _) in sockets.iter_mut() {
            writer.write_all(&message).expect("written");
            fresh += 1;
            if fresh == 8
                && let Some(recorder) = recorder
            {
                recorder.record_n(Measure::Delivery, u64::try_from(now_us() - accepted).unwrap_or(0), fresh);
                fresh = 0;
            }
        }
        if let Some(recorder) = recorder {
            recorder.record_n(Measure::Delivery, u64::try_from(now_us() - accepted).unwrap_or(0), fresh);
            recorder.add(Counter::DeliveriesDue, FOLLOWERS as u64);
            recorder.add(Counter::Delivered, FOLLOWERS as u64);
            recorder.add(Counter::StreamBytesOut, (FOLLOWERS * message.len()) as u64);
            recorder.add(Counter::StreamCohortBytes, (FOLLOWERS * message.len()) as u64);
        }
        time += since.elapsed();
        if event % 100 == 99 {
            for (_, reader) in sockets.iter_mut() {
                let _ = reader.read(&mut sink).expect("read");
            }
        }
    }
    time
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
