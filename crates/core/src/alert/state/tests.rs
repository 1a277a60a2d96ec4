//! Whole rules over series of buckets. Numbers in names of tests are those of the case table in the issue.

use proptest::prelude::*;

use super::super::buckets::History;
use super::super::judge::Windows;
use super::super::ratio::{Counts, RatioRule};
use super::super::share::{Samples, ShareRule};
use super::super::threshold::Threshold;
use super::*;

/// `error_rate > 1%` for so many seconds, with its history and row.
struct Rule {
    rule: RatioRule,
    history: History<Counts>,
    row: Row,
    sight: Sight,
    /// Transitions but for pending and calm, with the bucket.
    told: Vec<(i64, Transition)>,
}

impl Rule {
    fn new(seconds: u64) -> Self {
        let threshold = Threshold::new(1, 100).unwrap();
        let windows = Windows::new(seconds);
        let row = Row { phi: Phi::ONE, ..Row::new(windows.hold()) };
        let history = History::new(windows.keep());
        let rule = RatioRule::new(threshold, threshold, windows, 1e-4, false);
        Self { rule, history, row, sight: Sight::default(), told: Vec::new() }
    }

    fn see(&mut self, at: i64, n: u64, bad: u64) -> Phase {
        if self.history.push(at, Counts::new(n, bad)) {
            self.sight.seen(at);
            let verdict = self.rule.judge(&self.history, self.row.phi, self.row.fired());
            let transition = self.row.advance(at, &verdict, self.rule.windows().hold());
            self.told.extend(
                transition
                    .filter(|of| !matches!(of, Transition::Pending | Transition::Calm))
                    .map(|of| (at, of)),
            );
        }
        self.row.phase
    }

    fn run(&mut self, buckets: std::ops::Range<i64>, n: u64, bad: u64) -> Phase {
        for at in buckets {
            self.see(at, n, bad);
        }
        self.row.phase
    }

    /// As a restart: the row from its stored text, the windows from stored buckets.
    fn restart(&mut self) {
        self.row = serde_json::from_str(&serde_json::to_string(&self.row).unwrap()).unwrap();
    }

    fn fires(&self) -> Vec<i64> {
        self.told.iter().filter(|(_, of)| *of == Transition::Fired).map(|(at, _)| *at).collect()
    }

    fn resolves(&self) -> Vec<(i64, Resolved)> {
        let resolved = |(at, of): &(i64, Transition)| match of {
            Transition::Resolved(how) => Some((*at, *how)),
            _ => None,
        };
        self.told.iter().filter_map(resolved).collect()
    }
}

#[test]
fn case_1_a_fault_triggers_once_recovers_and_resolves_once() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..130, 50, 10);
    assert_eq!(rule.row.phase, Phase::Firing);
    rule.run(130..300, 50, 0);
    let told: Vec<_> = rule.told.iter().map(|(_, of)| *of).collect();
    assert_eq!(told, [Transition::Fired, Transition::Recovering, Transition::Resolved(Resolved::Confirmed)]);
    assert_eq!(rule.fires(), [106], "a minute and a bucket");
}

#[test]
fn case_2_a_breach_that_is_too_short_says_nothing() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    assert_eq!(rule.run(100..103, 50, 10), Phase::Pending);
    assert_eq!(rule.run(103..300, 50, 0), Phase::Ok);
    assert_eq!(rule.told, []);
}

#[test]
fn case_3_a_fault_of_a_day_triggers_once() {
    let mut rule = Rule::new(300);
    rule.run(0..100, 50, 0);
    assert_eq!(rule.run(100..8740, 50, 50), Phase::Firing);
    assert_eq!(rule.fires().len(), 1);
    assert_eq!(rule.told.len(), 1);
}

#[test]
fn case_4_and_30_a_total_failure_fires_between_five_and_six_minutes_later() {
    for few in [true, false] {
        let mut rule = Rule::new(300);
        // 100 events in five minutes come in a bucket of ten each.
        let n = |at: i64| if few { if at % 3 == 0 { 10 } else { 0 } } else { 100 };
        for at in 0..720 {
            rule.see(at, n(at), u64::from(at % 300 == 0));
        }
        for at in 720..800 {
            rule.see(at, n(at), n(at));
        }
        let seconds = (rule.fires()[0] + 1 - 720) * 10;
        assert!((300..=360).contains(&seconds), "{seconds} s");
    }
}

#[test]
fn case_5_the_shortest_duration_fires_in_its_second_bucket() {
    let mut rule = Rule::new(10);
    rule.run(0..100, 50, 0);
    rule.run(100..103, 50, 50);
    assert_eq!(rule.fires().len(), 1);
    assert!(rule.fires()[0] <= 101);
}

