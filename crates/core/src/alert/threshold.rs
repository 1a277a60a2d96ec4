//! A limit on a share, as an exact fraction: comparisons never round.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `num / den`, for example 1/100 for 1 %. At most 1, and `den` is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub struct Threshold {
    num: u64,
    den: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a threshold is a share between 0 and 1")]
pub struct NotAShare;

impl Threshold {
    pub fn new(num: u64, den: u64) -> Result<Self, NotAShare> {
        if den == 0 || num > den { Err(NotAShare) } else { Ok(Self { num, den }) }
    }

    /// The nearest one: shares that are no fraction of 1 are cut off there.
    pub fn nearest((num, den): (u128, u128)) -> Self {
        // 2^63 is enough for any rule's number; longer ones lose their last digits.
        let long = u128::BITS.saturating_sub(num.max(den).leading_zeros()).saturating_sub(63);
        let (num, den) = ((num >> long) as u64, ((den >> long) as u64).max(1));
        Self { num: num.min(den), den }
    }

    /// Whether `x` of `n` is a larger share. False without events.
    pub fn exceeded(self, n: u64, x: u64) -> bool {
        u128::from(x) * u128::from(self.den) > u128::from(n) * u128::from(self.num)
    }

    /// What is missing to 1.
    pub fn rest(self) -> Self {
        Self { num: self.den - self.num, den: self.den }
    }

    pub fn share(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

impl TryFrom<(u64, u64)> for Threshold {
    type Error = NotAShare;
    fn try_from((num, den): (u64, u64)) -> Result<Self, NotAShare> {
        Self::new(num, den)
    }
}

impl From<Threshold> for (u64, u64) {
    fn from(of: Threshold) -> Self {
        (of.num, of.den)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", (self.share() * 1e8).round() / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_threshold_is_not_above_it() {
        let one = Threshold::new(1, 100).unwrap();
        assert!(!one.exceeded(100, 1));
        assert!(one.exceeded(100, 2));
        assert!(!one.exceeded(0, 0));
        assert!(one.exceeded(u64::MAX, u64::MAX));
    }

    #[test]
    fn a_threshold_reads_as_per_cent() {
        assert_eq!(Threshold::new(1, 100).unwrap().to_string(), "1 %");
        assert_eq!(Threshold::new(7, 1000).unwrap().to_string(), "0.7 %");
        assert_eq!(Threshold::new(2, 1), Err(NotAShare));
        assert_eq!(Threshold::new(0, 0), Err(NotAShare));
    }
}
