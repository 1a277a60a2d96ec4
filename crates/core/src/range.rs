//! The ranges that a page offers, and the step at which their charts are drawn.

use serde::{Deserialize, Serialize};

/// A range that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Range {
    #[default]
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
}

impl Range {
    pub const ALL: [Range; 3] = [Range::Hour, Range::Day, Range::Week];

    /// As in the URL (`?range=24h`) and on the button.
    pub fn as_str(self) -> &'static str {
        match self {
            Range::Hour => "1h",
            Range::Day => "24h",
            Range::Week => "7d",
        }
    }

    /// As in a sentence: "in the last 24 hours".
    pub fn in_words(self) -> &'static str {
        match self {
            Range::Hour => "last hour",
            Range::Day => "last 24 hours",
            Range::Week => "last 7 days",
        }
    }

    /// Whole length, seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Range::Hour => 3_600,
            Range::Day => 86_400,
            Range::Week => 7 * 86_400,
        }
    }

    /// Seconds between two points of a chart: 360, 288 and 168 points, about as many as a panel has pixels to spare for.
    pub const fn step(self) -> i64 {
        match self {
            Range::Hour => 10,
            Range::Day => 300,
            Range::Week => 3_600,
        }
    }

    /// `None` for anything that no button offers.
    pub fn parse(text: &str) -> Option<Range> {
        Range::ALL.into_iter().find(|range| range.as_str() == text)
    }

    /// The aligned window `[from, to)` in Unix seconds whose last bucket holds `now`.
    pub fn window(self, now: i64) -> (i64, i64) {
        let to = now.div_euclid(self.step()) * self.step() + self.step();
        (to - self.seconds(), to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_aligned_and_hold_now() {
        for range in Range::ALL {
            assert_eq!(Range::parse(range.as_str()), Some(range));
            for now in [0, 1, 9, 10, 1_763_890_123] {
                let (from, to) = range.window(now);
                assert!(to % range.step() == 0 && now < to && now >= to - range.step());
                assert_eq!(to - from, range.seconds());
            }
        }
        assert_eq!(Range::parse("5y"), None);
    }
}
