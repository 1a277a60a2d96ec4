use super::*;

const MEMORY: &str = "condition: memory_usage > 80%, duration: 10m, recover: 75%";

fn judge(machine: &mut Machine, buckets: Range<i64>, nodes: &[(&str, u64)]) -> Vec<Happened> {
    let of = |at: i64| nodes.iter().map(|(node, percent)| memory(node, at, *percent)).collect::<Vec<_>>();
    buckets.flat_map(|at| machine.judge(at, &of(at))).collect()
}

#[test]
fn one_full_node_among_empty_ones_fires_and_is_named() {
    let mut machine = machine(MEMORY);
    assert_eq!(judge(&mut machine, 0..100, &[("a", 20), ("b", 30), ("c", 10)]), []);
    let happened = judge(&mut machine, 100..170, &[("a", 20), ("b", 90), ("c", 10)]);
    let expected = [(1_010, Transition::Pending), (1_610, Transition::Fired)];
    assert_eq!(told(&happened), expected);
    assert!(happened.iter().all(|of| of.node.as_deref() == Some("b")));
    let view = machine.view();
    assert_eq!((view.node.as_deref(), view.value, view.unit), (Some("b"), Some(90.0), "%"));
    assert_eq!((view.threshold, view.recover), (Some(80.0), Some(75.0)));
    assert_eq!(view.reason, "61 of 61 samples beyond the threshold in 10 min");
    // A second node makes no second incident, and the first one's end does not close it.
    assert_eq!(judge(&mut machine, 170..250, &[("a", 95), ("b", 90), ("c", 10)]), []);
    assert_eq!(judge(&mut machine, 250..400, &[("a", 95), ("b", 20), ("c", 10)]), []);
    assert_eq!(machine.view().node.as_deref(), Some("a"));
    let end = judge(&mut machine, 400..500, &[("a", 20), ("b", 20), ("c", 10)]);
    let ends: Vec<_> = end.iter().map(|of| (of.transition, of.node.as_deref())).collect();
    let resolved = Transition::Resolved(Resolved::Confirmed);
    assert_eq!(ends, [(Transition::Recovering, Some("a")), (resolved, Some("a"))]);
}

#[test]
fn a_node_that_is_gone_while_others_are_there_is_resolved_after_the_hold() {
    let mut machine = machine(MEMORY);
    judge(&mut machine, 0..200, &[("a", 20), ("b", 90)]);
    assert_eq!(machine.view().state, RuleState::Firing);
    assert_eq!(judge(&mut machine, 200..259, &[("a", 20)]), []);
    let end = judge(&mut machine, 259..300, &[("a", 20)]);
    assert_eq!(told(&end), [(2_600, Transition::Resolved(Resolved::NodeGone))]);
    assert_eq!(end[0].node.as_deref(), Some("b"));
    assert_eq!(machine.stored().places.len(), 1);
}

#[test]
fn when_no_node_sends_anything_none_is_gone() {
    let mut machine = machine(MEMORY);
    judge(&mut machine, 0..200, &[("a", 20), ("b", 90)]);
    let blind = judge(&mut machine, 200..600, &[]);
    assert_eq!(told(&blind), [(2_060, Transition::Blind)]);
    // One comes back a little before the other.
    let back = judge(&mut machine, 600..603, &[("a", 20)]);
    assert_eq!(told(&back), [(6_010, Transition::Seeing)]);
    assert_eq!(judge(&mut machine, 603..700, &[("a", 20), ("b", 90)]), []);
    assert_eq!(machine.view().state, RuleState::Firing);
}

#[test]
fn a_rule_that_is_edited_from_nodes_to_all_or_back_keeps_its_incident() {
    let mut nodes = machine(MEMORY);
    judge(&mut nodes, 0..200, &[("a", 20), ("b", 90)]);
    let mut all = machine("condition: error_rate > 1%, duration: 5m");
    all.restore(nodes.stored());
    assert_eq!(all.view().state, RuleState::Firing);
    let mut literal = machine("condition: error_rate > 1%, duration: 5m, mode: literal");
    literal.restore(all.stored());
    assert_eq!(literal.view().state, RuleState::Firing);
    let mut back = machine(MEMORY);
    back.restore(literal.stored());
    assert_eq!(back.view().state, RuleState::Firing);
    let end = judge(&mut back, 200..300, &[("a", 20)]);
    assert_eq!(told(&end), [(2_600, Transition::Resolved(Resolved::NodeGone))]);
}

#[test]
fn a_slow_redis_fires_and_a_stall_does_not() {
    let fires = |slow: i64| {
        let mut machine = machine("condition: redis_latency > 100ms, duration: 5m");
        let mut judge = |at: i64, failed: u64| {
            let mut sample = Sample::new("a", at * 10, 10);
            sample.histograms.record_n(Measure::RedisLatency, 1_000, 10 - failed);
            sample.counters.add(Counter::RedisProbesFailed, failed);
            machine.judge(at, &[sample.pack()])
        };
        let mut happened: Vec<_> = (0..100).flat_map(|at| judge(at, 0)).collect();
        happened.extend((100..100 + slow).flat_map(|at| judge(at, 9)));
        happened.iter().any(|of| of.transition == Transition::Fired)
    };
    assert!(!fires(12));
    assert!(!fires(30));
    assert!(fires(31));
}
