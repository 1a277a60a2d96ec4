//! Conflation: which updates a slow reader no longer needs.
//!
//! Of progress within one stage the latest update says everything. A change of stage, the end of a session and the first
//! event after a gap must reach every follower.

use std::collections::VecDeque;

/// What the rule sees of one thing that waits for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// One event. `must`: it says more than progress.
    Event { stage: u64, must: bool },
    /// Several events as one: they stay together, and what comes before them stays too.
    Several,
    /// No event, such as a ping: it stays, and hides nothing.
    Nothing,
}

/// Removes progress that a later event of the same stage makes old. The first `fixed` items stay whatever they are; `next`
/// is the stage of the event that comes behind all of `queue`, if there is one. Calls `removed` with each item that goes,
/// and answers how many those are. Allocates nothing.
pub fn conflate<T>(
    queue: &mut VecDeque<T>,
    fixed: usize,
    next: Option<u64>,
    look: impl Fn(&T) -> Waiting,
    mut removed: impl FnMut(&T),
) -> u64 {
    let mut later = next;
    // From the latest to the oldest: what stays moves to the end, so that what goes is one range before it.
    let mut kept = queue.len();
    for index in (fixed..queue.len()).rev() {
        match look(&queue[index]) {
            Waiting::Event { stage, must } if !must && later == Some(stage) => {
                removed(&queue[index]);
                continue;
            }
            Waiting::Event { stage, .. } => later = Some(stage),
            Waiting::Several => later = None,
            Waiting::Nothing => {}
        }
        kept -= 1;
        queue.swap(index, kept);
    }
    let fixed = fixed.min(kept);
    queue.drain(fixed..kept);
    (kept - fixed) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Item = (usize, Waiting);

    fn waiting() -> impl Strategy<Value = Waiting> {
        prop_oneof![
            6 => (0u64..3, prop::bool::weighted(0.2)).prop_map(|(stage, must)| Waiting::Event { stage, must }),
            1 => Just(Waiting::Several),
            1 => Just(Waiting::Nothing),
        ]
    }

    /// `u` and `v` are progress of two stages, a capital letter is an event that must stay, `*` several events, `.` none.
    fn check(before: &str, fixed: usize, next: Option<char>, expected: &str) {
        let stage = |name: char| u64::from(name.to_ascii_lowercase() as u8);
        let look = |name: &char| match name {
            '*' => Waiting::Several,
            '.' => Waiting::Nothing,
            _ => Waiting::Event { stage: stage(*name), must: name.is_uppercase() },
        };
        let mut queue: VecDeque<char> = before.chars().collect();
        let count = conflate(&mut queue, fixed, next.map(stage), look, |_| {});
        assert_eq!(queue.iter().collect::<String>(), expected, "{before}, {fixed} fixed, {next:?} next");
        assert_eq!(count as usize, before.len() - expected.len());
    }

    #[test]
    fn the_latest_of_each_run_of_a_stage_stays() {
        check("", 0, None, "");
        check("u", 0, None, "u");
        check("uuu", 0, None, "u");
        check("uuvvu", 0, None, "uvu");
        check("uuu", 0, Some('u'), "");
        check("uuu", 0, Some('v'), "u");
        check("uuu", 2, Some('u'), "uu");
        check("uuu", 9, Some('u'), "uuu");
        check("uUuU", 0, None, "UU");
        check("uu.u", 0, None, ".u");
        check("uu*uu", 0, None, "u*u");
    }

    proptest! {
        /// An item goes if it is progress that may go, and the next event behind it is of the same stage. All else stays, in
        /// its order.
        #[test]
        fn what_goes_was_progress_that_the_next_event_makes_old(
            items in prop::collection::vec(waiting(), 0..60),
            fixed in 0usize..8,
            next in prop::option::of(0u64..3),
        ) {
            let behind = |index: usize| {
                let events = items[index + 1..].iter().copied().filter(|item| *item != Waiting::Nothing);
                events.chain(next.map(|stage| Waiting::Event { stage, must: true })).next()
            };
            let is_old = |&(index, item): &Item| match (item, behind(index)) {
                (Waiting::Event { stage, must: false }, Some(Waiting::Event { stage: after, .. })) => {
                    index >= fixed && stage == after
                }
                _ => false,
            };
            let numbered: Vec<Item> = items.iter().copied().enumerate().collect();
            let (old, expected): (Vec<Item>, Vec<Item>) = numbered.iter().copied().partition(is_old);
            let mut queue: VecDeque<Item> = numbered.into();
            let mut removed = Vec::new();
            let count = conflate(&mut queue, fixed, next, |(_, item)| *item, |item| removed.push(*item));
            removed.reverse();
            prop_assert_eq!(&removed, &old);
            prop_assert_eq!(count as usize, old.len());
            prop_assert_eq!(Vec::from(queue.clone()), expected);
            // A second time there is nothing more to remove.
            prop_assert_eq!(conflate(&mut queue, fixed, next, |(_, item)| *item, |_| {}), 0);
        }
    }
}
