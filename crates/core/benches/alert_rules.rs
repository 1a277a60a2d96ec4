//! What alert rules cost: a hundred of them judged in one turn over three nodes, and backtests of 30 days.
//! `cargo bench -p streamgauge-core --features alert --bench alert_rules`. Exit status 1 if a bar is missed.

#![expect(clippy::expect_used, reason = "a benchmark may end with a panic")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use streamgauge_core::{
    alert::{
        backtest::{Asked, backtest},
        file::{Rule, parse_rule},
        machine::Machine,
    },
    metric::measure::{packed::Packed, past::Past},
};

const DAY: i64 = 86_400;
/// Where the made-up past ends, Unix seconds.
const UNTIL: i64 = 20_000 * DAY;
const NODES: [&str; 3] = ["fra-1", "fra-2", "nyc-1"];
const RULES: usize = 100;
const TURNS: i64 = 200;

fn main() -> ExitCode {
    let mut held = judged();
    for (what, fields, bar) in [
        ("ratio", "condition: error_rate > 1%, duration: 5m", 1_000),
        ("mean", "condition: avg_latency > 500ms, duration: 3m", 1_000),
        ("percentile", "condition: delivery_latency_p95 > 200ms, duration: 5m", 3_000),
    ] {
        held &= backtested(what, fields, Duration::from_millis(bar));
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn rule(fields: &str) -> Rule {
    parse_rule(&format!("{{ name: A, severity: info, notification: [], {fields} }}")).expect("a rule")
}

/// All kinds in turn, each with a threshold of its own.
fn rules() -> Vec<Rule> {
    let of = |at: usize| {
        let more = 1 + at / 10;
        match at % 10 {
            0 => format!("condition: error_rate > {more}%, duration: 5m"),
            1 => format!("condition: avg_latency > {more}00ms, duration: 3m"),
            2 => format!("condition: connection_success_rate < {}%, duration: 2m", 99 - more),
            3 => format!("condition: memory_usage > {}%, duration: 10m", 70 + more),
            4 => format!("condition: redis_latency > {more}0ms, duration: 5m"),
            5 => format!("condition: delivery_latency_p95 > {more}00ms, duration: 5m"),
            6 => format!("budget_burn: {{ objective: errors, factor: {more}, long: 1h, short: 5m }}"),
            7 => format!("budget_burn: {{ objective: delivery, factor: {more}, long: 6h, short: 30m }}"),
            8 => format!("condition: active_connections > {more}000, duration: 5m"),
            _ => format!("condition: error_rate > {more}%, duration: 1h"),
        }
    };
    (0..RULES).map(|at| rule(&of(at))).collect()
}

/// A turn judges one bucket of 10 s by every rule. The bar is half a per cent of the ten seconds.
fn judged() -> bool {
    let past = Past::new(1, UNTIL);
    let mut machines: Vec<Machine> =
        rules().iter().filter_map(|rule| Machine::new(rule, true, 10).ok()).collect();
    let first = (UNTIL - DAY) / 10;
    let bucket = |index: i64| -> Vec<Packed> {
        let moment = past.moments(index * 10, 10).swap_remove(0);
        NODES.map(|node| moment.sample(node, "").pack()).into()
    };
    // Windows and the week of bursts are full, as in a server that has run for long.
    for index in first..first + 4_320 {
        let rows = bucket(index);
        machines.iter_mut().for_each(|machine| machine.fill(index, &rows));
    }
    let mut turns: Vec<Duration> = (first + 4_320..first + 4_320 + TURNS)
        .map(|index| {
            let rows = bucket(index);
            let begun = Instant::now();
            for machine in &mut machines {
                let _ = machine.judge(index, &rows);
                let _ = machine.stored();
                let _ = machine.view();
            }
            begun.elapsed()
        })
        .collect();
    turns.sort_unstable();
    let worst = turns[turns.len() * 99 / 100];
    println!(
        "{} rules over {} nodes: median {:.2?} a turn",
        machines.len(),
        NODES.len(),
        turns[turns.len() / 2]
    );
    within("99th percentile of a turn", worst, Duration::from_millis(50))
}

/// 27 days of minutes and three of 10 s, as retention leaves them; the time of reading PostgreSQL is not in it.
fn backtested(what: &str, fields: &str, bar: Duration) -> bool {
    let (past, rule) = (Past::new(1, UNTIL), rule(fields));
    let from = UNTIL - 30 * DAY;
    let row = |step: i64, index: i64| {
        let moment = past.moments(index * step, step).swap_remove(0);
        (index, step, vec![moment.sample("fra-1", "").pack()])
    };
    let minutes = (from / 60..(UNTIL - 3 * DAY) / 60).map(|index| row(60, index));
    let tens = ((UNTIL - 3 * DAY) / 10..UNTIL / 10).map(|index| row(10, index));
    let samples: Vec<_> = minutes.chain(tens).collect();
    let buckets = samples.len();
    let asked = Asked { rule: &rule, saved: Some(&rule), redis: true, from, to: UNTIL };
    let begun = Instant::now();
    let found = backtest(&asked, samples).expect("a rule that is used");
    let took = begun.elapsed();
    println!("backtest of 30 days, {what} rule: {buckets} rows, fires {} times", found.fires);
    within(&format!("backtest, {what}"), took, bar)
}

fn within(what: &str, value: Duration, most: Duration) -> bool {
    let held = value <= most;
    println!("{} {what}: {value:.2?}, at most {most:.0?}", if held { "held  " } else { "MISSED" });
    held
}
