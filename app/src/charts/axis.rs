//! Where ticks stand and what they say: few, round, and never over each other.

use crate::text::{number, time::Zone};

/// A vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub logarithmic: bool,
    pub ticks: Vec<f64>,
}

impl Scale {
    /// From zero to a round number at or above `highest`, with one tick in the middle. `whole`: halves would mean nothing.
    pub fn linear(highest: f64, whole: bool) -> Scale {
        let least = if whole { 2.0 } else { 0.02 };
        // Nothing at all reads better on a plain scale than on a tiny one.
        let highest = if highest > 0.0 { highest.max(least) } else { 2.0 };
        let power = 10f64.powf(highest.log10().floor());
        let high = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
            .into_iter()
            .map(|step| step * power)
            .find(|high| *high >= highest * 0.999 && !(whole && (high / 2.0).fract() != 0.0))
            .unwrap_or(10.0 * power);
        Scale { low: 0.0, high, logarithmic: false, ticks: vec![0.0, high / 2.0, high] }
    }

    /// Decades that hold `lowest` to `highest`, a tick at each power of ten.
    pub fn decades(lowest: f64, highest: f64) -> Scale {
        let low = lowest.max(0.01).log10().floor();
        // Headroom, so that the highest line and its label do not lie on the edge.
        let high = highest.max(0.1) * 1.8;
        let ticks: Vec<f64> =
            (low as i32..=high.log10().floor() as i32).map(|power| 10f64.powi(power)).collect();
        Scale { low: 10f64.powf(low), high, logarithmic: true, ticks }
    }

    /// Values beyond the ends lie on them: a line never leaves its plot.
    pub fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }

    /// How far up a value lies, 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        let value = self.clamp(value);
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Pixels from the top of a plot of `height`.
    pub fn y(&self, value: f64, height: u32) -> f64 {
        f64::from(height) * (1.0 - self.share(value))
    }

    pub fn labels(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        self.ticks.iter().map(|&value| (value, number::tick(value)))
    }
}

/// One mark of the time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Percent of the width.
    pub x: f64,
    pub text: String,
    /// May go where there is little room.
    pub minor: bool,
}

/// Round times of the reader's zone; the end of the range stands at the right end.
pub fn marks(from: i64, to: i64, zone: Zone) -> Vec<Mark> {
    let step = match to - from {
        ..1_200 => 120,
        1_200..7_200 => 600,
        7_200..28_800 => 3_600,
        28_800..172_800 => 4 * 3_600,
        172_800..864_000 => 86_400,
        864_000..4_320_000 => 5 * 86_400,
        _ => 30 * 86_400,
    };
    let span = (to - from).max(1) as f64;
    let mut at = zone.next_multiple(from, step);
    let mut marks = Vec::new();
    while at < to {
        let x = (at - from) as f64 / span * 100.0;
        // The right end is taken.
        if x < 91.0 {
            let text = if step >= 86_400 { zone.date(at) } else { zone.minute(at) };
            // A narrow plot has no room for these.
            let minor = marks.len() % 2 == 1 || x > 80.0;
            marks.push(Mark { x, text, minor });
        }
        at += step;
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_end_at_round_numbers() {
        let check = |highest, whole, expected: f64| {
            let high = Scale::linear(highest, whole).high;
            assert!((high - expected).abs() < 1e-9, "{highest} {whole}: {high}");
        };
        check(0.0, true, 2.0);
        check(5.0, true, 6.0);
        check(0.7, false, 0.8);
        check(3_907.0, true, 4_000.0);
        check(101.0, true, 200.0);
    }

    #[test]
    fn decades_hold_their_values() {
        let scale = Scale::decades(5.0, 1_520.0);
        assert_eq!(scale.ticks, [1.0, 10.0, 100.0, 1_000.0]);
        assert!((scale.y(1.0, 200) - 200.0).abs() < 1e-9 && scale.y(1_520.0, 200) > 5.0);
        assert_eq!(scale.y(0.0, 200), 200.0, "zero has no logarithm and lies on the edge");
    }

    #[test]
    fn marks_are_round_and_leave_room_for_now() {
        let marks = marks(1_795_441_330, 1_795_444_930, Zone::Utc);
        let texts: Vec<&str> = marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, ["13:50", "14:00", "14:10", "14:20", "14:30"]);
    }
}
