use super::*;
use proptest::prelude::*;

const RULES: [&str; 7] = [
    "condition: error_rate > 1%, duration: 1m",
    "condition: error_rate > 1%, duration: 1m, mode: literal, keep_firing_for: 2m",
    "condition: delivery_latency_p95 > 100ms, duration: 30s",
    "condition: avg_latency > 50ms, duration: 2m",
    "condition: memory_usage > 80%, duration: 1m, recover: 75%, keep_firing_for: 90s",
    "condition: memory_usage > 80%, duration: 1m, mode: literal",
    "budget_burn: { objective: errors, factor: 14.4, long: 5m, short: 1m }",
];

/// A bucket of two nodes with everything that the rules read. `None`: missing.
fn bucket(at: i64, of: Option<(u64, u64)>) -> Vec<Packed> {
    let Some((bad, level)) = of else { return Vec::new() };
    let node = |name: &str, bad: u64, level: u64| {
        let mut sample = Sample::new(name, at * 10, 10);
        sample.counters.add(Counter::CoveredSeconds, 10);
        sample.counters.add(Counter::DeliveriesDue, 40);
        sample.counters.add(Counter::DroppedSlow, bad);
        sample.counters.add(Counter::MemorySum, level);
        sample.counters.add(Counter::MemoryLimitSum, 100);
        sample.histograms.record_n(Measure::DeliveryLatency, 5_000, 40 - bad);
        sample.histograms.record_n(Measure::DeliveryLatency, 400_000, bad);
        sample.pack()
    };
    vec![node("a", bad, level), node("b", bad / 2, 60)]
}

/// Spells of health and of trouble, so that rules do fire and resolve.
fn story() -> impl Strategy<Value = Vec<Option<(u64, u64)>>> {
    let spell =
        (1usize..90, prop::option::weighted(0.9, (0u64..3, prop::sample::select(vec![50u64, 77, 90]))));
    prop::collection::vec(spell, 2..9).prop_map(|spells| {
        let bad = |(length, of): (usize, Option<(u64, u64)>)| {
            std::iter::repeat_n(of.map(|(bad, level)| ([0, 2, 30][bad as usize], level)), length)
        };
        spells.into_iter().flat_map(bad).collect()
    })
}

fn judged(machine: &mut Machine, from: usize, story: &[Option<(u64, u64)>]) -> Vec<Happened> {
    let buckets = (from as i64..).zip(&story[from..]);
    buckets.flat_map(|(at, of)| machine.judge(at, &bucket(at, *of))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_restart_at_any_bucket_changes_no_transition(
        story in story(), at in any::<prop::sample::Index>(), fields in prop::sample::select(RULES.to_vec()),
    ) {
        let at = at.index(story.len());
        let expected = judged(&mut machine(fields), 0, &story);
        let mut before = machine(fields);
        let mut happened = judged(&mut before, 0, &story[..at]);
        let text = serde_json::to_string(&before.stored()).expect("JSON");
        let mut after = machine(fields);
        after.restore(serde_json::from_str(&text).expect("a state"));
        // As many present buckets as it asks for, as the store has them.
        let present: Vec<usize> = (0..at).filter(|at| story[*at].is_some()).collect();
        let skip = present.len().saturating_sub(after.needs().buckets);
        for &at in &present[skip..] {
            after.fill(at as i64, &bucket(at as i64, story[at]));
        }
        happened.extend(judged(&mut after, at, &story));
        prop_assert_eq!(&happened, &expected, "{} at {}", fields, at);
        let mut whole = machine(fields);
        judged(&mut whole, 0, &story);
        prop_assert_eq!(after.stored(), whole.stored());
    }

    #[test]
    fn the_order_of_nodes_changes_nothing(story in story(), fields in prop::sample::select(RULES.to_vec())) {
        let (mut one, mut other) = (machine(fields), machine(fields));
        for (at, of) in (0..).zip(&story) {
            let samples = bucket(at, *of);
            let turned: Vec<_> = samples.iter().rev().cloned().collect();
            prop_assert_eq!(one.judge(at, &samples), other.judge(at, &turned));
        }
        prop_assert_eq!(one.view(), other.view());
    }

    #[test]
    fn rows_of_ten_seconds_or_of_a_minute_make_the_same_minute(
        story in story(), fields in prop::sample::select(RULES.to_vec()),
    ) {
        let by_minute = || Machine::new(&rule(fields), true, 60).expect("a rule that is used");
        let (mut one, mut other) = (by_minute(), by_minute());
        for (minute, of) in (0..).zip(story.chunks(6)) {
            let rows: Vec<Packed> =
                (0..).zip(of).flat_map(|(at, of)| bucket(6 * minute + at, *of)).collect();
            let mut merged: Vec<Sample> = Vec::new();
            for row in &rows {
                let row = row.unpack();
                match merged.iter_mut().find(|known| known.node == row.node) {
                    Some(known) => known.merge(&row),
                    None => merged.push(row),
                }
            }
            let merged: Vec<Packed> = merged.iter().map(Sample::pack).collect();
            prop_assert_eq!(told(&one.judge(minute, &rows)), told(&other.judge(minute, &merged)));
        }
    }
}
