//! What goes wrong, how much and when; and what only looks like it.

use super::super::chance::Chance;

const DAY: i64 = 86_400;

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
    pub fn rule(self) -> &'static str {
        match self {
            Kind::Errors | Kind::Outage => "SSE_High_Error_Rate",
            Kind::Connections => "SSE_Connection_Failure",
            Kind::Latency => "SSE_High_Latency",
            Kind::Memory => "Memory_Usage_High",
            Kind::Redis => "Redis_Performance_Degradation",
        }
    }

    /// Rules whose metric it moves.
    pub fn moves(self) -> &'static [&'static str] {
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
    pub size: f64,
    pub is_blip: bool,
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
            // More would truly burn the six hours' budget.
            Kind::Errors => ((30.0, 60.0), 0.1),
            Kind::Outage => ((10.0, 15.0), 0.3),
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
