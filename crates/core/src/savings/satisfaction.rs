//! What users answered in surveys: satisfaction, perceived speed and trust as means, recommendation as NPS.
//!
//! Each with the number of answers and its interval at 95 % confidence. A dismissed survey is no answer: it is counted
//! apart and comes into none of these.

use serde::{Deserialize, Serialize};

/// Answers of each rating, 1 first, 10 last.
pub type Ratings = [u32; 10];
/// Answers of each likelihood to recommend, 0 first, 10 last.
pub type Likelihoods = [u32; 11];

/// A figure out of answers, and the interval in which it lies at 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    pub answered: u64,
}

/// 97.5 % of a normal distribution lie below it.
const Z: f64 = 1.959_964;
/// A rating is a whole number: this much variance is in the rounding alone, so a few equal answers are no certainty.
const ROUNDING_VARIANCE: f64 = 1.0 / 12.0;

/// Mean of ratings, 1 to 10: satisfaction (CSAT), perceived speed, trust; a tally for each question.
///
/// The epic gives the scale of satisfaction only; the other two take the same. Interval: Student's t, within the scale.
/// One answer alone tells nothing of how far others would lie, so its interval is the whole scale.
pub fn mean_rating(ratings: &Ratings) -> Option<Estimate> {
    let answered = count(ratings);
    if answered == 0 {
        return None;
    }
    let n = answered as f64;
    let mean =
        (1u32..).zip(ratings).map(|(rating, &times)| f64::from(rating) * f64::from(times)).sum::<f64>() / n;
    if answered == 1 {
        return Some(Estimate { value: mean, low: 1.0, high: 10.0, answered });
    }
    let squares: f64 = (1u32..)
        .zip(ratings)
        .map(|(rating, &times)| (f64::from(rating) - mean).powi(2) * f64::from(times))
        .sum();
    let variance = (squares / (n - 1.0)).max(ROUNDING_VARIANCE);
    let margin = students_t(answered - 1) * (variance / n).sqrt();
    Some(Estimate { value: mean, low: (mean - margin).max(1.0), high: (mean + margin).min(10.0), answered })
}

/// Net Promoter Score, -100 to 100: promoters (9, 10) - detractors (0 to 6), percent of those who answered.
///
/// Interval: adjusted Wald (Rocks 2016), as if three more had answered, half of them passive. At a handful of like
/// answers it is stretched to hold the score.
pub fn nps(likelihoods: &Likelihoods) -> Option<Estimate> {
    let answered = count(likelihoods);
    if answered == 0 {
        return None;
    }
    let n = answered as f64;
    let detractors = count(&likelihoods[..=6]) as f64;
    let promoters = count(&likelihoods[9..]) as f64;
    let value = (promoters - detractors) / n * 100.0;

    let centre = (promoters - detractors) / (n + 3.0);
    let variance = (promoters + detractors + 1.5) / (n + 3.0) - centre.powi(2);
    let margin = Z * (variance / (n + 3.0)).sqrt();
    let low = ((centre - margin) * 100.0).max(-100.0).min(value);
    let high = ((centre + margin) * 100.0).min(100.0).max(value);
    Some(Estimate { value, low, high, answered })
}

fn count(answers: &[u32]) -> u64 {
    answers.iter().map(|&times| u64::from(times)).sum()
}

/// 97.5 % of Student's distribution lie below it. From three degrees on by its expansion in 1 / degrees (Abramowitz
/// and Stegun 26.7.5), which is within 0.03 there and soon exact.
fn students_t(degrees: u64) -> f64 {
    let d = degrees as f64;
    match degrees {
        0 => f64::INFINITY,
        1 => 12.706,
        2 => 4.303,
        _ => {
            let first = (Z.powi(3) + Z) / 4.0;
            let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
            let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
            Z + first / d + second / d.powi(2) + third / d.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(estimate: Option<Estimate>, expected: Option<(f64, f64, f64, u64)>) {
        let round = |value: f64| (value * 100.0).round() / 100.0;
        let told = estimate.map(|e| (round(e.value), round(e.low), round(e.high), e.answered));
        assert_eq!(told, expected);
    }

    #[test]
    fn a_mean_says_how_sure_it_is() {
        check(mean_rating(&[0; 10]), None);
        check(mean_rating(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0]), Some((8.0, 1.0, 10.0, 1)));
        // 7, 8, 9: t of two degrees 4.303, standard error 1 / sqrt(3).
        check(mean_rating(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 0]), Some((8.0, 5.52, 10.0, 3)));
        check(mean_rating(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]), Some((10.0, 9.28, 10.0, 3)));
        check(mean_rating(&[50, 0, 0, 0, 0, 0, 0, 0, 0, 50]), Some((5.5, 4.6, 6.4, 100)));
    }

    #[test]
    fn nps_is_promoters_less_detractors() {
        check(nps(&[0; 11]), None);
        check(nps(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]), Some((0.0, -48.01, 48.01, 2)));
        check(nps(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Some((100.0, -48.5, 100.0, 1)));
        check(nps(&[1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), Some((-100.0, -100.0, 24.41, 2)));
        check(nps(&[10, 0, 0, 0, 0, 0, 10, 20, 10, 20, 30]), Some((30.0, 14.05, 44.2, 100)));
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, expected) in
            [(2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042), (1_000, 1.962)]
        {
            assert!((students_t(degrees) - expected).abs() < 0.03, "{degrees}: {}", students_t(degrees));
        }
    }

    proptest! {
        /// Whatever is answered, a figure is on its scale and its interval holds it.
        #[test]
        fn an_interval_holds_its_figure(
            ratings: Ratings,
            likelihoods: Likelihoods,
            few in prop::array::uniform11(0u32..3),
        ) {
            let rated = (mean_rating(&ratings), 1.0, 10.0);
            let promoted = [&likelihoods, &few].map(|answers| (nps(answers), -100.0, 100.0));
            for (figure, least, most) in promoted.into_iter().chain([rated]) {
                let Some(Estimate { value, low, high, .. }) = figure else { continue };
                prop_assert!(least <= low && low <= value && value <= high && high <= most, "{low} {value} {high}");
            }
        }
    }
}
