//! When the last of a session's followers has a message.

use std::collections::VecDeque;

/// Messages under way at once that are watched for one session. More means that the server is far behind; the oldest
/// are then given up.
const MOST: usize = 64;

#[derive(Default)]
pub struct Fanout {
    /// Number of the first in `left`.
    first: u64,
    /// How many followers each message still has to reach.
    left: VecDeque<u32>,
}

impl Fanout {
    pub fn sent(&mut self, number: u64, followers: u32) {
        if self.left.is_empty() {
            self.first = number;
        }
        self.left.push_back(followers);
        if self.left.len() > MOST {
            self.left.pop_front();
            self.first += 1;
        }
    }

    /// Whether that was the last follower.
    pub fn came(&mut self, number: u64) -> bool {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(left) = index.and_then(|index| self.left.get_mut(index)).filter(|left| **left > 0) else {
            return false;
        };
        *left -= 1;
        let last = *left == 0;
        while self.left.front() == Some(&0) {
            self.left.pop_front();
            self.first += 1;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_follower_is_recognised() {
        let mut fanout = Fanout::default();
        fanout.sent(4, 2);
        fanout.sent(5, 2);
        assert_eq!([4, 5, 5, 4].map(|number| fanout.came(number)), [false, false, true, true]);
        assert!(!fanout.came(5), "nobody was left");
        fanout.sent(6, 1);
        assert!(fanout.came(6) && fanout.left.is_empty());
    }

    #[test]
    fn what_is_far_behind_is_given_up() {
        let mut fanout = Fanout::default();
        (0..200).for_each(|number| fanout.sent(number, 1));
        assert!(fanout.left.len() <= MOST && !fanout.came(0) && fanout.came(199));
    }
}
