//! Weeks of a service with faults injected, through all shipped rules by the very machine that runs live: is every incident
//! about a fault, and is every critical fault raised?
//!
//! The service is healthy but not clean: 0.03 % of its deliveries fail, half of them in bursts; traffic has a day; latency
//! is lognormal; memory wanders; Redis stalls for single probes. Between two faults lies a blip that is none: too short, or
//! too small for its rule. The faults are of sizes that the rules promise to find; docs/alerts-testing.md lists them.

use super::{chance::Chance, false_incidents::in_parallel};
use std::collections::BTreeMap;
use streamgauge_core::{
    alert::{
        file::{rule::Rule, shipped},
        machine::Machine,
        state::Transition,
    },
    metric::{
        measure::{
            counters::Counter,
            packed::Packed,
            sample::{Measure, Sample},
        },
        notice::Severity,
    },
};

const DAY: i64 = 86_400;
const STEP: i64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Errors,
    Outage,
    Connections,
    Latency,
    Memory,
    Redis,
}

const KINDS: [Kind; 6] =
    [Kind::Errors, Kind::Outage, Kind::Connections, Kind::Latency, Kind::Memory, Kind::Redis];

impl Kind {
    /// The rule that must find it.
    fn rule(self) -> &'static str {
        match self {
            Kind::Errors | Kind::Outage => "SSE_High_Error_Rate",
            Kind::Connections => "SSE_Connection_Failure",
            Kind::Latency => "SSE_High_Latency",
            Kind::Memory => "Memory_Usage_High",
            Kind::Redis => "Redis_Performance_Degradation",
        }
    }

    /// Rules whose metric it moves.
    fn moves(self) -> &'static [&'static str] {
        match self {
            Kind::Errors => &["SSE_High_Error_Rate", "Error_Budget_"],
            Kind::Outage => &["SSE_High_Error_Rate", "Error_Budget_", "Uptime_Budget_"],
            // A connection that the server fails is an error as well.
            Kind::Connections => &["SSE_Connection_Failure", "SSE_High_Error_Rate", "Error_Budget_"],
            Kind::Latency => &["SSE_High_Latency", "Delivery_Budget_"],
            Kind::Memory => &["Memory_Usage_High"],
            Kind::Redis => &["Redis_Performance_Degradation"],
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: Kind,
    /// Seconds.
    pub from: i64,
    pub to: i64,
    /// A share, a factor or percentage points, by its kind.
    size: f64,
    is_blip: bool,
}

impl Fault {
    fn drawn(chance: &mut Chance, kind: Kind, from: i64) -> Fault {
        let (minutes, size) = match kind {
            Kind::Errors => ((15.0, 60.0), chance.between(0.03, 0.1)),
            Kind::Outage => ((8.0, 20.0), 1.0),
            Kind::Connections => ((10.0, 30.0), chance.between(0.3, 0.6)),
            Kind::Latency => ((12.0, 40.0), chance.between(25.0, 60.0)),
            Kind::Memory => ((25.0, 60.0), chance.between(28.0, 36.0)),
            Kind::Redis => ((12.0, 30.0), chance.between(0.92, 1.0)),
        };
        let seconds = chance.between(minutes.0 * 60.0, minutes.1 * 60.0) as i64;
        Fault { kind, from, to: from + seconds, size, is_blip: false }
    }

    /// Loud, and no fault.
    fn blip(chance: &mut Chance, kind: Kind, from: i64) -> Fault {
        let (seconds, size) = match kind {
            Kind::Errors => ((30.0, 60.0), 0.2),
            Kind::Outage => ((10.0, 15.0), 1.0),
            Kind::Connections => ((20.0, 40.0), 0.3),
            Kind::Latency => ((20.0, 40.0), 60.0),
            Kind::Memory => ((120.0, 400.0), 32.0),
            Kind::Redis => ((30.0, 150.0), 1.0),
        };
        let seconds = chance.between(seconds.0, seconds.1) as i64;
        Fault { kind, from, to: from + seconds, size, is_blip: true }
    }
}

/// One fault in each stretch of time, and a blip hours away from it.
pub fn faults(seed: u64, days: i64, count: i64) -> Vec<Fault> {
    let mut chance = Chance::new(seed, &[90, days as u64]);
    let first = DAY / 4;
    let slot = (days * DAY - first) / count;
    let mut all = Vec::new();
    for at in 0..count {
        let kinds = KINDS.len() as i64;
        // Another order of kinds in each round, so that no two always follow each other.
        let kind = KINDS[((at % kinds + at / kinds) % kinds) as usize];
        let other = KINDS[((at + at / kinds + 3) % kinds) as usize];
        let start = first + at * slot;
        let of_slot = |share: f64| start + (share * slot as f64) as i64;
        let early = chance.between(0.1, 0.4);
        all.push(Fault::drawn(&mut chance, kind, of_slot(early)));
        let late = chance.between(0.75, 0.9);
        all.push(Fault::blip(&mut chance, other, of_slot(late)));
    }
    all
}

/// Draws the rows of each bucket in turn.
struct Service {
    chance: Chance,
    faults: Vec<Fault>,
    /// Of each node, in percent of its limit.
    memory: [f64; 2],
    next: usize,
}

const NODES: [&str; 2] = ["a", "b"];

impl Service {
    fn new(seed: u64, faults: &[Fault]) -> Service {
        Service { chance: Chance::new(seed, &[91]), faults: faults.to_vec(), memory: [55.0; 2], next: 0 }
    }

    fn rows(&mut self, at: i64) -> [Packed; 2] {
        while self.faults.get(self.next).is_some_and(|fault| fault.to <= at) {
            self.next += 1;
        }
        let now = self.faults.get(self.next).copied().filter(|fault| fault.from <= at);
        let size = |kind| now.filter(|fault| fault.kind == kind).map(|fault| fault.size);
        let sine = (std::f64::consts::TAU * at as f64 / DAY as f64).sin();
        let traffic = 1.0 + 0.6 * sine;
        let mut rows = NODES.map(|node| Sample::new(node, at, STEP));
        for (node, sample) in rows.iter_mut().enumerate() {
            let is_first = node == 0;
            if is_first {
                self.followers(sample, traffic, &size);
            }
            self.memory(sample, node, size(Kind::Memory).filter(|_| is_first));
            self.redis(sample, size(Kind::Redis));
        }
        rows.map(|sample| sample.pack())
    }

    fn followers(&mut self, sample: &mut Sample, traffic: f64, size: &dyn Fn(Kind) -> Option<f64>) {
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
            sample.counters.add(counter, amount);
        }
        let slow = size(Kind::Latency).unwrap_or(1.0);
        for _ in 0..chance.poisson(8.0 * traffic) {
            let ms = 30.0 * slow * (0.7 * chance.normal()).exp();
            sample.histograms.record_n(Measure::DeliveryLatency, (ms * 1_000.0) as u64, 1);
        }
        for _ in 0..3 {
            let ms = 15.0 * (0.5 * chance.normal()).exp();
            sample.histograms.record_n(Measure::ConnectionEstablishment, (ms * 1_000.0) as u64, 1);
        }
    }

    /// Correlated over five minutes.
    fn memory(&mut self, sample: &mut Sample, node: usize, more: Option<f64>) {
        let (level, stay) = (55.0, 0.967_f64);
        let noise = 2.0 * (1.0 - stay * stay).sqrt() * self.chance.normal();
        self.memory[node] = level + stay * (self.memory[node] - level) + noise;
        let percent = (self.memory[node] + more.unwrap_or(0.0)).clamp(0.0, 100.0);
        sample.counters.add(Counter::MemorySum, (percent * 1e6) as u64);
        sample.counters.add(Counter::MemoryLimitSum, 100_000_000);
    }

    fn redis(&mut self, sample: &mut Sample, slow: Option<f64>) {
        let slow = self.chance.binomial(10, slow.unwrap_or(0.0));
        let stalled = u64::from(self.chance.share() < 0.001);
        let quick = 10_u64.saturating_sub(slow + stalled);
        sample.histograms.record_n(Measure::RedisLatency, 900, quick);
        sample.histograms.record_n(Measure::RedisLatency, 250_000, slow);
        sample.histograms.record_n(Measure::RedisLatency, 3_000_000, stalled);
    }
}

