//! The tiers of the history, and which of them tells a stretch of time.

use crate::metric::range::STEPS;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of a row, finest first: as measured, a minute, an hour, a day.
pub const TIERS: [i64; 4] = [10, 60, 3_600, 86_400];

/// The tier that is merged into this one.
pub fn finer(tier: i64) -> Option<i64> {
    let index = TIERS.iter().position(|&each| each == tier)?;
    index.checked_sub(1).map(|index| TIERS[index])
}

/// The coarsest tier from which steps of so many seconds can be made.
pub fn tier_of(step: i64) -> i64 {
    TIERS.into_iter().rev().find(|&tier| tier <= step && step % tier == 0).unwrap_or(TIERS[0])
}

/// By tier, up to when its rows are gone: Unix seconds.
pub type Dropped = BTreeMap<i64, i64>;

/// The step in which what begins at `from` can be told whole: `step`, or the next longer one whose tier still has rows of
/// that time. Finer rows of it that are gone would be holes, where coarser ones know.
pub fn kept_step(step: i64, from: i64, dropped: &Dropped) -> i64 {
    let is_kept = |step: &i64| dropped.get(&tier_of(*step)).is_none_or(|&before| from >= before);
    let longer = STEPS.into_iter().filter(|each| *each > step);
    std::iter::once(step).chain(longer).find(is_kept).unwrap_or(STEPS[STEPS.len() - 1].max(step))
}

/// Rows of one tier in `[from, to)`, Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub tier: i64,
    pub from: i64,
    pub to: i64,
}

/// Buckets that are not what their finer rows say, as (tier, start).
pub type Due = BTreeSet<(i64, i64)>;

/// What to read for `[from, to)` drawn in steps of `step`, so that every second is told once and nothing is left out:
/// rows of the coarsest tier that fits, and for its due buckets rows of the next finer one.
pub fn stretches(from: i64, to: i64, step: i64, due: &Due) -> Vec<Stretch> {
    let mut found = Vec::new();
    cover(tier_of(step), from, to, due, &mut found);
    found
}

fn cover(tier: i64, from: i64, to: i64, due: &Due, found: &mut Vec<Stretch>) {
    let Some(finer) = finer(tier).filter(|_| from < to) else {
        if from < to {
            push(found, Stretch { tier, from, to });
        }
        return;
    };
    // A due bucket of any finer tier spoils the one that it lies in: it is on its way up.
    let spoiled: BTreeSet<i64> = TIERS
        .into_iter()
        .filter(|&each| each > TIERS[0] && each <= tier)
        .flat_map(|each| due.range((each, from - tier)..(each, to)))
        .map(|&(_, start)| start.div_euclid(tier) * tier)
        .filter(|start| *start + tier > from && *start < to)
        .collect();
    let mut at = from;
    for start in spoiled {
        if at < start {
            push(found, Stretch { tier, from: at, to: start });
        }
        let end = (start + tier).min(to);
        cover(finer, start.max(from), end, due, found);
        at = end;
    }
    if at < to {
        push(found, Stretch { tier, from: at, to });
    }
}

/// Neighbours of one tier are read in one go.
fn push(found: &mut Vec<Stretch>, next: Stretch) {
    match found.last_mut() {
        Some(last) if last.tier == next.tier && last.to == next.from => last.to = next.to,
        _ => found.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(from: i64, to: i64, step: i64, due: &[(i64, i64)], expected: &[(i64, i64, i64)]) {
        let due = due.iter().copied().collect();
        let expected: Vec<_> = expected.iter().map(|&(tier, from, to)| Stretch { tier, from, to }).collect();
        assert_eq!(stretches(from, to, step, &due), expected, "{due:?}");
    }

    #[test]
    fn coarse_rows_tell_what_is_merged_and_fine_ones_the_rest() {
        check(0, 7_200, 10, &[(60, 0)], &[(10, 0, 7_200)]);
        check(0, 7_200, 300, &[], &[(60, 0, 7_200)]);
        check(0, 7_200, 300, &[(60, 7_140)], &[(60, 0, 7_140), (10, 7_140, 7_200)]);
        check(0, 7_200, 3_600, &[(3_600, 3_600)], &[(3_600, 0, 3_600), (60, 3_600, 7_200)]);
        // A late row: its hour's minute is due, the hour not yet.
        check(
            0,
            7_200,
            7_200,
            &[(60, 60)],
            &[(60, 0, 60), (10, 60, 120), (60, 120, 3_600), (3_600, 3_600, 7_200)],
        );
        check(0, 172_800, 86_400, &[(86_400, 86_400)], &[(86_400, 0, 86_400), (3_600, 86_400, 172_800)]);
        // A due bucket outside changes nothing.
        check(3_600, 7_200, 3_600, &[(3_600, 0), (3_600, 7_200)], &[(3_600, 3_600, 7_200)]);
        check(60, 60, 60, &[], &[]);
    }

    #[test]
    fn what_finer_rows_tell_no_more_coarser_ones_do() {
        let dropped: Dropped = [(10, 1_000_000), (60, 500_000), (3_600, 100_000)].into();
        let check =
            |step, from, expected| assert_eq!(kept_step(step, from, &dropped), expected, "{step} {from}");
        check(10, 1_000_000, 10);
        check(10, 999_990, 60);
        check(300, 999_990, 300);
        check(10, 499_980, 3_600);
        check(900, 499_980, 3_600);
        check(3_600, 50_000, 86_400);
        check(43_200, 50_000, 86_400);
        check(172_800, 0, 172_800);
        // What no tier has any more is a hole in the coarsest.
        let all: Dropped = TIERS.map(|tier| (tier, 1_000_000)).into();
        assert_eq!(kept_step(10, 0, &all), 172_800);
        assert_eq!(kept_step(604_800, 0, &all), 604_800);
        assert_eq!(kept_step(10, 0, &Dropped::new()), 10);
    }

    proptest! {
        #[test]
        fn every_second_is_told_once(
            buckets in 1i64..200,
            first in 0i64..50,
            step in prop::sample::select(vec![10i64, 60, 300, 3_600, 7_200, 86_400]),
            marks in prop::collection::vec((1usize..4, 0i64..400_000), 0..12),
        ) {
            let due: Due = marks.into_iter().map(|(t, at)| (TIERS[t], at / TIERS[t] * TIERS[t])).collect();
            let (from, to) = (first * step, (first + buckets) * step);
            let mut at = from;
            for stretch in stretches(from, to, step, &due) {
                prop_assert_eq!(stretch.from, at);
                prop_assert!(stretch.to > stretch.from && stretch.from % stretch.tier == 0 && stretch.to % stretch.tier == 0);
                let spoiled = due.range((stretch.tier, stretch.from)..(stretch.tier, stretch.to)).count();
                prop_assert!(stretch.tier == TIERS[0] || spoiled == 0, "a due bucket was read");
                at = stretch.to;
            }
            prop_assert_eq!(at, to);
        }
    }
}
