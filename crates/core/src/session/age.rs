//! How old things are, whatever is done to the wall clock.
//!
//! Rows in PostgreSQL are dated by the wall clock, since several nodes and restarts share them. Somebody may put that clock
//! forward by two hours and back: no session has been silent for two hours because of it.

/// Between two looks the wall clock may gain this much and still count as running well, ms.
const DRIFT_MS: i64 = 1_000;

/// The wall clock as ages are measured by it: a jump forward counts once it has lasted.
#[derive(Clone, Copy, Debug)]
pub struct AgeClock {
    lasting_ms: i64,
    /// What the wall clock shows more than the steady one, as it is believed.
    offset: Option<i64>,
    /// A jump that is not believed yet: since when by the steady clock, and what the wall clock shows more since.
    jumped: Option<(i64, i64)>,
}

impl AgeClock {
    /// `lasting_ms`: how long a jump forward must last. The age at which something is given up is a good choice: then
    /// nothing is given up before it has really been silent for that long.
    pub fn new(lasting_ms: i64) -> AgeClock {
        AgeClock { lasting_ms, offset: None, jumped: None }
    }

    /// The time to measure ages by, Unix ms. `wall`: Unix ms; `steady`: ms of a clock that nobody sets.
    pub fn now(&mut self, wall: i64, steady: i64) -> i64 {
        let shown = wall - steady;
        let believed = self.offset.unwrap_or(shown);
        // A jump back makes everything younger, and so gives up nothing.
        let runs_well = shown <= believed + DRIFT_MS;
        // One jump after another: the last of them must last.
        let since =
            self.jumped.filter(|(_, jumped)| shown <= jumped + DRIFT_MS).map_or(steady, |(since, _)| since);
        if runs_well || steady - since >= self.lasting_ms {
            (self.offset, self.jumped) = (Some(shown), None);
            return wall;
        }
        self.jumped = Some((since, shown));
        steady + believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_clock_that_is_put_forward_and_back_makes_nothing_old() {
        let mut clock = AgeClock::new(HOUR);
        let mut check = |wall, steady, expected| assert_eq!(clock.now(wall, steady), expected, "{steady}");
        check(1_000_000, 0, 1_000_000);
        check(1_010_100, 10_000, 1_010_100);
        check(1_020_100 + 2 * HOUR, 20_000, 1_020_100);
        check(1_030_100 + 2 * HOUR, 30_000, 1_030_100);
        check(1_040_000, 40_000, 1_040_000);
        // Put back, everything is younger. Put right again, it is a jump like any other.
        check(1_050_000 - HOUR, 50_000, 1_050_000 - HOUR);
        check(1_060_000, 60_000, 1_060_000 - HOUR);
        // One that was wrong at the start and stays right is believed in the end.
        check(1_060_000 + HOUR, 60_000 + HOUR, 1_060_000 + HOUR);
        check(1_070_000 + HOUR, 70_000 + HOUR, 1_070_000 + HOUR);
    }

    proptest! {
        /// However the wall clock jumps: what was dated before and is given up has been there for that long.
        #[test]
        fn nothing_is_given_up_early(jumps in prop::collection::vec((-4 * HOUR..4 * HOUR, 0i64..HOUR / 8), 1..60)) {
            let mut clock = AgeClock::new(HOUR);
            let (mut steady, mut wall) = (0, 1_700_000_000_000);
            // When each was dated, by both clocks.
            let mut dated = vec![(clock.now(wall, steady), wall, steady)];
            for (jump, passes) in jumps {
                steady += passes;
                wall += passes + jump;
                let now = clock.now(wall, steady);
                for (_, at, since) in &dated {
                    let old = now - at >= HOUR + DRIFT_MS * 60;
                    prop_assert!(!old || steady - since >= HOUR, "given up after {} ms", steady - since);
                }
                // Dated while the clock is believed. While it is ahead, a date is too late, and its age too small.
                dated.push((now, wall, steady));
            }
        }
    }
}
