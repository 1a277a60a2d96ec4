//! A service under a day's traffic, and the rows that its two nodes would have stored.

use super::{
    super::chance::Chance,
    STEP,
    faults::{Fault, Kind},
};
use std::collections::BTreeMap;
use streamgauge_core::metric::measure::{
    counters::{Counter, Counters},
    packed::{Compressed, Packed},
    sample::{Histograms, Measure},
};

const DAY: i64 = 86_400;

/// Draws the rows of each bucket in turn.
pub struct Service {
    chance: Chance,
    faults: Vec<Fault>,
    next: usize,
    /// Of each node, in percent of its limit.
    memory: [f64; 2],
    quick: Pool,
    connect: Pool,
    /// Of the latency fault that is now or was last, with its factor.
    slow: (f64, Pool),
    /// By how many probes were slow, and how many stalled.
    redis: BTreeMap<(u64, u64), Vec<u8>>,
}

/// What a bucket holds of a latency. To compress each one anew would take most of the time, so buckets draw among these.
struct Pool {
    measure: Measure,
    encoded: Vec<Vec<u8>>,
}

impl Pool {
    fn new(chance: &mut Chance, measure: Measure, values: f64, median_ms: f64, sigma: f64) -> Pool {
        let encoded = (0..200).map(|_| {
            let mut histograms = Histograms::default();
            for _ in 0..chance.poisson(values).max(1) {
                let ms = median_ms * (sigma * chance.normal()).exp();
                histograms.record_n(measure, (ms * 1_000.0) as u64, 1);
            }
            histograms.encode(measure).unwrap()
        });
        Pool { measure, encoded: encoded.collect() }
    }

    fn put(&self, chance: &mut Chance, row: &mut Row) {
        let place = (chance.share() * self.encoded.len() as f64) as usize;
        row.histograms[self.measure as usize] = Some(self.encoded[place].clone());
    }
}

#[derive(Default)]
struct Row {
    counters: Counters,
    histograms: Compressed<Vec<u8>>,
}

const NODES: [&str; 2] = ["a", "b"];

impl Service {
    pub fn new(seed: u64, faults: &[Fault]) -> Service {
        let mut chance = Chance::new(seed, &[91]);
        let quick = Pool::new(&mut chance, Measure::DeliveryLatency, 10.0, 30.0, 0.7);
        let connect = Pool::new(&mut chance, Measure::ConnectionEstablishment, 4.0, 15.0, 0.5);
        let slow = (1.0, Pool::new(&mut chance, Measure::DeliveryLatency, 10.0, 30.0, 0.7));
        let (faults, redis) = (faults.to_vec(), BTreeMap::new());
        Service { chance, faults, next: 0, memory: [55.0; 2], quick, connect, slow, redis }
    }

    pub fn rows(&mut self, at: i64) -> [Packed; 2] {
        while self.faults.get(self.next).is_some_and(|fault| fault.to <= at) {
            self.next += 1;
        }
        let now = self.faults.get(self.next).copied().filter(|fault| fault.from <= at);
        let size = |kind| now.filter(|fault| fault.kind == kind).map(|fault| fault.size);
        let sine = (std::f64::consts::TAU * at as f64 / DAY as f64).sin();
        let mut rows = [Row::default(), Row::default()];
        self.followers(&mut rows[0], 1.0 + 0.6 * sine, &size);
        for (node, row) in rows.iter_mut().enumerate() {
            self.memory(row, node, size(Kind::Memory).filter(|_| node == 0));
            self.redis(row, size(Kind::Redis));
        }
        let mut names = NODES.iter();
        rows.map(|row| {
            let node = names.next().copied().unwrap_or_default();
            Packed::new(node.into(), String::new(), (at, STEP), &row.counters, row.histograms)
        })
    }

    fn followers(&mut self, row: &mut Row, traffic: f64, size: &dyn Fn(Kind) -> Option<f64>) {
        let chance = &mut self.chance;
        let due = chance.poisson(200.0 * traffic);
        let alone = chance.binomial(due, 0.000_15);
        let bursts = chance.poisson(due as f64 * 0.000_15 / 3.0);
        let burst: u64 = (0..bursts).map(|_| chance.burst(3.0)).sum();
        let failing = size(Kind::Errors).or(size(Kind::Outage)).unwrap_or(0.0);
        let failed = chance.binomial(due, failing) + alone + burst;
        let attempts = chance.poisson(30.0 * traffic);
        let left = chance.binomial(attempts, 0.005);
        let refused = chance.binomial(attempts - left, size(Kind::Connections).unwrap_or(0.0));
        let bad_probes = if size(Kind::Outage).is_some() { 10 } else { 0 };
        let sessions = chance.poisson(5.0 * traffic);
        let fell_back = chance.binomial(sessions, 0.01);
        for (counter, amount) in [
            (Counter::DeliveriesDue, due.max(failed)),
            (Counter::DroppedSlow, failed),
            (Counter::ConnectAttempts, attempts),
            (Counter::ConnectEstablished, attempts - left - refused),
            (Counter::ConnectFailed, refused),
            (Counter::ProbesBad, bad_probes),
            (Counter::ProbesGood, 10 - bad_probes),
            (Counter::StreamCohortSessions, sessions),
            (Counter::SessionsFellBack, fell_back),
            (Counter::CoveredSeconds, STEP as u64),
        ] {
            row.counters.add(counter, amount);
        }
        self.connect.put(chance, row);
        match size(Kind::Latency) {
            None => self.quick.put(chance, row),
            Some(factor) => {
                if self.slow.0 != factor {
                    let pool = Pool::new(chance, Measure::DeliveryLatency, 10.0, 30.0 * factor, 0.7);
                    self.slow = (factor, pool);
                }
                self.slow.1.put(chance, row);
            }
        }
    }

    /// Correlated over five minutes.
    fn memory(&mut self, row: &mut Row, node: usize, more: Option<f64>) {
        let (level, stay) = (55.0, 0.967_f64);
        let noise = 2.0 * (1.0 - stay * stay).sqrt() * self.chance.normal();
        self.memory[node] = level + stay * (self.memory[node] - level) + noise;
        let percent = (self.memory[node] + more.unwrap_or(0.0)).clamp(0.0, 100.0);
        row.counters.add(Counter::MemorySum, (percent * 1e6) as u64);
        row.counters.add(Counter::MemoryLimitSum, 100_000_000);
    }

    fn redis(&mut self, row: &mut Row, slow: Option<f64>) {
        let slow = self.chance.binomial(10, slow.unwrap_or(0.0));
        let stalled = u64::from(self.chance.share() < 0.001);
        let encoded = self.redis.entry((slow, stalled)).or_insert_with(|| {
            let mut histograms = Histograms::default();
            let quick = 10_u64.saturating_sub(slow + stalled);
            for (micros, count) in [(900, quick), (250_000, slow), (3_000_000, stalled)] {
                histograms.record_n(Measure::RedisLatency, micros, count);
            }
            histograms.encode(Measure::RedisLatency).unwrap()
        });
        row.histograms[Measure::RedisLatency as usize] = Some(encoded.clone());
    }
}
