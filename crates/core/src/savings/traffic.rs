//! What streaming saves against polling, from what both cohorts cost on the wire. Money is whole micro-dollars.
//!
//! Source of the prices and formulas: the product's epic, "Cost Savings Tracker".

use crate::metric::numbers::{Basis, Reduction};
use serde::{Deserialize, Serialize};

/// A millionth of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MicroUsd(pub i64);

/// What traffic costs. It comes with the savings that it was used for, so that a page names no price itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// A GB is 1,024 MB of 1,024 kB of 1,024 bytes, as the epic counts.
    pub per_gb: MicroUsd,
    pub per_million_requests: MicroUsd,
}

impl Prices {
    /// USD 0.12 a GB, USD 0.40 a million requests.
    pub const EPIC: Prices = Prices { per_gb: MicroUsd(120_000), per_million_requests: MicroUsd(400_000) };
}

const GB: i128 = 1 << 30;
const MILLION: i128 = 1_000_000;

/// What the sessions of the stream cohort saved in a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// Negative where streaming cost more.
    pub bytes: i64,
    pub requests: i64,
    pub bandwidth: MicroUsd,
    pub request_cost: MicroUsd,
    /// Hours for which sessions of the stream cohort were followed.
    pub session_hours: f64,
    pub basis: Basis,
    pub prices: Prices,
}

impl Saved {
    /// Reductions are per session hour.
    pub fn of(requests: Reduction, bytes: Reduction, session_seconds: u64, prices: Prices) -> Saved {
        let hours = session_seconds as f64 / 3_600.0;
        let saved = |reduction: Reduction| ((reduction.polling - reduction.streaming) * hours).round() as i64;
        let (bytes_saved, requests_saved) = (saved(bytes), saved(requests));
        let basis = if requests.basis == Basis::Measured && bytes.basis == Basis::Measured {
            Basis::Measured
        } else {
            Basis::Modelled
        };
        Saved {
            bytes: bytes_saved,
            requests: requests_saved,
            bandwidth: cost(bytes_saved, prices.per_gb, GB),
            request_cost: cost(requests_saved, prices.per_million_requests, MILLION),
            session_hours: hours,
            basis,
            prices,
        }
    }

    pub fn total(self) -> MicroUsd {
        MicroUsd(self.bandwidth.0.saturating_add(self.request_cost.0))
    }
}

/// What `count` units cost at `price` for each `per` units, rounded to the nearest micro-dollar.
fn cost(count: i64, price: MicroUsd, per: i128) -> MicroUsd {
    let exact = i128::from(count) * i128::from(price.0);
    let half = if exact < 0 { -per / 2 } else { per / 2 };
    MicroUsd(i64::try_from((exact + half) / per).unwrap_or(i64::MAX))
}

/// Session length, seconds, under which polling takes fewer bytes than streaming; `None`: streaming always costs more.
///
/// A stream costs its opening and then so much an hour, a poll so much each interval: `opening / (polling - streaming)`.
pub fn break_even_seconds(
    opening_bytes: f64,
    stream_bytes_per_hour: f64,
    poll_bytes_per_hour: f64,
) -> Option<f64> {
    let gain = poll_bytes_per_hour - stream_bytes_per_hour;
    (gain > 0.0).then(|| opening_bytes / gain * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduction(polling: f64, streaming: f64) -> Reduction {
        Reduction { polling, streaming, basis: Basis::Measured }
    }

    #[test]
    fn an_hour_of_the_epics_workload() {
        // 1,000 session hours: 1,200 polls of 500 bytes each against two requests of 20 kB.
        let saved =
            Saved::of(reduction(1_200.0, 2.0), reduction(600_000.0, 40_000.0), 3_600_000, Prices::EPIC);
        assert_eq!((saved.requests, saved.bytes), (1_198_000, 560_000_000));
        assert_eq!(saved.request_cost, MicroUsd(479_200));
        assert_eq!(saved.bandwidth, MicroUsd(62_585));
        assert_eq!(saved.total(), MicroUsd(541_785));
    }

    #[test]
    fn what_costs_more_saves_less_than_nothing() {
        let saved = Saved::of(reduction(10.0, 40.0), reduction(5_000.0, 9_000.0), 3_600, Prices::EPIC);
        assert_eq!((saved.requests, saved.bytes), (-30, -4_000));
        assert!(saved.total() < MicroUsd(0));
    }

    #[test]
    fn one_side_that_was_not_measured_makes_all_modelled() {
        let basis = |requests, bytes| {
            let of = |basis| Reduction { polling: 2.0, streaming: 1.0, basis };
            Saved::of(of(requests), of(bytes), 1_800, Prices::EPIC)
        };
        assert_eq!(basis(Basis::Measured, Basis::Measured).basis, Basis::Measured);
        assert_eq!(basis(Basis::Modelled, Basis::Measured).basis, Basis::Modelled);
        assert_eq!(basis(Basis::Measured, Basis::Modelled).basis, Basis::Modelled);
        assert_eq!(basis(Basis::Measured, Basis::Measured).session_hours, 0.5);
    }

    #[test]
    fn money_rounds_to_the_nearest_also_below_nothing() {
        // 0.4 micro-dollars a request: 1 is 0, 2 is 1; the same below nothing.
        let of = |count| cost(count, Prices::EPIC.per_million_requests, MILLION);
        assert_eq!([1, 2, 3, -1, -2, -3].map(of), [0, 1, 1, 0, -1, -1].map(MicroUsd));
        assert_eq!(break_even_seconds(1_000.0, 40_000.0, 40_000.0), None);
    }

    #[test]
    fn money_is_exact_at_any_size() {
        assert_eq!(cost(1 << 30, Prices::EPIC.per_gb, GB), MicroUsd(120_000));
        assert_eq!(cost(1_000_000_000_000_000, Prices::EPIC.per_gb, GB), MicroUsd(111_758_708_954));
        assert_eq!(cost(-1_000_000, Prices::EPIC.per_million_requests, MILLION), MicroUsd(-400_000));
    }

    #[test]
    fn short_sessions_are_cheaper_to_poll() {
        assert_eq!(break_even_seconds(1_000.0, 40_000.0, 640_000.0), Some(6.0));
        assert_eq!(break_even_seconds(1_000.0, 40_000.0, 30_000.0), None);
    }
}
