use super::*;

const ERRORS: &str = "condition: error_rate > 1%, duration: 5m";

/// Phi as it is in a rule whose errors are independent.
fn without_bursts(mut machine: Machine) -> Machine {
    let stored = r#"{ "step": 10, "places": { "": { "state": { "robust": { "phi": 100 } }, "later": 1 } }, "new": [] }"#;
    machine.restore(serde_json::from_str(stored).expect("a state of another version"));
    machine
}

/// 36 buckets, 200 events in the first of each minute; bad events by minute, from the oldest on.
fn minutes(bad: [u64; 6]) -> Machine {
    let mut machine = without_bursts(machine(ERRORS));
    for (minute, bad) in (0..).zip(bad) {
        machine.judge(6 * minute, &[deliveries("a", 6 * minute, 200, bad)]);
        run(&mut machine, 6 * minute + 1..6 * minute + 6, 0, 0);
    }
    machine
}

#[test]
fn the_whole_rule_has_its_known_cases() {
    let check = |bad, state| assert_eq!(minutes(bad).view().state, state, "{bad:?}");
    check([5, 5, 0, 5, 6, 5], RuleState::Ok);
    check([6, 6, 0, 7, 7, 6], RuleState::Firing);
    check([4, 6, 0, 7, 7, 6], RuleState::Pending);
    check([6, 6, 6, 7, 7, 4], RuleState::Pending);
    check([6, 6, 4, 4, 8, 8], RuleState::Pending);
    let view = minutes([6, 6, 0, 7, 7, 6]).view();
    assert_eq!(view.reason, "26 bad of 1,000 in 5 min, bound 1.05 % > 1 %");
    assert_eq!((view.value, view.threshold, view.recover), (Some(2.6), Some(1.0), Some(1.0)));
    assert_eq!((view.unit, view.below, view.n, view.node), ("%", false, 1_000, None));
    assert_eq!((view.since, view.phi), (Some(360), Some(Phi::ONE)));
    assert_eq!((view.title.as_str(), view.metric.as_str()), ("Error rate is above 1 %", "error_rate"));
}

#[test]
fn case_30_a_total_failure_fires_between_five_and_six_minutes_later_and_is_told_with_its_counts() {
    let mut machine = machine(ERRORS);
    assert_eq!(run(&mut machine, 0..720, 30, 0), []);
    let happened = run(&mut machine, 720..760, 30, 30);
    let [pending, fired] = happened.as_slice() else { panic!("{happened:?}") };
    assert_eq!(pending.transition, Transition::Pending);
    assert_eq!(fired.transition, Transition::Fired);
    assert!((7_500..=7_560).contains(&fired.at), "{}", fired.at);
    assert!(fired.value.is_some_and(|value| value > 95.0), "{:?}", fired.value);
    assert!(fired.reason.contains("bad of 900 in 5 min"), "{}", fired.reason);
    let end = run(&mut machine, 760..1_000, 30, 0);
    let ends: Vec<_> = end.iter().map(|of| of.transition).collect();
    assert_eq!(ends, [Transition::Recovering, Transition::Resolved(Resolved::Confirmed)]);
    assert_eq!(machine.view().state, RuleState::Ok);
}

#[test]
fn case_17_no_data_keeps_it_firing_and_blinds_it_once() {
    let mut machine = machine(ERRORS);
    run(&mut machine, 0..100, 30, 0);
    run(&mut machine, 100..140, 30, 30);
    let blind: Vec<Happened> = (140..320).flat_map(|at| machine.judge(at, &[])).collect();
    assert_eq!(told(&blind), [(1_460, Transition::Blind)]);
    assert_eq!((machine.view().state, machine.view().blind), (RuleState::Firing, Some(1_400)));
    let seeing = run(&mut machine, 320..330, 30, 30);
    assert_eq!(told(&seeing), [(3_210, Transition::Seeing)]);
    assert_eq!((machine.view().state, machine.view().blind), (RuleState::Firing, None));
}

#[test]
fn case_28_a_clock_that_is_set_back_or_forward_makes_nothing_early_and_stops_nothing() {
    for jump in [-360, 360] {
        let mut machine = machine(ERRORS);
        run(&mut machine, 1_000..2_000, 50, 0);
        run(&mut machine, 2_000..2_010, 50, 50);
        assert_eq!(machine.view().state, RuleState::Pending);
        let mut fired = Vec::new();
        for closed in 2_010 + jump..2_060 + jump {
            for at in machine.due(closed) {
                // A gap where the clock ran ahead.
                let samples = [deliveries("a", at, 50, 50)];
                let present = at >= 2_010 + jump;
                fired.extend(machine.judge(at, if present { &samples } else { &[] }));
            }
        }
        fired.retain(|of| of.transition == Transition::Fired);
        // Ten bad buckets before the jump, and the rest of the duration after it. A gap of an hour in a window is too long:
        // there the window begins anew.
        let after: Vec<i64> = fired.iter().map(|of| of.at / 10 - (2_010 + jump)).collect();
        assert!(matches!(after.as_slice(), [21..=26 | 36]), "{jump}: {after:?}");
        assert_eq!(machine.view().since, Some(fired[0].at));
        assert_eq!(machine.newest(), Some(2_059 + jump));
    }
}