#[derive(Clone, Debug)]
pub struct Incident {
    pub rule: String,
    severity: Severity,
    pub fired: i64,
    /// How far back its rule looks, in seconds.
    looks_back: i64,
}

impl Incident {
    /// A fault that moves its metric lies in what the rule looked at.
    fn is_about(&self, fault: &Fault) -> bool {
        let moves = fault.kind.moves().iter().any(|rule| self.rule.starts_with(rule));
        !fault.is_blip && moves && fault.from < self.fired && self.fired - self.looks_back < fault.to
    }
}

pub struct Replay {
    pub faults: Vec<Fault>,
    pub incidents: Vec<Incident>,
}

/// The rules in two halves, each over the same world.
pub fn replay(seed: u64, days: i64, count: i64) -> Replay {
    let faults = faults(seed, days, count);
    let rules = shipped::file().unwrap().rules;
    let halves: Vec<Vec<Rule>> = (0..2)
        .map(|half| {
            rules.iter().enumerate().filter(|(at, _)| at % 2 == half).map(|(_, rule)| rule.clone()).collect()
        })
        .collect();
    let mut incidents: Vec<Incident> =
        in_parallel(&halves, |rules| run(rules, seed, days, &faults)).into_iter().flatten().collect();
    incidents.sort_by_key(|incident| incident.fired);
    Replay { faults, incidents }
}

