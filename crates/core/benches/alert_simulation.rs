//! The whole simulation of alert rules: three seeds, 36 months a cell, every bound of docs/alerts.md. Some minutes:
//! `cargo bench -p streamgauge-core --features alert,measure --bench alert_simulation`. Exit status 1 if a bound is missed.
//!
//! Arguments choose sections: `false`, `blips`, `latency`, `replay`, `worlds`, `delays`. `SEEDS` (201,202,203) and `MONTHS` (36)
//! change the size; bounds hold for 36 months.
#![allow(clippy::unwrap_used, reason = "in a benchmark, a panic is the message")]

#[path = "../tests/simulation/blips.rs"]
mod blips;
#[path = "../tests/simulation/chance.rs"]
mod chance;
#[path = "../tests/simulation/false_incidents.rs"]
mod false_incidents;
#[path = "../tests/simulation/latency.rs"]
mod latency;
#[path = "../tests/simulation/ratio_run.rs"]
mod ratio_run;
#[path = "../tests/simulation/replay/mod.rs"]
mod replay;
#[path = "../tests/simulation/varied.rs"]
mod varied;
#[path = "../tests/simulation/world.rs"]
mod world;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let sections: Vec<String> = env::args().skip(1).filter(|of| !of.starts_with("--")).collect();
    let wanted = |name: &str| sections.is_empty() || sections.iter().any(|section| section == name);
    let seeds = env::var("SEEDS").unwrap_or_else(|_| "201,202,203".into());
    let months = env::var("MONTHS").ok().and_then(|text| text.parse().ok()).unwrap_or(36);
    let mut held = true;
    for seed in seeds.split(',').filter_map(|seed| seed.trim().parse::<u64>().ok()) {
        println!("## seed {seed}");
        if wanted("false") {
            held &= few_are_false(seed, months);
        }
        if wanted("blips") {
            held &= short_failures_are_no_incident(seed);
        }
        if wanted("latency") {
            held &= latency_is_never_false(seed, months);
        }
        if wanted("replay") {
            held &= incidents_are_faults(seed);
        }
        if wanted("worlds") {
            varied::print_worlds(seed, months / 3);
        }
        if wanted("delays") {
            varied::print_delays(seed, 300);
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// At half the threshold at most 6 in a cell and 14 in all; at 0.9 of it 54 and 135.
fn few_are_false(seed: u64, months: u64) -> bool {
    let mut held = true;
    for (tenths, cell, all) in [(5, 6, 14), (9, 54, 135)] {
        let found =
            false_incidents::all(seed, &false_incidents::cells(&false_incidents::VOLUMES, tenths), months);
        false_incidents::print(&found);
        let (worst, total) = false_incidents::worst_and_total(&found);
        held &= within(&format!("worst cell at 0.{tenths}"), worst, cell);
        held &= within(&format!("all cells at 0.{tenths}"), total, all);
    }
    held
}

fn short_failures_are_no_incident(seed: u64) -> bool {
    let mut held = true;
    for (seconds, base, most) in [(120, 1, 0), (120, 5, 10), (180, 1, 20), (240, 1, 20)] {
        let fired = blips::all(seed, &blips::blips(&[seconds], &blips::VOLUMES, base), 1_000);
        blips::print(&fired);
        let worst = fired.iter().map(|fired| fired.ours).max().unwrap_or(0);
        held &= within(&format!("of 1,000 blips of {seconds} s, base 0.{base}"), worst as usize, most);
    }
    for base in [1, 5] {
        let fired = blips::all(seed, &blips::blips(&[300], &blips::VOLUMES, base), 1_000);
        blips::print(&fired);
        let missed = fired.iter().map(|fired| fired.of - fired.ours).max().unwrap_or(0);
        held &= within(&format!("total failures of 300 s not found, base 0.{base}"), missed as usize, 0);
    }
    held
}

fn latency_is_never_false(seed: u64, months: u64) -> bool {
    let mut cells = Vec::new();
    for (mean_ms, sigma_tenths, shared_percent) in
        [(300, 10, 30), (450, 10, 30), (300, 10, 0), (450, 10, 0), (300, 15, 0), (450, 15, 0)]
    {
        for (values, months) in [(30, months / 3), (300, months / 3), (1_000, months / 9)] {
            cells.push(latency::Cell {
                values,
                mean_ms,
                sigma_tenths,
                shared_percent,
                months: months.max(1),
            });
        }
    }
    let found = latency::all(seed, &cells);
    latency::print(&found);
    within("false latency incidents", found.iter().map(|found| found.incidents).sum(), 0)
}

/// Of 90 days with 100 faults, by all shipped rules.
fn incidents_are_faults(seed: u64) -> bool {
    let replay = replay::replay(seed, 90, 100);
    replay.print();
    let unmatched = replay.unmatched().len();
    let mut held =
        within("incidents about no fault, of each hundred", unmatched * 100, replay.incidents.len());
    held &= within("critical faults that were not raised", replay.critical_not_raised().len(), 0);
    held
}

fn within(what: &str, value: usize, most: usize) -> bool {
    let held = value <= most;
    println!("{} {what}: {value}, at most {most}", if held { "held  " } else { "MISSED" });
    held
}