#[test]
fn case_7_and_9_short_and_alternating_breaches_do_not_fire() {
    let mut rule = Rule::new(120);
    rule.run(0..200, 100, 0);
    for round in 0..50 {
        let at = 200 + round * 12;
        rule.run(at..at + 2, 100, 3);
        rule.run(at + 2..at + 12, 100, 0);
    }
    assert_eq!(rule.told, []);
}

#[test]
fn case_11_exactly_the_threshold_is_no_breach() {
    let mut rule = Rule::new(60);
    assert_eq!(rule.run(0..1000, 1000, 10), Phase::Ok);
    assert_eq!(rule.run(1000..2000, 1000, 20), Phase::Firing);
}

#[test]
fn case_12_a_firing_rule_fires_on_after_a_restart() {
    let mut rule = Rule::new(300);
    rule.run(0..100, 50, 0);
    rule.run(100..140, 50, 50);
    rule.restart();
    assert_eq!(rule.see(143, 50, 50), Phase::Firing);
    assert_eq!(rule.told.len(), 1);
}

#[test]
fn case_13_time_that_nobody_saw_does_not_count_towards_the_duration() {
    let fired = |gap: i64| {
        let mut rule = Rule::new(300);
        rule.run(0..100, 50, 0);
        rule.run(100..110, 50, 50);
        rule.restart();
        rule.run(110 + gap..200 + gap, 50, 50);
        rule.fires()[0]
    };
    assert_eq!(fired(20), fired(0) + 20);
}

#[test]
fn case_15_a_fault_that_ended_while_nobody_looked_resolves_and_says_so() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    assert_eq!(rule.run(100..120, 50, 50), Phase::Firing);
    rule.restart();
    rule.run(150..300, 50, 0);
    assert_eq!(rule.resolves().len(), 1);
    assert_eq!(rule.resolves()[0].1, Resolved::EndedUnseen { from: 1200, to: 1500 });
}

#[test]
fn case_15_a_fault_that_was_seen_after_the_gap_ended_in_sight() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..120, 50, 50);
    rule.run(150..151, 50, 50);
    rule.run(151..300, 50, 0);
    assert_eq!(rule.resolves()[0].1, Resolved::Confirmed);
}

#[test]
fn case_17_no_data_keeps_a_rule_firing_and_blinds_it_once() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..120, 50, 50);
    let blinded: Vec<i64> = (120..300).filter(|at| rule.sight.missing(*at, 10)).collect();
    assert_eq!(blinded, [125], "a minute without a bucket");
    assert_eq!((rule.row.phase, rule.sight.blind), (Phase::Firing, Some(120)));
    rule.see(300, 50, 50);
    assert_eq!((rule.row.phase, rule.sight.blind), (Phase::Firing, None));
}

#[test]
fn case_28_a_clock_that_jumps_by_an_hour_makes_nothing_early() {
    for jump in [-360, 360] {
        let mut rule = Rule::new(300);
        rule.run(0..1000, 50, 0);
        assert_eq!(rule.run(1000..1008, 50, 50), Phase::Pending);
        // Set back: buckets that were judged already are not judged again.
        let mut seen = 8;
        for at in 1008 + jump..1100 + jump {
            let before = rule.fires().len();
            seen += i64::from(rule.history.newest().is_none_or(|newest| at > newest));
            rule.see(at, 50, 50);
            if rule.fires().len() > before {
                assert!(seen > 30, "fires after {seen} buckets");
            }
        }
    }
}

#[test]
fn case_29_few_events_never_fire() {
    for phi in [100, 200] {
        let mut rule = Rule::new(300);
        rule.row.phi = Phi::new(phi);
        for at in 0..8640 {
            let n = if at % 3 == 0 { 10 } else { 0 };
            rule.see(at, n, if at % 30 == 0 { 2 } else { 0 });
        }
        assert_eq!(rule.told, [], "{phi}");
    }
}

#[test]
fn traffic_that_stops_resolves_without_confirmation() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..120, 50, 50);
    rule.run(120..300, 0, 0);
    assert_eq!(rule.resolves().len(), 1);
    assert_eq!(rule.resolves()[0].1, Resolved::TrafficStopped);
}

#[test]
fn each_fire_within_an_hour_doubles_the_hold_up_to_an_hour() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    let (mut at, mut holds) = (100, Vec::new());
    for _ in 0..6 {
        rule.run(at..at + 20, 50, 50);
        holds.push(rule.row.hold);
        while rule.row.phase != Phase::Ok {
            at += 1;
            rule.see(at + 20, 50, 0);
        }
        at += 50;
    }
    assert_eq!(holds, [30, 60, 120, 240, 360, 360]);
    rule.run(at + 20..at + 500, 50, 0);
    rule.run(at + 500..at + 520, 50, 50);
    assert_eq!(rule.row.hold, 30, "an hour of peace");
}