fn run(rules: &[Rule], seed: u64, days: i64, faults: &[Fault]) -> Vec<Incident> {
    let mut service = Service::new(seed, faults);
    let mut machines: Vec<(&Rule, Machine, Vec<Packed>)> = rules
        .iter()
        .map(|rule| (rule, Machine::new(rule, true, STEP).unwrap().without_value(), Vec::new()))
        .collect();
    let mut incidents = Vec::new();
    for at in (0..days * DAY).step_by(STEP as usize) {
        let rows = service.rows(at);
        for (rule, machine, waiting) in &mut machines {
            waiting.extend(rows.iter().cloned());
            let step = machine.step();
            if (at + STEP) % step != 0 {
                continue;
            }
            for happened in machine.judge(at.div_euclid(step), waiting) {
                if happened.transition == Transition::Fired {
                    incidents.push(Incident {
                        rule: rule.name.clone(),
                        severity: rule.severity,
                        fired: happened.at,
                        looks_back: looks_back(rule),
                    });
                }
            }
            waiting.clear();
        }
    }
    incidents
}

/// Of a slow burn its short window alone: over three days there nearly always is a fault.
fn looks_back(rule: &Rule) -> i64 {
    match rule.name.as_str() {
        name if name.ends_with("Slow_Burn") => 6 * 3_600,
        _ => 3_600,
    }
}

impl Replay {
    pub fn real_faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| !fault.is_blip)
    }

    /// Incidents that are about no fault.
    pub fn unmatched(&self) -> Vec<&Incident> {
        let is_about_one = |incident: &&Incident| !self.faults.iter().any(|fault| incident.is_about(fault));
        self.incidents.iter().filter(is_about_one).collect()
    }

    /// How long until the rule of its kind fired.
    fn delay(&self, fault: &Fault) -> Option<i64> {
        let of_rule = |incident: &&Incident| incident.rule == fault.kind.rule() && incident.is_about(fault);
        self.incidents.iter().find(of_rule).map(|incident| incident.fired - fault.from)
    }

    /// Faults for whose kind there is a critical rule, and that no critical incident is about.
    pub fn critical_not_raised(&self) -> Vec<&Fault> {
        let critical = |incident: &&Incident| incident.severity == Severity::Critical;
        let is_critical = |kind| matches!(kind, Kind::Errors | Kind::Outage | Kind::Connections);
        self.real_faults()
            .filter(|fault| is_critical(fault.kind))
            .filter(|fault| !self.incidents.iter().filter(critical).any(|incident| incident.is_about(fault)))
            .collect()
    }

    pub fn print(&self) {
        let unmatched = self.unmatched();
        println!(
            "{} incidents, {} about no fault; {} faults, {} blips",
            self.incidents.len(),
            unmatched.len(),
            self.real_faults().count(),
            self.faults.len() - self.real_faults().count()
        );
        for incident in unmatched {
            println!("  about no fault: {} at {:.2} h", incident.rule, incident.fired as f64 / 3_600.0);
        }
        let mut by_kind: BTreeMap<Kind, Vec<Option<i64>>> = BTreeMap::new();
        for fault in self.real_faults() {
            by_kind.entry(fault.kind).or_default().push(self.delay(fault));
        }
        for (kind, delays) in by_kind {
            let mut found: Vec<i64> = delays.iter().flatten().copied().collect();
            found.sort_unstable();
            let minutes = |place: usize| found.get(place).map_or(f64::NAN, |delay| *delay as f64 / 60.0);
            println!(
                "  {kind:?}: {} of {} raised by {}, after {:.1} min (median), {:.1} min (longest)",
                found.len(),
                delays.len(),
                kind.rule(),
                minutes(found.len() / 2),
                minutes(found.len().saturating_sub(1)),
            );
        }
    }
}
