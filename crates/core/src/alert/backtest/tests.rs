use super::super::file::parse_rule;
use super::*;
use crate::metric::measure::{
    counters::Counter,
    sample::{Measure, Sample},
};

fn rule(fields: &str) -> Rule {
    parse_rule(&format!("{{ name: A, severity: info, notification: [], {fields} }}")).expect("a rule")
}

fn row(index: i64, step: i64, n: u64, bad: u64) -> (i64, i64, Vec<Packed>) {
    let mut sample = Sample::new("a", index * step, step);
    sample.counters.add(Counter::CoveredSeconds, step.unsigned_abs());
    sample.counters.add(Counter::DeliveriesDue, n);
    sample.counters.add(Counter::DroppedSlow, bad);
    sample.histograms.record_n(Measure::DeliveryLatency, 5_000, n - bad);
    sample.histograms.record_n(Measure::DeliveryLatency, 400_000, bad);
    (index, step, vec![sample.pack()])
}

const ERRORS: &str = "condition: error_rate > 1%, duration: 5m";

/// A day of 10 s rows with 0.1 % bad, and an hour of 3 % from noon on.
fn day() -> impl Iterator<Item = (i64, i64, Vec<Packed>)> {
    (0..8_640).map(|index| {
        let bad = if (4_320..4_680).contains(&index) { 3 } else { u64::from(index % 10 == 0) };
        row(index, 10, 100, bad)
    })
}

fn asked(rule: &Rule) -> Asked<'_> {
    Asked { rule, saved: None, redis: true, from: 0, to: 86_400 }
}

#[test]
fn it_says_when_a_rule_would_have_fired_and_how_badly() {
    let rule = rule(ERRORS);
    let found = backtest(&asked(&rule), day()).expect("a rule that is used");
    let [incident] = found.incidents.as_slice() else { panic!("{:?}", found.incidents) };
    assert!((43_500_000..=44_400_000).contains(&incident.from), "{incident:?}");
    assert!(incident.to.is_some_and(|to| (46_800_000..48_600_000).contains(&to)), "{incident:?}");
    assert_eq!(incident.peak, Some(3.0));
    assert_eq!((found.fires, found.covered, found.n), (1, 1.0, 864_000));
    assert_eq!(found.firing_seconds, (incident.to.expect("resolved") - incident.from) / 1_000);
    assert_eq!((found.unit.as_str(), found.threshold, found.below), ("%", Some(1.0), false));
    assert_eq!(found.values.len(), 240);
    assert_eq!(found.values[125], BacktestValue { at: 45_000_000, value: Some(3.0) });
    assert_eq!(found.saved, None);
    let fires: Vec<_> = found.thresholds.iter().map(|at| (at.threshold, at.fires)).collect();
    assert_eq!(fires, [(0.5, 1), (0.75, 1), (1.0, 1), (1.5, 1), (2.0, 1), (3.0, 0)]);
    assert_eq!(found.cannot_tell, ["Its windows were empty at the beginning, and are all full after 1 h."]);
    let [hint] = found.hints.as_slice() else { panic!("{:?}", found.hints) };
    assert!(hint.starts_with("With the usual 3,000 operations in 5 min it fires from "), "{hint}");
}

#[test]
fn an_edited_rule_stands_beside_the_saved_one() {
    let (edited, saved) = (rule("condition: error_rate > 3%, duration: 5m"), rule(ERRORS));
    let found = backtest(&Asked { saved: Some(&saved), ..asked(&edited) }, day()).expect("used");
    assert_eq!((found.fires, found.saved.map(|saved| saved.len())), (0, Some(1)));
}

#[test]
fn samples_before_the_range_fill_the_windows_and_their_incidents_do_not_count() {
    let rule = rule(ERRORS);
    let found = backtest(&Asked { from: 45_000, ..asked(&rule) }, day()).expect("used");
    assert_eq!((found.fires, found.firing_seconds), (0, 0));
    assert_eq!(found.cannot_tell, Vec::<String>::new());
    assert_eq!(found.n, 414_000);
}

