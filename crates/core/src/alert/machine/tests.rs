//! Whole rules, from samples to transitions. Numbers in names of tests are those of the case table in the issue.

mod cases; // rules over events: known cases, clocks, blindness, bursts
mod nodes; // rules that judge each node by itself
mod same; // a restart, the order of nodes and the length of buckets change nothing

use super::{super::file::parse_rule, *};
use crate::metric::measure::{
    counters::Counter,
    sample::{Measure, Sample},
};

fn rule(fields: &str) -> Rule {
    let yaml = format!("{{ name: A, severity: critical, notification: [], {fields} }}");
    parse_rule(&yaml).expect("a rule")
}

fn machine(fields: &str) -> Machine {
    Machine::new(&rule(fields), true, 10).expect("a rule that is used")
}

/// One node's bucket with so many deliveries, of which some were dropped.
fn deliveries(node: &str, index: i64, n: u64, bad: u64) -> Packed {
    let mut sample = Sample::new(node, index * 10, 10);
    sample.counters.add(Counter::CoveredSeconds, 10);
    sample.counters.add(Counter::DeliveriesDue, n);
    sample.counters.add(Counter::DroppedSlow, bad);
    sample.pack()
}

/// One node's bucket with memory in percent of its limit.
fn memory(node: &str, index: i64, percent: u64) -> Packed {
    let mut sample = Sample::new(node, index * 10, 10);
    sample.counters.add(Counter::CoveredSeconds, 10);
    sample.counters.add(Counter::MemorySum, percent * 10);
    sample.counters.add(Counter::MemoryLimitSum, 1_000);
    sample.pack()
}

fn run(machine: &mut Machine, buckets: Range<i64>, n: u64, bad: u64) -> Vec<Happened> {
    buckets.flat_map(|at| machine.judge(at, &[deliveries("a", at, n, bad)])).collect()
}

fn told(happened: &[Happened]) -> Vec<(i64, Transition)> {
    happened.iter().map(|of| (of.at, of.transition)).collect()
}
