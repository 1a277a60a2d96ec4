//! The promises about alert rules, by seeded simulation. Shortened here so that it takes seconds; the whole runs by
//! `cargo bench -p streamgauge-core --bench alert_simulation`, with the same code and stricter bounds.

mod blips;
mod chance;
#[allow(dead_code, reason = "the whole has more cells")]
mod false_incidents;
mod latency;
mod ratio_run;
mod replay;
#[allow(dead_code, reason = "only the whole prints them")]
mod varied;
mod world;

const SEED: u64 = 301;

#[test]
fn three_months_a_cell_have_hardly_a_false_incident() {
    let volumes = [100, 300, 1_000];
    for (tenths, bound) in [(5, 2), (9, 16)] {
        let found = false_incidents::all(SEED, &false_incidents::cells(&volumes, tenths), 3);
        false_incidents::print(&found);
        let (_, total) = false_incidents::worst_and_total(&found);
        assert!(total <= bound, "{total} false incidents, more than {bound}");
        let usual: usize = found.iter().map(|found| found.usual).sum();
        assert!(
            usual > 1_000,
            "the usual rule fires {usual} times, so the world is too easy to prove anything"
        );
    }
}

#[test]
fn two_minutes_of_total_failure_are_no_incident_and_five_are() {
    let short = blips::all(SEED, &blips::blips(&[120], &blips::VOLUMES, 1), 200);
    let long = blips::all(SEED, &blips::blips(&[300], &blips::VOLUMES, 1), 100);
    blips::print(&short);
    blips::print(&long);
    assert!(short.iter().all(|fired| fired.ours == 0));
    assert!(long.iter().all(|fired| fired.ours == fired.of));
    assert!(short.iter().all(|fired| fired.usual * 10 > fired.of * 9), "the usual rule fires on nearly all");
}

#[test]
fn values_that_are_slow_together_are_no_incident() {
    let cell =
        |values, mean_ms| latency::Cell { values, mean_ms, sigma_tenths: 10, shared_percent: 30, months: 1 };
    let found = latency::all(SEED, &[cell(30, 450), cell(300, 450), cell(300, 300)]);
    latency::print(&found);
    assert!(found.iter().all(|found| found.incidents == 0));
}

#[test]
fn in_a_week_with_ten_faults_every_incident_is_about_one_and_every_critical_one_is_raised() {
    let week = replay::replay(SEED, 7, 10);
    week.print();
    assert_eq!(week.real_faults().count(), 10);
    assert!(week.incidents.len() >= 10, "too few to prove anything");
    assert!(week.unmatched().is_empty(), "{:?}", week.unmatched());
    assert!(week.critical_not_raised().is_empty(), "{:?}", week.critical_not_raised());
}
