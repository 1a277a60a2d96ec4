//! One coarse timer for all parked streams of a reactor: a ring of slots, each a tenth of a second wide.
//!
//! A stream stands in one slot at a time. Its deadline may move later meanwhile (each event postpones the
//! heartbeat) without a word to the wheel: when the slot is due, the stream is checked and put back. So a delivery
//! costs the timer nothing, and an idle stream is looked at once a heartbeat.

/// Width of a slot, ms.
pub const TICK_MS: u64 = 100;
/// 51 s ahead; a later deadline is checked early and put back.
const SLOTS: usize = 512;

/// A stream's key, and a stamp that tells whether the entry is still valid.
pub type Entry = (u32, u32);

pub struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// The tick up to which slots have come up.
    now: u64,
    len: usize,
}

impl Wheel {
    pub fn new() -> Wheel {
        Wheel { slots: vec![Vec::new(); SLOTS], now: 0, len: 0 }
    }

    /// `at`: ms on the reactor's clock.
    pub fn add(&mut self, entry: Entry, at: u64) {
        let tick = at.div_ceil(TICK_MS).clamp(self.now + 1, self.now + SLOTS as u64 - 1);
        self.slots[tick as usize % SLOTS].push(entry);
        self.len += 1;
    }

    /// Appends to `due` all entries that are due at `now` (ms).
    pub fn turn(&mut self, now: u64, due: &mut Vec<Entry>) {
        let (target, before) = (now / TICK_MS, due.len());
        if target >= self.now + SLOTS as u64 {
            // The thread slept for a whole turn of the wheel: everything is due.
            self.slots.iter_mut().for_each(|slot| due.extend(std::mem::take(slot)));
            self.now = target;
        }
        while self.now < target {
            self.now += 1;
            // Taken, not drained: a slot that once held many entries would keep its memory.
            due.extend(std::mem::take(&mut self.slots[self.now as usize % SLOTS]));
        }
        self.len -= due.len() - before;
    }

    /// When the next slot with entries is due, ms on the reactor's clock.
    pub fn next(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let ahead =
            (1..=SLOTS as u64).find(|ahead| !self.slots[(self.now + ahead) as usize % SLOTS].is_empty())?;
        Some((self.now + ahead) * TICK_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn far_deadlines_come_up_early_and_sleepers_miss_nothing() {
        let mut wheel = Wheel::new();
        let mut due = Vec::new();
        wheel.add((1, 0), 250);
        wheel.add((2, 0), 10_000_000);
        assert_eq!(wheel.next(), Some(300));
        wheel.turn(299, &mut due);
        assert_eq!(due, []);
        wheel.turn(300, &mut due);
        assert_eq!(due, [(1, 0)]);
        assert_eq!(wheel.next(), Some(51_100));
        due.clear();
        wheel.turn(4_000_000, &mut due);
        assert_eq!((due.as_slice(), wheel.next()), ([(2, 0)].as_slice(), None));
    }

    proptest! {
        /// Every entry comes up once: not before its time (but for the horizon), and at most two ticks after.
        #[test]
        fn every_entry_comes_up_once(
            // From the first day on, and for as long as a process may live.
            began in prop_oneof![Just(0), Just(u64::from(u32::MAX) - 30_000), 0u64..1 << 42],
            steps in prop::collection::vec((0u64..60_000, 0u64..3_000), 1..60),
        ) {
            let mut wheel = Wheel::new();
            wheel.turn(began, &mut Vec::new());
            let (mut now, mut waiting, mut due) = (began, std::collections::HashMap::new(), Vec::new());
            for (key, (ahead, pass)) in (0u32..).zip(steps) {
                wheel.add((key, 7), now + ahead);
                waiting.insert(key, (now + ahead).min(now + 51_000));
                now += pass;
                wheel.turn(now, &mut due);
                for (key, stamp) in due.drain(..) {
                    let at = waiting.remove(&key).expect("once");
                    prop_assert!(stamp == 7 && at <= now + TICK_MS, "{at} at {now}");
                }
                prop_assert!(waiting.values().all(|&at| at + 2 * TICK_MS > now));
                prop_assert_eq!(wheel.next().is_none(), waiting.is_empty());
            }
        }
    }
}
