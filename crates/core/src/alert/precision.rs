//! How many of the incidents that people judged were real.

use super::binomial::lower_bound;
use crate::page::alerts::{Outcome, Precision};

/// Each end of the 95 % interval.
const LEVEL: f64 = 0.025;

/// Of resolved incidents of so many days, each with what people said of it. The interval is exact (Clopper and Pearson): it
/// holds for few incidents too, and one that is all real has a low end below 1.
pub fn precision(outcomes: impl IntoIterator<Item = Option<Outcome>>, days: u32) -> Precision {
    let mut found = Precision { days, ..Precision::default() };
    for outcome in outcomes {
        match outcome {
            Some(Outcome::Real) => found.real += 1,
            Some(Outcome::False) => found.r#false += 1,
            Some(Outcome::Expected) => found.expected += 1,
            Some(Outcome::Test) => {}
            None => found.unjudged += 1,
        }
    }
    let judged = found.real + found.r#false;
    if judged > 0 {
        found.share = Some(found.real as f64 / judged as f64);
        found.low = Some(lower_bound(judged, found.real, LEVEL));
        found.high = Some(1.0 - lower_bound(judged, found.r#false, LEVEL));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(real: usize, wrong: usize) -> Precision {
        let outcomes = [(Some(Outcome::Real), real), (Some(Outcome::False), wrong)];
        precision(outcomes.into_iter().flat_map(|(outcome, count)| vec![outcome; count]), 30)
    }

    /// R's binom.test; with all real the low end is 0.025^(1/n).
    #[test]
    fn the_interval_is_the_exact_one() {
        let check = |real, wrong, share: f64, low: f64, high: f64| {
            let found = of(real, wrong);
            let near = |found: Option<f64>, expected: f64| {
                assert!((found.expect("judged") - expected).abs() < 1e-6, "{real} {wrong}: {found:?}");
            };
            near(found.share, share);
            near(found.low, low);
            near(found.high, high);
        };
        check(31, 0, 1.0, 0.025f64.powf(1.0 / 31.0), 1.0);
        check(9, 1, 0.9, 0.554_983_9, 0.997_471_4);
        check(5, 5, 0.5, 0.187_086_0, 0.812_914_0);
        check(0, 4, 0.0, 0.0, 1.0 - 0.025f64.powf(0.25));
    }

    #[test]
    fn expected_and_test_incidents_are_left_out_and_unjudged_ones_counted_apart() {
        let all = [Some(Outcome::Real), Some(Outcome::Expected), Some(Outcome::Test), None, None];
        let found = precision(all, 30);
        assert_eq!((found.real, found.r#false, found.expected, found.unjudged), (1, 0, 1, 2));
        assert_eq!((found.share, found.days), (Some(1.0), 30));
        assert_eq!(precision([None], 7), Precision { unjudged: 1, days: 7, ..Precision::default() });
    }
}
