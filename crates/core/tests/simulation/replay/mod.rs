//! Weeks of a service with faults injected, through all shipped rules by the very machine that runs live: is every incident
//! about a fault, and is every critical fault raised?
//!
//! The service is healthy but not clean: 0.03 % of its deliveries fail, half of them in bursts; traffic has a day; latency
//! is lognormal; memory wanders; Redis stalls for single probes. Between two faults lies a blip that is none: too short, or
//! too small for its rule. The faults are of sizes that the rules promise to find; docs/alerts-testing.md lists them.

mod faults; // what goes wrong, and when
mod service; // what nodes record of it

use super::false_incidents::in_parallel;
use faults::{Fault, Kind, faults};
use service::Service;
use std::collections::BTreeMap;
use streamgauge_core::{
    alert::{
        file::{rule::Rule, shipped},
        machine::Machine,
        state::Transition,
    },
    metric::{measure::packed::Packed, notice::Severity},
};

const DAY: i64 = 86_400;
const STEP: i64 = 10;

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
