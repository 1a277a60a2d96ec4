//! Buckets of 10 s, and sums over the newest of them.
//!
//! A bucket is present when any node sent a sample for it, also one without events. Missing buckets are not stored: ages
//! count present buckets, so that downtime is neither breach nor health.

use std::collections::VecDeque;

/// Length of a bucket.
pub const SECONDS: i64 = 10;
/// No window is longer: seven days.
pub const MOST: usize = 60_480;

/// What a bucket holds. All in integers, so that neither order nor number of the summands changes a sum. Prefix sums
/// grow without end and may wrap; their differences are right as long as one window's sum fits.
pub trait Tally: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

/// The bucket of all nodes together. `None`: missing.
pub fn merged<T: Tally>(nodes: impl IntoIterator<Item = T>) -> Option<T> {
    nodes.into_iter().reduce(T::plus)
}

#[derive(Clone, Copy, Debug)]
struct Present<T> {
    /// Seconds since 1970, divided by ten.
    index: i64,
    /// All buckets up to this one.
    upto: T,
}

/// The present buckets that a rule looks at, newest first by age.
#[derive(Clone, Debug)]
pub struct History<T> {
    present: VecDeque<Present<T>>,
    /// The sum of all that was dropped.
    before: T,
    keep: usize,
}

impl<T: Tally> History<T> {
    /// Keeps the newest `keep` present buckets.
    pub fn new(keep: usize) -> Self {
        Self { present: VecDeque::new(), before: T::default(), keep: keep.max(1) }
    }

    /// Adds a closed bucket. False, and nothing changes, if it is not newer than the newest: what comes late or twice,
    /// or after the clock was set back, must not count.
    pub fn push(&mut self, index: i64, bucket: T) -> bool {
        if self.newest().is_some_and(|newest| index <= newest) {
            return false;
        }
        let upto = self.present.back().map_or(self.before, |last| last.upto).plus(bucket);
        self.present.push_back(Present { index, upto });
        while self.present.len() > self.keep {
            if let Some(dropped) = self.present.pop_front() {
                self.before = dropped.upto;
            }
        }
        true
    }

    pub fn newest(&self) -> Option<i64> {
        self.present.back().map(|last| last.index)
    }

    pub fn len(&self) -> usize {
        self.present.len()
    }

    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// The sum over ages `from` (inclusive) to `to` (exclusive), of those that there are.
    pub fn sum(&self, from: usize, to: usize) -> T {
        self.upto(from).minus(self.upto(to.max(from)))
    }

    /// How many present buckets are not older than the one with this index.
    pub fn since(&self, index: i64) -> usize {
        self.present.len() - self.present.partition_point(|bucket| bucket.index < index)
    }

    /// The index of the present bucket of this age.
    pub fn index(&self, age: usize) -> Option<i64> {
        Some(self.present.get(self.present.len().checked_sub(age + 1)?)?.index)
    }

    /// How many buckets of time the newest `count` present ones span. `None` if there are not so many.
    pub fn span(&self, count: usize) -> Option<i64> {
        let oldest = self.present.get(self.present.len().checked_sub(count)?)?;
        Some(self.newest()? - oldest.index + 1)
    }

    /// Everything but the newest `age` buckets.
    fn upto(&self, age: usize) -> T {
        match self.present.len().checked_sub(age + 1) {
            Some(at) => self.present.get(at).map_or(self.before, |bucket| bucket.upto),
            None => self.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ratio::Counts;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ages_count_present_buckets_only() {
        let mut history = History::new(10);
        for (index, bad) in [(1, 1), (2, 2), (7, 4), (9, 8)] {
            assert!(history.push(index, Counts::new(10, bad)));
        }
        assert_eq!(history.sum(0, 1).bad, 8);
        assert_eq!(history.sum(1, 3).bad, 6);
        assert_eq!(history.sum(0, 99), Counts::new(40, 15));
        assert_eq!(history.sum(4, 9), Counts::default());
        assert_eq!(history.span(4), Some(9));
        assert_eq!(history.span(2), Some(3));
        assert_eq!(history.span(5), None);
    }

    #[test]
    fn an_old_bucket_changes_nothing() {
        let mut history = History::new(10);
        assert!(history.push(5, Counts::new(1, 1)));
        assert!(!history.push(5, Counts::new(9, 9)));
        assert!(!history.push(4, Counts::new(9, 9)));
        assert_eq!(history.sum(0, 10), Counts::new(1, 1));
    }

    proptest! {
        #[test]
        fn sums_are_the_plain_sums_also_after_old_ones_were_dropped(
            counts in prop::collection::vec(0u64..50, 1..60), keep in 1usize..30, a in 0usize..40, b in 0usize..40,
        ) {
            let mut history = History::new(keep);
            for (index, n) in counts.iter().enumerate() {
                history.push(index as i64, Counts::new(*n, 0));
            }
            let kept: Vec<u64> = counts.iter().rev().take(keep).copied().collect();
            let expected: u64 = kept.iter().skip(a).take(b.saturating_sub(a)).sum();
            prop_assert_eq!(history.sum(a, b).n, expected);
        }

        #[test]
        fn the_order_of_nodes_does_not_matter(mut nodes in prop::collection::vec((0u64..99, 0u64..9), 0..9)) {
            let merge = |nodes: &[(u64, u64)]| merged(nodes.iter().map(|(n, bad)| Counts::new(*n, *bad)));
            let before = merge(&nodes);
            nodes.reverse();
            prop_assert_eq!(before, merge(&nodes));
            nodes.sort();
            prop_assert_eq!(before, merge(&nodes));
        }
    }
}
