//! A restart: the state out of its JSON, the history out of what was recorded.

use super::{samples::rows, world::World};
use crate::{alert::machine::Machine, metric::measure::packed::Packed};
use std::collections::BTreeMap;

impl World<'_> {
    /// Each machine anew, out of what the database holds.
    pub fn restart(&mut self) {
        let World { test, step, rules, recorded, .. } = self;
        for running in rules.iter_mut() {
            let Ok(mut machine) = Machine::new(&running.rule, true, *step) else { continue };
            let stored = serde_json::to_string(&running.machine.stored());
            // A state that cannot be read would show as an incident that is lost.
            let stored = stored.and_then(|text| serde_json::from_str(&text)).unwrap_or_default();
            machine.restore(stored);
            let grouped = |seconds: i64, count: usize| -> BTreeMap<i64, Vec<Packed>> {
                let newest = recorded.last().map_or(0, |(index, _)| (index * *step).div_euclid(seconds));
                let mut buckets: BTreeMap<i64, Vec<Packed>> = BTreeMap::new();
                for (index, at) in recorded.iter() {
                    let bucket = (index * *step).div_euclid(seconds);
                    if bucket > newest - count as i64 {
                        let rows = rows(&test.series, running.source, test.grid, *at, index * *step);
                        buckets.entry(bucket).or_default().extend(rows);
                    }
                }
                buckets
            };
            let needs = machine.needs();
            if needs.minutes > 0 && *step <= 60 {
                let end = recorded.last().map_or(0, |(index, _)| (index + 1) * *step);
                // Minutes are stored when they are over.
                for (minute, rows) in grouped(60, needs.minutes).range(..end.div_euclid(60)) {
                    machine.fill_minute(*minute, rows);
                }
            }
            let newest = machine.newest();
            for (bucket, rows) in grouped(machine.step(), needs.buckets * 3) {
                if newest.is_some_and(|newest| bucket <= newest) {
                    machine.fill(bucket, &rows);
                }
            }
            running.machine = machine;
        }
    }
}