#[test]
fn a_bucket_that_was_judged_already_changes_nothing() {
    let mut machine = machine(ERRORS);
    run(&mut machine, 0..100, 30, 0);
    let before = machine.stored();
    assert_eq!(run(&mut machine, 0..100, 30, 30), []);
    assert_eq!(machine.stored(), before);
    assert_eq!(machine.due(99), 100..100);
    assert_eq!(machine.due(97), 100..100, "less than a minute is no clock that was set back");
    assert_eq!(machine.due(102), 100..103);
}

#[test]
fn case_29_few_events_fire_in_literal_mode_only() {
    let day = |fields: &str| {
        let mut machine = machine(fields);
        let bucket = |at: i64| (if at % 3 == 0 { 10 } else { 0 }, if at % 30 == 0 { 2 } else { 0 });
        let happened = (0..8_640).flat_map(|at| {
            let (n, bad) = bucket(at);
            machine.judge(at, &[deliveries("a", at, n, bad)])
        });
        happened.filter(|of| of.transition == Transition::Fired).count()
    };
    assert_eq!(day(ERRORS), 0);
    assert_eq!(day("condition: error_rate > 1%, duration: 5m, mode: literal"), 1);
}

#[test]
fn literal_mode_says_value_and_condition() {
    let mut machine = machine("condition: error_rate > 1%, duration: 1m, mode: literal");
    run(&mut machine, 0..10, 100, 0);
    assert_eq!(machine.view().reason, "0 % over 1 min, not > 1 %");
    let happened = run(&mut machine, 10..20, 100, 2);
    let expected = [(140, Transition::Pending), (200, Transition::Fired)];
    assert_eq!(told(&happened), expected, "above 1 % from the fourth of six buckets on, and a minute later");
    assert_eq!(machine.view().reason, "2 % over 1 min, > 1 %");
}

#[test]
fn what_succeeds_in_the_next_bucket_is_no_failure() {
    let mut machine = machine("condition: connection_success_rate < 95%, duration: 1m");
    for at in 0..100 {
        let mut sample = Sample::new("a", at * 10, 10);
        // Half of the attempts of a bucket are established in the next one.
        sample.counters.add(Counter::ConnectAttempts, if at % 2 == 0 { 100 } else { 0 });
        sample.counters.add(Counter::ConnectEstablished, 50);
        assert_eq!(machine.judge(at, &[sample.pack()]), []);
    }
    assert_eq!(machine.view().value, Some(100.0));
}

#[test]
fn a_slow_percentile_fires_and_its_value_is_in_milliseconds() {
    let mut machine = machine("condition: delivery_latency_p95 > 100ms, duration: 1m, recover: 80ms");
    let mut judge = |at: i64, ms: u64| {
        let mut sample = Sample::new("a", at * 10, 10);
        sample.histograms.record_n(Measure::DeliveryLatency, 20_000, 90);
        sample.histograms.record_n(Measure::DeliveryLatency, ms * 1_000, 10);
        machine.judge(at, &[sample.pack()])
    };
    let mut happened: Vec<_> = (0..100).flat_map(|at| judge(at, 30)).collect();
    assert_eq!(happened, []);
    happened = (100..130).flat_map(|at| judge(at, 300)).collect();
    assert_eq!(happened.last().map(|of| of.transition), Some(Transition::Fired));
    assert!(happened.last().and_then(|of| of.value).is_some_and(|ms| (298.0..304.0).contains(&ms)));
    // Better, but not below the level of recovery.
    happened = (130..300).flat_map(|at| judge(at, 90)).collect();
    assert_eq!(happened, []);
    happened = (300..400).flat_map(|at| judge(at, 30)).collect();
    assert_eq!(happened.last().map(|of| of.transition), Some(Transition::Resolved(Resolved::Confirmed)));
}

