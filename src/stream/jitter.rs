//! Random delays, so that followers that were disconnected together do not reconnect together.

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
};

/// A random number of the range.
pub fn jitter(range: Range<u32>) -> u32 {
    let width = u64::from(range.end.saturating_sub(range.start).max(1));
    // Each RandomState has random keys. That is random enough for a delay.
    range.start + u32::try_from(RandomState::new().hash_one(0u8) % width).unwrap_or(0)
}
