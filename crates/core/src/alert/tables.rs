//! How many of n events must be bad: a table, built once a rule.
//!
//! The least count rises by at most one from n to n + 1, so the table holds, for each count, the largest n that it is
//! enough for. Counts beyond the table are computed when they are asked for.

use super::binomial::tail;
use super::threshold::Threshold;

/// Enough for 45,000 events at 1 %, built in milliseconds.
const COUNTS: u64 = 512;
/// More events than a window of seven days ever holds.
const EVERY: u64 = 1 << 40;

/// The least c with P[Bin(n, threshold) >= c] < level, for every n.
#[derive(Clone, Debug)]
pub struct Critical {
    share: f64,
    level: f64,
    /// At `c - 1`: the largest n for which c are enough.
    most: Vec<u64>,
}

impl Critical {
    pub fn new(threshold: Threshold, level: f64) -> Self {
        let mut table = Self { share: threshold.share(), level, most: Vec::new() };
        let (mut low, mut step) = (0, 1);
        for c in 1..=COUNTS {
            let before = low;
            // One more event needs at most one more.
            low = table.last(c, if c == 1 { 0 } else { low + 1 }, step);
            if low >= EVERY {
                table.most.push(u64::MAX);
                break;
            }
            table.most.push(low);
            step = (low - before).max(1);
        }
        table
    }

    /// The least count that is enough in `n` events. It may be `n + 1`: never.
    pub fn least(&self, n: u64) -> u64 {
        let steps = self.most.partition_point(|most| *most < n) as u64;
        if steps < self.most.len() as u64 {
            return steps + 1;
        }
        let (mut low, mut high) = (steps, n + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.rare(n, middle) { high = middle } else { low = middle }
        }
        high
    }

    /// Whether `x` of `n` is at least the least count.
    pub fn reached(&self, n: u64, x: u64) -> bool {
        match (x as usize).checked_sub(1) {
            None => false,
            Some(at) => match self.most.get(at).or_else(|| self.most.last().filter(|most| **most >= n)) {
                Some(most) => n <= *most,
                None => self.rare(n, x),
            },
        }
    }

    fn rare(&self, n: u64, c: u64) -> bool {
        tail(n, c, self.share) < self.level
    }

    /// The largest n for which `c` are enough; `low` is one such n.
    fn last(&self, c: u64, mut low: u64, mut step: u64) -> u64 {
        let mut high = low + step;
        while self.rare(high, c) {
            low = high;
            if low >= EVERY {
                return low;
            }
            step *= 2;
            high = low + step;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.rare(middle, c) { low = middle } else { high = middle }
        }
        low
    }
}

/// What makes a part of a window "above": its share lies above the threshold with 90 % confidence, and two events are
/// bad. A single stray error in few events must not count: it let blips of two minutes fire.
#[derive(Clone, Debug)]
pub struct Above(Critical);

impl Above {
    pub fn new(threshold: Threshold) -> Self {
        Self(Critical::new(threshold, 0.1))
    }

    pub fn reached(&self, n: u64, x: u64) -> bool {
        x >= 2 && self.0.reached(n, x)
    }

    pub fn least(&self, n: u64) -> u64 {
        self.0.least(n).max(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(percent: u64) -> Critical {
        Critical::new(Threshold::new(percent, 100).unwrap(), 1e-4 / 3.0)
    }

    #[test]
    fn critical_counts_have_their_known_values() {
        for (percent, n, expected) in [
            (5, 3, 4),
            (5, 20, 8),
            (5, 100, 17),
            (5, 1000, 81),
            (1, 100, 8),
            (1, 300, 13),
            (1, 1000, 26),
            (1, 400, 15),
            (1, 603, 19),
            (1, 10_000, 143),
            (1, 120_000, 1341),
            (1, 0, 1),
        ] {
            assert_eq!(table(percent).least(n), expected, "{percent} % of {n}");
        }
    }

    #[test]
    fn parts_of_windows_have_their_known_values() {
        let one = [
            (0, 2),
            (1, 2),
            (20, 2),
            (53, 2),
            (54, 3),
            (60, 3),
            (200, 5),
            (600, 10),
            (2000, 27),
            (24_000, 261),
        ];
        let five = [(3, 2), (10, 2), (20, 3), (60, 6), (200, 15), (600, 38), (2000, 114), (24_000, 1244)];
        for (percent, known) in [(1, &one[..]), (5, &five[..])] {
            let above = Above::new(Threshold::new(percent, 100).unwrap());
            for (n, expected) in known {
                assert_eq!(above.least(*n), *expected, "{percent} % of {n}");
                assert!(above.reached(*n, *expected));
                assert!(!above.reached(*n, *expected - 1));
            }
        }
    }

    #[test]
    fn no_count_is_enough_above_everything_and_one_is_above_nothing() {
        let never = Critical::new(Threshold::new(1, 1).unwrap(), 1e-4);
        assert_eq!(never.least(7), 8);
        assert!(!never.reached(7, 7));
        let always = Critical::new(Threshold::new(0, 1).unwrap(), 1e-4);
        assert_eq!(always.least(1_000_000), 1);
        assert!(always.reached(1_000_000, 1) && always.reached(1_000_000, 900));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_table_is_the_least_count_by_definition(percent in 1u64..60, n in 0u64..200_000) {
            let table = table(percent);
            let share = percent as f64 / 100.0;
            let least = table.least(n);
            if n > 0 {
                prop_assert!(tail(n, least, share) < 1e-4 / 3.0);
                prop_assert!(tail(n, least - 1, share) >= 1e-4 / 3.0);
            }
            prop_assert!(table.reached(n, least));
            prop_assert!(!table.reached(n, least - 1));
        }
    }
}