#[test]
fn a_relapse_starts_the_hold_again() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..120, 50, 50);
    rule.run(120..150, 50, 0);
    assert_eq!(rule.row.phase, Phase::Recovering);
    rule.run(150..160, 50, 50);
    assert_eq!((rule.row.phase, rule.row.held), (Phase::Firing, 0));
    assert_eq!(rule.resolves(), []);
}

#[test]
fn a_level_recovers_when_the_hold_was_good() {
    let rule = ShareRule::new(90, Windows::new(600));
    let (mut row, mut history, mut told) = (Row::new(60), History::new(999), Vec::new());
    for at in 0..400 {
        let high = u64::from((100..200).contains(&at));
        history.push(at, Samples { n: 1, above: high, not_recovered: high });
        let verdict = rule.judge(&history, row.hold);
        told.extend(row.advance(at, &verdict, 60).map(|of| (at, of)));
    }
    assert_eq!(
        told,
        [
            (100, Transition::Pending),
            (160, Transition::Fired),
            (200, Transition::Recovering),
            (253, Transition::Resolved(Resolved::Confirmed)),
        ]
    );
}

#[test]
fn the_end_of_an_incident_reads_as_a_sentence() {
    let unseen = Resolved::EndedUnseen { from: 1200, to: 1500 };
    assert_eq!(
        unseen.to_string(),
        "ended while Streamgauge was down, between 1970-01-01 00:20:00 and 1970-01-01 00:25:00 UTC"
    );
    assert_eq!(Resolved::TrafficStopped.to_string(), "traffic stopped, not confirmed");
}

#[test]
fn a_row_survives_being_stored() {
    let mut rule = Rule::new(60);
    rule.run(0..100, 50, 0);
    rule.run(100..130, 50, 50);
    let before = rule.row.clone();
    rule.restart();
    assert_eq!(rule.row, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_rule_never_fires_before_its_duration(
        seconds in prop::sample::select(vec![10u64, 20, 30, 50, 60, 120, 300]),
        bad in prop::collection::vec((0u64..200, 0u64..100, 0i64..3), 1..400),
    ) {
        let mut rule = Rule::new(seconds);
        let healthy = rule.rule.windows().keep() as i64;
        rule.run(0..healthy, 100, 0);
        let mut at = healthy;
        for (buckets, (n, share, missing)) in bad.into_iter().enumerate() {
            rule.see(at, n, n * share / 100);
            if !rule.told.is_empty() {
                prop_assert!((buckets + 1) * 10 >= seconds as usize, "{} buckets", buckets + 1);
                break;
            }
            at += 1 + missing;
        }
    }

    #[test]
    fn a_level_never_fires_before_its_duration(
        seconds in prop::sample::select(vec![10u64, 60, 300]),
        highs in prop::collection::vec((0u64..11, 0i64..3), 1..200),
    ) {
        let rule = ShareRule::new(80, Windows::new(seconds));
        let (mut history, mut row) = (History::new(rule.keep(30)), Row::new(30));
        let sample = |above| Samples { n: 10, above, not_recovered: above };
        for at in 0..40 {
            history.push(at, sample(0));
        }
        let mut at = 40;
        for (buckets, (above, missing)) in highs.into_iter().enumerate() {
            history.push(at, sample(above));
            if row.advance(at, &rule.judge(&history, row.hold), 30) == Some(Transition::Fired) {
                prop_assert!(buckets * 10 >= seconds as usize, "{} buckets", buckets + 1);
                break;
            }
            at += 1 + missing;
        }
    }

    #[test]
    fn missing_buckets_freeze(
        counts in prop::collection::vec((0u64..200, 0u64..60), 1..300),
        gaps in prop::collection::btree_set(0usize..300, 0..3),
    ) {
        // Gaps of a few buckets move everything on and change nothing else.
        let (mut with, mut without) = (Rule::new(120), Rule::new(120));
        let mut at = 0;
        for (index, (n, share)) in counts.into_iter().enumerate() {
            let bad = n * share / 1000;
            without.see(index as i64, n, bad);
            for _ in 0..if gaps.contains(&index) { 5 } else { 0 } {
                prop_assert!(!with.sight.missing(at, 10));
                at += 1;
            }
            with.see(at, n, bad);
            at += 1;
            prop_assert_eq!((with.row.phase, with.row.held), (without.row.phase, without.row.held));
        }
    }
}
