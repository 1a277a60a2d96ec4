//! Student's t: the quantiles that a mean of few buckets needs.

use std::f64::consts::PI;

/// Quantiles beyond the table hardly change, and are computed when they are asked for.
const DEGREES: u64 = 256;

/// t with P[T > t] = level, for each count of degrees of freedom.
#[derive(Clone, Debug)]
pub struct Quantiles {
    level: f64,
    /// At `f - 1`: the quantile for f degrees.
    table: Vec<f64>,
}

impl Quantiles {
    pub fn new(level: f64) -> Self {
        Self { level, table: (1..=DEGREES).map(|degrees| quantile(degrees, level)).collect() }
    }

    /// Infinite without a degree of freedom: nothing is proved by one value.
    pub fn at(&self, degrees: u64) -> f64 {
        match (degrees as usize).checked_sub(1) {
            None => f64::INFINITY,
            Some(at) => self.table.get(at).copied().unwrap_or_else(|| quantile(degrees, self.level)),
        }
    }
}

/// Newton's method on the logarithm of the tail, which is nearly straight.
fn quantile(degrees: u64, level: f64) -> f64 {
    let f = degrees as f64;
    let scale = gamma_ratio(degrees);
    // With one or two degrees the quantile is far out, and known in closed form.
    match degrees {
        1 => return 1.0 / (PI * level).tan(),
        2 => return (1.0 - 2.0 * level) / (2.0 * level * (1.0 - level)).sqrt(),
        _ => {}
    }
    let mut t = 4.0;
    for _ in 0..100 {
        let tail = tail(f, t, scale);
        let density = scale / (PI * f).sqrt() * (-(f + 1.0) / 2.0 * (t * t / f).ln_1p()).exp();
        let step = (tail / level).ln() * tail / density;
        t = (t + step).max(t / 4.0);
        if step.abs() < 1e-13 * t {
            break;
        }
    }
    t
}

/// P[T > t] for t > 0: half of the regularized incomplete beta function of f/2 and 1/2 at f / (f + t^2).
fn tail(f: f64, t: f64, scale: f64) -> f64 {
    let x = f / (f + t * t);
    let half = f / 2.0;
    // 1 / B(f/2, 1/2) is the ratio of gammas over the root of pi.
    let front = scale / PI.sqrt() * (half * x.ln()).exp() * (1.0 - x).sqrt() / half;
    0.5 * front * continued_fraction(half, 0.5, x)
}

/// Lentz's method for the incomplete beta function (Numerical Recipes 6.4).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / (1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = h;
        for term in [even, odd] {
            d = 1.0 / (1.0 + term * d);
            c = 1.0 + term / c;
            h *= d * c;
        }
        if (h / before - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// Gamma((f + 1) / 2) / Gamma(f / 2), by steps of two degrees.
fn gamma_ratio(degrees: u64) -> f64 {
    let (mut at, mut ratio) = if degrees % 2 == 1 { (1, 1.0 / PI.sqrt()) } else { (2, PI.sqrt() / 2.0) };
    while at < degrees {
        ratio *= (at + 1) as f64 / at as f64;
        at += 2;
    }
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_their_known_values() {
        let quantiles = Quantiles::new(1e-4 / 3.0);
        for (degrees, expected) in [(9, 6.952421), (17, 5.238992), (53, 4.329591), (215, 4.067646)] {
            assert!((quantiles.at(degrees) - expected).abs() < 1e-6, "{degrees}: {}", quantiles.at(degrees));
        }
        assert_eq!(quantiles.at(0), f64::INFINITY);
        // The normal quantile is 3.987879.
        let many = quantiles.at(60_479);
        assert!((3.9878..3.9886).contains(&many), "{many}");
    }

    #[test]
    fn quantiles_fall_with_each_degree_of_freedom() {
        for level in [0.05, 1e-4 / 3.0, 1e-8] {
            let quantiles = Quantiles::new(level);
            for degrees in 1..400 {
                assert!(quantiles.at(degrees) > quantiles.at(degrees + 1), "{level} {degrees}");
            }
        }
        // Any textbook's table: 5 % at 10 degrees.
        assert!((Quantiles::new(0.05).at(10) - 1.812461).abs() < 1e-6);
    }
}