#[test]
fn a_slow_mean_fires() {
    let mut machine = machine("condition: avg_latency > 500ms, duration: 3m");
    let mut judge = |at: i64, ms: u64| {
        let mut sample = Sample::new("a", at * 10, 10);
        sample.histograms.record_n(Measure::DeliveryLatency, ms * 1_000, 10);
        machine.judge(at, &[sample.pack()])
    };
    let mut happened: Vec<_> = (0..100).flat_map(|at| judge(at, 300)).collect();
    assert_eq!(happened, []);
    happened = (100..130).flat_map(|at| judge(at, 800 + 20 * (at % 7).unsigned_abs())).collect();
    let fired = happened.last().expect("fired");
    assert_eq!(fired.transition, Transition::Fired);
    assert!(fired.reason.starts_with("mean 8") && fired.reason.ends_with(" ms > 500 ms"), "{}", fired.reason);
    assert!(fired.value.is_some_and(|ms| ms > 700.0));
}

#[test]
fn a_fast_burn_fires_when_both_windows_show_it() {
    let mut machine =
        without_bursts(machine("budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }"));
    assert_eq!(run(&mut machine, 0..720, 100, 0), []);
    let happened = run(&mut machine, 720..1_000, 100, 5);
    assert_eq!(happened.last().map(|of| of.transition), Some(Transition::Fired));
    let view = machine.view();
    assert_eq!((view.unit, view.threshold, view.recover), ("x", Some(14.4), None));
    assert!(view.value.is_some_and(|burn| burn > 14.4), "{:?}", view.value);
    assert_eq!(view.title, "Error rate burns its budget 14.4 x too fast");
    let end = run(&mut machine, 1_000..1_100, 100, 0);
    assert_eq!(end.last().map(|of| of.transition), Some(Transition::Resolved(Resolved::Confirmed)));
}

#[test]
fn long_windows_are_judged_over_minutes() {
    let step = |fields: &str| machine(fields).needs().step;
    assert_eq!(step(ERRORS), 10);
    assert_eq!(step("condition: error_rate > 1%, duration: 6h"), 60);
    assert_eq!(step("condition: error_rate > 1%, duration: 6h, mode: literal"), 10);
    assert_eq!(step("condition: memory_usage > 80%, duration: 24h"), 10);
    assert_eq!(step("budget_burn: { objective: errors, factor: 1, long: 3d, short: 6h }"), 60);
    let needs = machine("budget_burn: { objective: errors, factor: 1, long: 3d, short: 6h }").needs();
    assert_eq!((needs.buckets, needs.minutes), (4_320, 10_200));
    assert_eq!(machine(ERRORS).needs().buckets, 360);
    assert_eq!(machine("condition: avg_latency > 1s, duration: 5m").needs().minutes, 0);
}

#[test]
fn without_redis_its_rules_are_not_used() {
    let redis = rule("condition: redis_latency > 100ms, duration: 5m");
    assert_eq!(Machine::new(&redis, false, 10).err(), Some(NotUsed::NoRedis));
    let off = rule("condition: error_rate > 1%, duration: 5m, enabled: false");
    assert_eq!(Machine::new(&off, true, 10).err(), Some(NotUsed::Disabled));
}

#[test]
fn bursts_are_measured_at_each_full_hour_without_the_rules_own_incidents() {
    // 200 events a minute; six bad ones in each sixth minute: phi is 5.12 (see dispersion.rs).
    let hours = |machine: &mut Machine, hours: Range<i64>, bad: &dyn Fn(i64) -> u64| {
        for minute in hours.start * 60..hours.end * 60 {
            machine.judge(minute, &[deliveries("a", 6 * minute, 200, bad(minute))]);
        }
    };
    let burst = |minute: i64| if minute % 6 == 0 { 6 } else { 0 };
    let by_minutes = || Machine::new(&rule(ERRORS), true, 60).expect("a rule that is used");
    let mut machine = by_minutes();
    hours(&mut machine, 0..3, &burst);
    assert_eq!(machine.view().phi, Some(Phi::PRIOR), "the newest two full hours are left out");
    hours(&mut machine, 3..9, &burst);
    assert_eq!(machine.view().phi, Some(Phi::new(512)));
    // What is filled in after a restart gives the same.
    let mut again = by_minutes();
    again.restore(serde_json::from_str("{}").expect("nothing"));
    for minute in 0..9 * 60 {
        again.fill_minute(minute, &[deliveries("a", 6 * minute, 200, burst(minute))]);
    }
    hours(&mut again, 9..10, &|_| 0);
    assert_eq!(again.view().phi, Some(Phi::new(512)));
    // An hour of failures that it found itself is not taken for bursts, until people say that it was no fault.
    hours(&mut machine, 9..10, &|_| 100);
    assert_eq!(machine.view().state, RuleState::Firing);
    hours(&mut machine, 10..14, &burst);
    assert_eq!(machine.view().phi, Some(Phi::new(512)));
    let stored = machine.stored();
    assert_eq!(stored.faults.len(), 1);
    let fired = stored.faults[0].fired;
    machine.count_fault(fired, false);
    assert!(!machine.stored().faults[0].counts);
}
