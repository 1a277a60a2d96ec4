//! Chance, so that followers that were cut together do not come back together.

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
};

/// A number of the range by chance.
pub fn jitter(range: Range<u32>) -> u32 {
    let width = u64::from(range.end.saturating_sub(range.start).max(1));
    // Each RandomState has keys of its own; that is all the chance that is needed.
    range.start + u32::try_from(RandomState::new().hash_one(0u8) % width).unwrap_or(0)
}
