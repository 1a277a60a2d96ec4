//! The same number from several sources: their disagreement, and how much of it is tolerable.

use serde::{Deserialize, Serialize};

/// Two sources of one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    pub number: String,
    pub unit: String,
    /// Who counted, and what.
    pub first: (String, Option<f64>),
    pub second: (String, Option<f64>),
    /// Observations behind the poorer of the two.
    pub samples: u64,
    pub tolerance: Tolerance,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tolerance {
    /// Of the first, percent.
    Percent(f64),
    /// Units.
    Within(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Agreement {
    Agrees,
    Drifts,
    NotEnoughData,
}

impl Pair {
    /// Second less first, in units.
    pub fn difference(&self) -> Option<f64> {
        Some(self.second.1? - self.first.1?)
    }

    /// The difference in percent of the first.
    pub fn percent(&self) -> Option<f64> {
        let first = self.first.1.filter(|first| *first != 0.0)?;
        Some(self.difference()? / first * 100.0)
    }

    pub fn agreement(&self) -> Agreement {
        let (Some(first), Some(difference)) = (self.first.1, self.difference()) else {
            return Agreement::NotEnoughData;
        };
        let within = match self.tolerance {
            Tolerance::Percent(percent) => difference.abs() <= first.abs() * percent / 100.0,
            Tolerance::Within(units) => difference.abs() <= units,
        };
        if within { Agreement::Agrees } else { Agreement::Drifts }
    }
}

/// Every delivery that was due, by what became of it. What is left over is still in somebody's queue, or was miscounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    pub published: u64,
    pub due: u64,
    pub delivered: u64,
    pub conflated: u64,
    pub repeated: u64,
    pub dropped_slow: u64,
    pub dropped_gone: u64,
}

impl Account {
    /// Due and not accounted for. Counted by several threads within a second of each other, it may be a little below zero.
    pub fn open(self) -> i64 {
        let settled = self.delivered + self.conflated + self.repeated + self.dropped_slow + self.dropped_gone;
        self.due as i64 - settled as i64
    }

    /// What may be under way: a thousandth, or a hundred. More is a drift.
    pub fn is_balanced(self) -> bool {
        self.open().unsigned_abs() <= (self.due / 1_000).max(100)
    }
}

#[cfg(feature = "measure")]
mod measured {
    use super::{Account, Pair, Tolerance};
    use crate::metric::{
        measure::{
            counters::Counter,
            sample::{Measure, Sample},
        },
        numbers::PERCENTILE_FLOOR,
    };

    impl Account {
        pub fn of(sample: &Sample) -> Account {
            let count = |counter| sample.counters.get(counter);
            Account {
                published: count(Counter::Published),
                due: count(Counter::DeliveriesDue),
                delivered: count(Counter::Delivered),
                conflated: count(Counter::Conflated),
                repeated: count(Counter::Repeated),
                dropped_slow: count(Counter::DroppedSlow),
                dropped_gone: count(Counter::DroppedGone),
            }
        }
    }

    /// All pairs that a window can be asked for.
    pub fn pairs(sample: &Sample) -> Vec<Pair> {
        let p95 = |measure, scale: f64| Some(sample.percentile(measure, 95.0, PERCENTILE_FLOOR)? / scale);
        let count = |measure| sample.histograms.get(measure).len();
        let mb = |counter| {
            let bytes = sample.counters.get(counter);
            (bytes > 0).then(|| bytes as f64 / (1 << 20) as f64)
        };
        let pair = |number: &str, unit: &str, first: (&str, _), second: (&str, _), samples, tolerance| Pair {
            number: number.into(),
            unit: unit.into(),
            first: (first.0.into(), first.1),
            second: (second.0.into(), second.1),
            samples,
            tolerance,
        };
        let bytes = |number: &str, meter, kernel| {
            let samples = sample.counters.get(kernel);
            let (meter, kernel) = (("server's meter", mb(meter)), ("kernel's sockets", mb(kernel)));
            pair(number, "MB", meter, kernel, samples, Tolerance::Percent(0.1))
        };
        vec![
            pair(
                "Delivery p95",
                "ms",
                ("server", p95(Measure::DeliveryLatency, 1_000.0)),
                ("probe", p95(Measure::ProbeDelivery, 1_000.0)),
                count(Measure::DeliveryLatency).min(count(Measure::ProbeDelivery)),
                // The probe also waits for its own publish to be taken, and reads on the same machine.
                Tolerance::Within(50.0),
            ),
            pair(
                "Delivery p95",
                "ms",
                ("server", p95(Measure::DeliveryLatency, 1_000.0)),
                ("browsers", p95(Measure::ClientLatency, 1.0)),
                count(Measure::DeliveryLatency).min(count(Measure::ClientLatency)),
                // What networks add, less the quickest way there is, which browsers take off with their clock's offset.
                Tolerance::Within(400.0),
            ),
            pair(
                "Connect p95",
                "ms",
                ("server", p95(Measure::ConnectionEstablishment, 1_000.0)),
                ("probe", p95(Measure::ProbeConnection, 1_000.0)),
                count(Measure::ConnectionEstablishment).min(count(Measure::ProbeConnection)),
                Tolerance::Within(50.0),
            ),
            bytes("Bytes sent", Counter::MeterBytesOut, Counter::KernelBytesOut),
            bytes("Bytes received", Counter::MeterBytesIn, Counter::KernelBytesIn),
        ]
    }
}

#[cfg(feature = "measure")]
pub use measured::pairs;

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(first: Option<f64>, second: Option<f64>, tolerance: Tolerance) -> Pair {
        Pair {
            number: "n".into(),
            unit: "ms".into(),
            first: ("a".into(), first),
            second: ("b".into(), second),
            samples: 1,
            tolerance,
        }
    }

    #[test]
    fn sources_agree_within_their_tolerance() {
        let check = |first, second, tolerance, expected| {
            assert_eq!(pair(first, second, tolerance).agreement(), expected, "{first:?} {second:?}");
        };
        check(Some(1_000.0), Some(1_000.9), Tolerance::Percent(0.1), Agreement::Agrees);
        check(Some(1_000.0), Some(998.0), Tolerance::Percent(0.1), Agreement::Drifts);
        check(Some(14.0), Some(30.0), Tolerance::Within(50.0), Agreement::Agrees);
        check(Some(14.0), Some(70.0), Tolerance::Within(50.0), Agreement::Drifts);
        check(None, Some(9.0), Tolerance::Within(1.0), Agreement::NotEnoughData);
        assert_eq!(pair(Some(0.0), Some(1.0), Tolerance::Within(2.0)).percent(), None);
    }

    #[test]
    fn what_was_due_is_accounted_for() {
        let account = Account {
            published: 10,
            due: 1_000,
            delivered: 900,
            conflated: 50,
            dropped_gone: 50,
            ..Account::default()
        };
        assert_eq!((account.open(), account.is_balanced()), (0, true));
        assert!(!Account { due: 2_000, ..account }.is_balanced());
        assert!(Account { delivered: 905, ..account }.is_balanced());
    }
}
