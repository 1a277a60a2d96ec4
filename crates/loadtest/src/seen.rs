//! What one follower has seen of its session, by the publisher's own numbers: every loss and every repetition is found.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Sent at the beginning of a stream; it counts for nothing.
    Snapshot,
    /// The next one; `skipped` before it have not come.
    New {
        skipped: u64,
    },
    /// One of those that were skipped came after all, out of order.
    Late,
    Repeated,
}

#[derive(Debug, Default)]
pub struct Seen {
    /// The highest number so far.
    top: u64,
    /// The next status is a snapshot: the stream has just begun, or a `gap` was told.
    fresh: bool,
    gap_told: bool,
    /// What was skipped. A stream that loses nothing keeps no memory for it.
    missing: Vec<Range<u64>>,
    /// Skipped, but the server said so.
    pub announced: u64,
}

impl Seen {
    /// The stream begins without a position: what it is told first is where it joins.
    pub fn begins(&mut self) {
        self.fresh = true;
    }

    /// What the server had to tell at the beginning has come: a status after that is a live one.
    pub fn begun(&mut self) {
        self.fresh = false;
    }

    /// Who comes for the end alone is told that in a snapshot's place, and joined after all messages.
    pub fn end(&mut self) {
        if self.fresh {
            self.top = u64::MAX;
        }
    }

    pub fn gap(&mut self) {
        self.fresh = true;
        self.gap_told = self.top > 0;
    }

    pub fn status(&mut self, number: u64) -> Sight {
        if std::mem::take(&mut self.fresh) {
            if std::mem::take(&mut self.gap_told) {
                self.announced += number.saturating_sub(self.top + 1);
            }
            self.top = self.top.max(number);
            return Sight::Snapshot;
        }
        if number > self.top {
            let skipped = number - self.top - 1;
            if skipped > 0 {
                self.missing.push(self.top + 1..number);
            }
            self.top = number;
            return Sight::New { skipped };
        }
        let Some(at) = self.missing.iter().position(|range| range.contains(&number)) else {
            return Sight::Repeated;
        };
        let range = self.missing.swap_remove(at);
        let parts = [range.start..number, number + 1..range.end];
        self.missing.extend(parts.into_iter().filter(|part| !part.is_empty()));
        Sight::Late
    }

    /// What never came, if `sent` is the highest number that the session was sent.
    pub fn lost(&self, sent: u64) -> u64 {
        let skipped: u64 = self.missing.iter().map(|range| range.end - range.start).sum();
        // A follower that received nothing has not joined.
        skipped + if self.fresh { 0 } else { sent.saturating_sub(self.top) }
    }

    /// Whether that number, of those sent, never came.
    pub fn lacks(&self, number: u64) -> bool {
        (number > self.top && !self.fresh) || self.missing.iter().any(|range| range.contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stream_is_counted_from_where_it_joined() {
        let mut seen = Seen::default();
        seen.begins();
        assert_eq!(seen.status(7), Sight::Snapshot);
        assert_eq!(seen.status(8), Sight::New { skipped: 0 });
        assert_eq!(seen.status(8), Sight::Repeated);
        assert_eq!(seen.status(11), Sight::New { skipped: 2 });
        assert_eq!(seen.lost(12), 3);
        assert_eq!(seen.status(10), Sight::Late);
        assert_eq!(seen.status(10), Sight::Repeated);
        assert_eq!(seen.lost(11), 1);
    }

    #[test]
    fn a_new_session_counts_from_one() {
        let mut seen = Seen::default();
        seen.begins();
        seen.begun();
        assert_eq!(seen.status(2), Sight::New { skipped: 1 });
        assert_eq!(seen.lost(2), 1);
    }

    #[test]
    fn who_comes_for_the_end_alone_has_lost_nothing() {
        let mut seen = Seen::default();
        seen.begins();
        assert_eq!((seen.lost(7), seen.lacks(7)), (0, false));
        seen.end();
        seen.begun();
        assert_eq!((seen.lost(7), seen.lacks(7)), (0, false));
    }

    #[test]
    fn what_a_gap_announces_is_not_silent_loss() {
        let mut seen = Seen::default();
        seen.begins();
        seen.begun();
        seen.status(1);
        seen.gap();
        assert_eq!(seen.status(5), Sight::Snapshot);
        assert_eq!((seen.announced, seen.lost(5)), (3, 0));
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_count_is_exact(mut numbers in prop::collection::vec(1u64..60, 0..80)) {
            let mut seen = Seen::default();
            let mut repeated = 0;
            for number in &numbers {
                repeated += u64::from(seen.status(*number) == Sight::Repeated);
            }
            let all = numbers.len() as u64;
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(seen.lost(60), 60 - numbers.len() as u64);
            prop_assert_eq!(repeated, all - numbers.len() as u64);
        }
    }
}
