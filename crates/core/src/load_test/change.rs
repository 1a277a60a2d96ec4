//! Better or worse than the run before.

use crate::metric::numbers::PERCENTILE_FLOOR;
use serde::{Deserialize, Serialize};

/// Two runs of the same load on the same machine differ by about this much without any cause.
const NOISE: f64 = 0.10;
/// The same for latencies so short that a tenth of them is nothing, ms.
const NOISE_MS: f64 = 0.5;

/// A p95 against that of the run before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "by_ms")]
pub enum Change {
    /// By so many ms.
    Better(f64),
    Worse(f64),
    /// Within what two runs differ by without any cause.
    Same,
}

/// A p95 in ms and how many values it rests on. `None` where either run has too few.
pub fn change(now: (Option<f64>, u64), before: (Option<f64>, u64)) -> Option<Change> {
    let enough = |(p95, samples): (Option<f64>, u64)| p95.filter(|_| samples >= PERCENTILE_FLOOR);
    let (now, before) = (enough(now)?, enough(before)?);
    let by = now - before;
    Some(match by.abs() {
        size if size < NOISE_MS || size < before * NOISE => Change::Same,
        _ if by < 0.0 => Change::Better(-by),
        _ => Change::Worse(by),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_noise_does_not_explain_is_a_change() {
        let check = |now, before, expected| {
            assert_eq!(
                change((Some(now), 1_000), (Some(before), 1_000)),
                Some(expected),
                "{now} after {before}"
            );
        };
        check(10.0, 20.0, Change::Better(10.0));
        check(20.0, 10.0, Change::Worse(10.0));
        check(10.4, 10.0, Change::Same);
        check(108.0, 100.0, Change::Same);
        check(0.9, 0.5, Change::Same);
        check(0.0, 0.0, Change::Same);
        assert_eq!(change((Some(9.0), 19), (Some(20.0), 1_000)), None);
        assert_eq!(change((None, 0), (Some(20.0), 1_000)), None);
    }
}
