//! Where a value falls in a histogram.
//!
//! The layout is HdrHistogram's for two significant digits: 256 linear steps, then 128 steps for each
//! doubling, so a value is off by less than 1 %. The recorder keeps its own arrays of atomic counts in
//! this layout because HdrHistogram's recorders lock or allocate; [`value`] hands each count over to a
//! real HdrHistogram once a second, without loss, since both share the steps.

/// Values above are counted as this: 19 hours in microseconds, two years in milliseconds.
pub const MAX: u64 = (1 << 36) - 1;
/// Slots of one histogram.
pub const SLOTS: usize = index(MAX) + 1;

/// The slot of a value.
pub const fn index(value: u64) -> usize {
    let value = if value > MAX { MAX } else { value };
    // How often the range has doubled beyond the first 256 steps.
    let doublings = 56 - (value | 0xff).leading_zeros() as usize;
    let step = (value >> doublings) as usize;
    doublings * 128 + step
}

/// The smallest value of a slot.
pub const fn value(index: usize) -> u64 {
    if index < 256 {
        return index as u64;
    }
    let doublings = index / 128 - 1;
    ((index - doublings * 128) as u64) << doublings
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    #[test]
    fn slots_are_dense() {
        for slot in 0..SLOTS {
            assert_eq!(index(value(slot)), slot);
        }
        assert_eq!(index(u64::MAX), SLOTS - 1);
    }

    proptest! {
        #[test]
        fn a_slot_is_one_step_of_hdr(sample in 0..=MAX) {
            let hdr = Histogram::<u64>::new_with_bounds(1, MAX, 2).expect("good bounds");
            prop_assert!(hdr.equivalent(sample, value(index(sample))));
        }
    }
}
