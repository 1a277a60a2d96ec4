//! Places for connections: how many are kept back, and which connections are closed when they run short.

/// A connection that has just done something is not closed: its next request may be on its way.
pub const GRACE_MS: i64 = 250;

/// Places that are kept for loopback and for publishers once only these are left.
pub fn reserve(places: usize) -> usize {
    (places / 32).clamp(4, 64).min(places / 2)
}

/// Connections of one address at most: what the setting says (0: no bound), and never more than half of the places, so
/// that two addresses are needed to take them all.
pub fn most_an_address(setting: u32, places: usize) -> Option<usize> {
    let setting = usize::try_from(setting).unwrap_or(usize::MAX);
    (setting > 0).then(|| setting.min((places / 2).max(1)))
}

/// How many connections to close so that places are free again. More than the reserve lacks: looking for them costs a
/// walk over all connections, and a flood should not cause one walk a connection.
pub fn wanted(free: usize, places: usize) -> usize {
    let reserve = reserve(places);
    if free >= reserve { 0 } else { reserve - free + places / 64 }
}

/// A connection on which no answer and no stream is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// By which the caller finds it again.
    pub key: usize,
    /// When it was accepted or last answered, ms.
    pub since: i64,
    /// An accepted publisher's, or from loopback: the last ones to go.
    pub is_kept: bool,
}

/// The `wanted` connections that go first: those of strangers before those that are kept, the oldest first.
pub fn close_first(mut quiet: Vec<Quiet>, now: i64, wanted: usize) -> Vec<usize> {
    // After a clock was put back, `since` may lie in the future: that is no reason to keep a connection.
    quiet.retain(|one| !(0..GRACE_MS).contains(&(now - one.since)));
    quiet.sort_unstable_by_key(|one| (one.is_kept, one.since, one.key));
    quiet.truncate(wanted);
    quiet.into_iter().map(|one| one.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_places_is_kept_back() {
        for (places, expected) in [(1, 0), (6, 3), (8, 4), (161, 5), (1_028, 32), (20_000, 64)] {
            assert_eq!(reserve(places), expected, "{places}");
        }
    }

    #[test]
    fn an_address_has_half_of_the_places_at_most() {
        for (setting, places, expected) in
            [(0, 100, None), (10, 100, Some(10)), (51, 100, Some(50)), (2_000, 1, Some(1)), (7, 14, Some(7))]
        {
            assert_eq!(most_an_address(setting, places), expected, "{setting} of {places}");
        }
    }

    #[test]
    fn more_are_closed_than_are_lacking_so_that_the_next_walk_is_not_due_at_once() {
        for (free, places, expected) in
            [(32, 1_028, 0), (33, 1_028, 0), (31, 1_028, 17), (0, 1_028, 48), (0, 161, 7), (5, 161, 0)]
        {
            assert_eq!(wanted(free, places), expected, "{free} of {places}");
        }
    }

    #[test]
    fn strangers_go_before_publishers_and_the_oldest_first() {
        let quiet = |key, since, is_kept| Quiet { key, since, is_kept };
        let all = || {
            vec![
                quiet(1, 500, false),
                quiet(2, 100, true),
                quiet(3, 300, false),
                quiet(4, 751, false),
                quiet(5, 750, false),
                quiet(6, 90, true),
                quiet(7, 5_000, false),
            ]
        };
        let check = |wanted, expected: &[usize]| assert_eq!(close_first(all(), 1_000, wanted), expected);
        check(0, &[]);
        check(2, &[3, 1]);
        check(4, &[3, 1, 5, 7]);
        check(99, &[3, 1, 5, 7, 6, 2]);
    }
}
