//! Exact tails of the binomial distribution.
//!
//! The probability of one count is Loader's ("Fast and accurate computation of binomial probabilities", 2000): good to
//! about 1e-14 also for millions of events, where differences of log factorials lose digits. The tail is summed from it.

use std::f64::consts::TAU;

/// P[Bin(n, p) >= c].
pub fn tail(n: u64, c: u64, p: f64) -> f64 {
    if c == 0 {
        return 1.0;
    }
    if c > n || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (count, mean, odds) = (n as f64, n as f64 * p, p / (1.0 - p));
    // Each sum starts at its largest term and goes away from the mean, so that all its terms shrink.
    if c as f64 > mean {
        let start = c as f64;
        let step = |k: f64| (count - k) / (k + 1.0) * odds;
        probability(n, c, p) * shrinking(|i| step(start + i), n - c)
    } else {
        let start = (c - 1) as f64;
        let step = |k: f64| k / (count - k + 1.0) / odds;
        1.0 - probability(n, c - 1, p) * shrinking(|i| step(start - i), c - 1)
    }
}

/// The share that a count of `x` in `n` proves: the lower Clopper-Pearson bound, below which so many have less
/// than `level` of a chance.
pub fn lower_bound(n: u64, x: u64, level: f64) -> f64 {
    if n == 0 || x == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, x.min(n) as f64 / n as f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if tail(n, x.min(n), middle) < level { low = middle } else { high = middle }
    }
    low
}

/// 1 + s(0) + s(0) s(1) + ..., with at most `most` further terms.
fn shrinking(step: impl Fn(f64) -> f64, most: u64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for i in 0..most {
        term *= step(i as f64);
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    sum
}

/// P[Bin(n, p) = k], for 0 < p < 1 and k <= n.
fn probability(n: u64, k: u64, p: f64) -> f64 {
    let count = n as f64;
    if k == 0 {
        return (count * (-p).ln_1p()).exp();
    }
    if k == n {
        return (count * p.ln()).exp();
    }
    let (hits, misses) = (k as f64, (n - k) as f64);
    let exponent = stirling_error(count)
        - stirling_error(hits)
        - stirling_error(misses)
        - deviance(hits, count * p)
        - deviance(misses, count * (1.0 - p));
    exponent.exp() * (count / (TAU * hits * misses)).sqrt()
}

/// ln n! less Stirling's formula.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let factorial: f64 = (2..=n as u64).map(|k| k as f64).product();
        return factorial.ln() - ((TAU * n).ln() / 2.0 + n * n.ln() - n);
    }
    let square = n * n;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / n
}

/// x ln(x / m) + m - x, without cancellation where x is close to m.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let (mut sum, mut term) = ((x - m) * v, 2.0 * x * v);
    for j in 1..1000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17, printed to six digits; up to 12,000 events compared with exact fractions.
    #[test]
    fn tails_have_their_known_values() {
        for (n, x, p, expected) in [
            (3, 3, 0.05, 1.25000e-04),
            (20, 7, 0.05, 3.39462e-05),
            (100, 17, 0.05, 9.42903e-06),
            (1000, 81, 0.05, 2.04874e-05),
            (100, 7, 0.01, 7.10837e-05),
            (100, 8, 0.01, 8.22020e-06),
            (300, 13, 0.01, 1.38012e-05),
            (1000, 26, 0.01, 1.55867e-05),
            (400, 24, 0.01, 6.03761e-12),
            (603, 20, 0.01, 4.75609e-06),
            (10_000, 143, 0.01, 2.78173e-05),
            (120_000, 1341, 0.01, 3.08982e-05),
        ] {
            let (found, expected) = (format!("{:.5e}", tail(n, x, p)), format!("{expected:.5e}"));
            assert_eq!(found, expected, "P[Bin({n}, {p}) >= {x}]");
        }
    }

    /// The plain sum over every count, by Pascal's recurrence: no formula in common with the code.
    #[test]
    fn tails_agree_with_a_recurrence_to_ten_digits() {
        for p in [0.01, 0.05, 0.3, 0.5, 0.9] {
            let n = 300;
            let mut row = vec![0.0; n + 1];
            row[0] = 1.0;
            for trials in 1..=n {
                for k in (0..=trials).rev() {
                    row[k] = row[k] * (1.0 - p) + if k > 0 { row[k - 1] * p } else { 0.0 };
                }
            }
            let mut expected = 0.0;
            for c in (0..=n).rev() {
                expected += row[c];
                let found = tail(n as u64, c as u64, p);
                if expected > 1e-250 {
                    assert!((found / expected - 1.0f64).abs() < 1e-10, "{p} {c}: {found:e} {expected:e}");
                }
            }
        }
    }

    #[test]
    fn tails_end_at_nothing_and_all() {
        assert_eq!(tail(0, 0, 0.5), 1.0);
        assert_eq!(tail(0, 1, 0.5), 0.0);
        assert_eq!(tail(5, 1, 0.0), 0.0);
        assert_eq!(tail(5, 5, 1.0), 1.0);
        assert!((tail(2, 2, 0.5) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn the_lower_bound_is_where_the_tail_meets_the_level() {
        let level = 1e-4 / 3.0;
        let bound = lower_bound(1020, 31, level);
        assert!((tail(1020, 31, bound) / level - 1.0).abs() < 1e-9, "{bound}");
        assert_eq!(lower_bound(100, 0, level), 0.0);
    }
}
