//! Numbers in names of tests are those of the case table in the issue; most come from Prometheus' own tests.

use super::*;

const MIN: i64 = 60_000;

fn rule(duration: i64, keep_firing_for: i64, interval: i64) -> LiteralRule {
    LiteralRule { duration, keep_firing_for, interval }
}

fn letter(phase: Phase) -> char {
    match phase {
        Phase::Ok => '-',
        Phase::Pending => 'P',
        Phase::Firing => 'F',
        Phase::Recovering => 'R',
    }
}

/// One letter an evaluation, and how often it fired and resolved.
fn run(rule: LiteralRule, values: impl IntoIterator<Item = bool>) -> (String, usize, usize) {
    let (mut row, mut states, mut fired, mut resolved) = (LiteralRow::default(), String::new(), 0, 0);
    for (at, holds) in values.into_iter().enumerate() {
        let seen = if holds { Seen::True } else { Seen::False };
        match row.step(&rule, at as i64 * rule.interval, seen) {
            Some(Transition::Fired) => fired += 1,
            Some(Transition::Resolved(_)) => resolved += 1,
            _ => {}
        }
        states.push(letter(row.phase));
    }
    (states, fired, resolved)
}

fn above(limit: i64, values: &[i64]) -> Vec<bool> {
    values.iter().map(|value| *value > limit).collect()
}

#[test]
fn case_1_keep_firing_for_starts_at_the_first_false_evaluation() {
    let values = above(50, &[75, 85, 70, 70, 10, 10, 10]);
    assert_eq!(run(rule(MIN, MIN, MIN), values), ("PFFFR--".to_owned(), 1, 1));
}

#[test]
fn case_2_keep_firing_for_does_not_keep_a_pending_rule() {
    assert_eq!(run(rule(MIN, MIN, MIN), above(50, &[75, 10, 10])), ("P--".to_owned(), 0, 0));
}

#[test]
fn case_3_a_fault_of_a_day_fires_once() {
    let (states, fired, resolved) = run(rule(5 * MIN, 0, MIN), [true; 1441]);
    assert!(states.starts_with("PPPPPF") && states.ends_with('F'));
    assert_eq!((fired, resolved), (1, 0));
}

#[test]
fn case_4_a_target_that_goes_down_fires_five_minutes_later() {
    let up = [true; 7].into_iter().chain([false; 9]);
    let (states, ..) = run(rule(5 * MIN, 0, MIN), up.map(|up| !up));
    assert_eq!(states, "-------PPPPPFFFF");
}

#[test]
fn case_5_a_rule_without_duration_is_never_pending() {
    assert_eq!(run(rule(0, 0, MIN), above(10, &[5, 5, 60])).0, "--F");
}

#[test]
fn case_7_a_short_breach_is_pending_and_says_nothing() {
    let values = above(10, &[5, 5, 15, 15, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
    assert_eq!(run(rule(3 * MIN, 0, MIN / 2), values), ("--PP---------".to_owned(), 0, 0));
}

#[test]
fn case_9_an_alternating_value_never_fires() {
    let (states, fired, _) = run(rule(2 * MIN, 0, MIN), (0..100).map(|i| i % 2 == 0));
    assert!(states.starts_with("P-P-P-"));
    assert_eq!(fired, 0);
}

#[test]
fn case_11_a_value_on_the_boundary_fires_by_the_comparison() {
    assert_eq!(run(rule(MIN, 0, MIN), [50; 11].map(|value| value > 50)).1, 0);
    assert_eq!(run(rule(MIN, 0, MIN), [50; 11].map(|value| value >= 50)).1, 1);
}

/// Stores the row and reads it back, as a restart does.
fn restarted(row: &LiteralRow) -> LiteralRow {
    serde_json::from_str(&serde_json::to_string(row).unwrap()).unwrap()
}

#[test]
fn case_12_a_firing_rule_fires_on_after_a_restart() {
    let rule = rule(5 * MIN, 5 * MIN, 10_000);
    let mut row = LiteralRow::default();
    for at in 0..=30 {
        row.step(&rule, at * 10_000, Seen::True);
    }
    assert_eq!(row.phase, Phase::Firing);
    let mut row = restarted(&row);
    assert_eq!(row.step(&rule, 330_000, Seen::True), None);
    assert_eq!(row.phase, Phase::Firing);
}

#[test]
fn case_13_time_that_nobody_saw_does_not_count_towards_the_duration() {
    let rule = rule(25 * MIN, 0, 5 * MIN);
    let mut row = LiteralRow::default();
    row.step(&rule, 0, Seen::True);
    row.step(&rule, 5 * MIN, Seen::True);
    let mut row = restarted(&row);
    for at in [15, 20, 25, 30] {
        assert_eq!(row.step(&rule, at * MIN, Seen::True), None, "{at} min");
        assert_eq!(row.phase, Phase::Pending);
    }
    assert_eq!(row.step(&rule, 35 * MIN, Seen::True), Some(Transition::Fired));
}

#[test]
fn case_15_a_fault_that_ended_while_nobody_looked_resolves_and_says_so() {
    let rule = rule(0, MIN, 10_000);
    let mut row = LiteralRow::default();
    row.step(&rule, 100_000, Seen::True);
    let mut row = restarted(&row);
    assert_eq!(row.step(&rule, 400_000, Seen::False), Some(Transition::Recovering));
    let last = (401..=460).filter(|at| at % 10 == 0).find_map(|at| row.step(&rule, at * 1000, Seen::False));
    assert_eq!(last, Some(Transition::Resolved(Resolved::EndedUnseen { from: 100, to: 400 })));
}

#[test]
fn case_17_no_data_resolves_nothing() {
    let rule = rule(0, 0, MIN);
    let mut row = LiteralRow::default();
    row.step(&rule, 0, Seen::True);
    for at in 1..=30 {
        assert_eq!(row.step(&rule, at * MIN, Seen::Nothing), None);
        assert_eq!(row.phase, Phase::Firing);
    }
    assert!(matches!(row.step(&rule, 31 * MIN, Seen::False), Some(Transition::Resolved(_))));
}

#[test]
fn case_28_a_clock_that_jumps_by_an_hour_makes_nothing_early() {
    for jump in [-60 * MIN, 60 * MIN] {
        let rule = rule(5 * MIN, 0, MIN);
        let mut row = LiteralRow::default();
        row.step(&rule, 0, Seen::True);
        row.step(&rule, MIN, Seen::True);
        let mut fired = None;
        for at in 2..20 {
            if row.step(&rule, jump + at * MIN, Seen::True) == Some(Transition::Fired) {
                fired = Some(at);
            }
        }
        // The minute in which the clock was set is lost.
        assert_eq!(fired, Some(6), "{jump}");
    }
}

#[test]
fn case_29_few_events_fire_in_literal_mode() {
    // 2 bad of 100 in each five minutes are 2 % at every evaluation.
    assert_eq!(run(rule(5 * MIN, 0, MIN), [true; 60]).1, 1);
}