#[test]
fn minute_rows_and_then_rows_of_ten_seconds_are_judged_over_minutes() {
    let rule = rule("condition: error_rate > 1%, duration: 90s");
    let minutes = (0..1_000).map(|index| row(index, 60, 600, 0));
    let tens = (6_000..8_640).map(|index| row(index, 10, 100, if index >= 8_000 { 30 } else { 0 }));
    let found = backtest(&asked(&rule), minutes.chain(tens)).expect("used");
    assert_eq!((found.fires, found.n), (1, 864_000));
    assert_eq!(found.covered, 1.0);
    // From the second minute on that ended after the fault began, and one before it.
    assert!((80_100_000..=80_280_000).contains(&found.incidents[0].from), "{:?}", found.incidents);
    assert_eq!(found.incidents[0].to, None);
    assert!(found.cannot_tell[0].starts_with("Rows of 1 min were judged."), "{:?}", found.cannot_tell);
    assert_eq!(found.cannot_tell[1], "The duration of 1m30s is taken for 2 min here.");
}

#[test]
fn time_without_samples_is_said() {
    let rule = rule(ERRORS);
    let half = backtest(&asked(&rule), day().take(4_320)).expect("used");
    assert_eq!(half.covered, 0.5);
    assert!(half.cannot_tell[0].starts_with("Of 50 % of the time no samples are stored."));
    assert_eq!(half.values[200].value, None);
    let none = backtest(&asked(&rule), []).expect("used");
    assert_eq!((none.fires, none.covered, none.n), (0, 0.0, 0));
    assert_eq!(none.hints, ["No samples of this time are stored."]);
}

#[test]
fn few_events_are_said_to_be_too_few() {
    let rule = rule(ERRORS);
    let few = (0..8_640).map(|index| row(index, 10, u64::from(index % 10 == 0), 0));
    let found = backtest(&asked(&rule), few).expect("used");
    assert!(
        found.hints[0].starts_with("Too few events: of the usual 3 operations in 5 min"),
        "{:?}",
        found.hints
    );
    let none = (0..8_640).map(|index| row(index, 10, 0, 0));
    let found = backtest(&asked(&rule), none).expect("used");
    assert!(found.hints[0].starts_with("There is less than one of its operations"), "{:?}", found.hints);
}

#[test]
fn low_thresholds_are_scaled_away_from_what_is_good() {
    let at = |fields: &str, percent| {
        let rule = at_threshold(&rule(fields), percent)?;
        let Watch::Condition { condition, recover, .. } = rule.watch else { return None };
        Some((condition.threshold.to_string(), recover.map(|recover| recover.to_string())))
    };
    let some = |threshold: &str| Some((threshold.to_owned(), None));
    assert_eq!(at(ERRORS, 150), some("1.5%"));
    assert_eq!(at("condition: connection_success_rate < 95%, duration: 5m", 200), some("90%"));
    assert_eq!(at("condition: connection_success_rate < 95%, duration: 5m", 50), some("97.5%"));
    assert_eq!(at("condition: active_connections < 300, duration: 5m", 200), some("150"));
    assert_eq!(
        at("condition: memory_usage > 30%, duration: 5m, recover: 20%", 300),
        Some(("90%".into(), Some("60%".into())))
    );
    assert_eq!(at("condition: memory_usage > 80%, duration: 5m", 150), None, "never");
    assert_eq!(at("budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }", 150), None);
}

#[test]
fn a_rule_over_each_node_names_it_and_a_percentile_has_its_milliseconds() {
    let memory = rule("condition: memory_usage > 80%, duration: 10m");
    let rows = (0..500).map(|index| {
        let node = |name: &str, percent: u64| {
            let mut sample = Sample::new(name, index * 10, 10);
            sample.counters.add(Counter::MemorySum, percent);
            sample.counters.add(Counter::MemoryLimitSum, 100);
            sample.pack()
        };
        (index, 10, vec![node("a", 20), node("b", if index > 200 { 95 } else { 30 })])
    });
    let found = backtest(&Asked { to: 5_000, ..asked(&memory) }, rows).expect("used");
    assert_eq!(found.incidents[0].node.as_deref(), Some("b"));
    assert_eq!((found.incidents[0].peak, found.hints.len()), (Some(95.0), 0));
    let slow = rule("condition: delivery_latency_p95 > 100ms, duration: 5m");
    let rows = (0..500).map(|index| row(index, 10, 100, if index > 200 { 20 } else { 0 }));
    let found = backtest(&Asked { to: 5_000, ..asked(&slow) }, rows).expect("used");
    let peak = found.incidents[0].peak.expect("a peak");
    assert!((398.0..404.0).contains(&peak), "{peak}");
    let ms: Vec<f64> = found.thresholds.iter().map(|at| at.threshold).collect();
    assert_eq!(ms, [50.0, 75.0, 100.0, 150.0, 200.0, 300.0]);
}
