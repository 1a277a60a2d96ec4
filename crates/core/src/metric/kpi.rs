//! The four headline figures of the epic: value, target, state, trend, comparison with polling.

use crate::metric::{
    numbers::{self, Basis, Reduction},
    table::{Better, Metric},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KpiKey {
    UpdateLatency,
    RequestReduction,
    ActiveConnections,
    ErrorRate,
}

impl KpiKey {
    pub const ALL: [KpiKey; 4] =
        [KpiKey::UpdateLatency, KpiKey::RequestReduction, KpiKey::ActiveConnections, KpiKey::ErrorRate];

    pub fn metric(self) -> Metric {
        match self {
            KpiKey::UpdateLatency => Metric::DeliveryLatencyP95,
            KpiKey::RequestReduction => Metric::RequestReduction,
            KpiKey::ActiveConnections => Metric::ActiveConnections,
            KpiKey::ErrorRate => Metric::ErrorRate,
        }
    }

    /// The epic calls the delivery latency so on this card.
    pub fn title(self) -> &'static str {
        match self {
            KpiKey::UpdateLatency => "Update latency",
            _ => self.metric().title(),
        }
    }

    /// Where on the Overview it is drawn over time.
    pub fn chart(self) -> &'static str {
        match self {
            KpiKey::UpdateLatency => "#latency",
            KpiKey::RequestReduction => "#reduction",
            KpiKey::ActiveConnections => "#connections",
            KpiKey::ErrorRate => "#errors",
        }
    }

    /// Beside the value.
    pub fn unit(self) -> &'static str {
        self.metric().unit().shown()
    }

    /// The epic's targets: under 100 ms, at least 95 %, 500 and more, under 0.1 %. Each of the four has one.
    pub fn target(self) -> f64 {
        self.metric().target().unwrap_or_default()
    }

    pub fn better(self) -> Better {
        self.metric().better()
    }

    /// What `samples` counts.
    pub fn sample_unit(self) -> &'static str {
        match self {
            // Counted in minutes on the card.
            KpiKey::RequestReduction => "followed session minutes",
            _ => self.metric().samples(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KpiState {
    Good,
    Warning,
    /// The epic's `alert`: an operator should look now.
    Critical,
    NotEnoughData,
}

/// Change against the window before, in the value's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    pub change: f64,
    /// `None` when the change is too small to be news.
    pub improving: Option<bool>,
}

/// The polling side of a figure, in the figure's unit unless the key says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Latency: staleness of a poll, ms. Requests: polls per session hour. Connections: pollers now.
    pub polling: f64,
    /// The same of streaming.
    pub streaming: f64,
    /// 1 - streaming / polling, percent; `None` where that says nothing.
    pub improvement: Option<f64>,
    pub basis: Basis,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kpi {
    pub key: KpiKey,
    pub value: Option<f64>,
    /// How many observations the value rests on, in [`KpiKey::sample_unit`].
    pub samples: u64,
    pub state: KpiState,
    /// The state in words: "within target", "modelled", "room for 6,093".
    pub note: String,
    pub trend: Option<Trend>,
    pub comparison: Option<Comparison>,
}

/// p95 of the delivery latency; its mean against the staleness of polling, which is one.
pub fn update_latency(
    (p95_ms, mean_ms): (Option<f64>, Option<f64>),
    deliveries: u64,
    before: Option<f64>,
    staleness: (f64, Basis),
) -> Kpi {
    let key = KpiKey::UpdateLatency;
    let value = p95_ms.filter(|_| deliveries >= numbers::PERCENTILE_FLOOR);
    let (state, note) = match value {
        None => not_enough(deliveries, numbers::PERCENTILE_FLOOR, key),
        Some(ms) if ms < key.target() => (KpiState::Good, "within target".into()),
        Some(ms) if ms < 500.0 => (KpiState::Warning, "over target".into()),
        Some(_) => (KpiState::Critical, "far over target".into()),
    };
    let comparison = value.and(mean_ms).map(|ms| Comparison {
        polling: staleness.0,
        streaming: ms,
        improvement: numbers::latency_improvement(ms, staleness.0),
        basis: staleness.1,
    });
    Kpi { key, value, samples: deliveries, state, note, trend: trend(key, value, before, 0.5), comparison }
}

/// Requests per session hour saved by streaming.
pub fn request_reduction(reduction: Option<Reduction>, session_seconds: u64, before: Option<f64>) -> Kpi {
    let key = KpiKey::RequestReduction;
    let value = reduction.and_then(Reduction::percent);
    let (state, note) = match (value, reduction) {
        (Some(percent), Some(r)) if percent >= key.target() => (KpiState::Good, r.basis.as_str().into()),
        (Some(_), Some(r)) => (KpiState::Warning, format!("under target, {}", r.basis.as_str())),
        _ => not_enough(session_seconds / 60, numbers::COHORT_FLOOR_SECONDS / 60, key),
    };
    let comparison = reduction.map(|r| Comparison {
        polling: r.polling,
        streaming: r.streaming,
        improvement: r.percent(),
        basis: r.basis,
    });
    Kpi {
        key,
        value,
        samples: session_seconds / 60,
        state,
        note,
        trend: trend(key, value, before, 0.1),
        comparison,
    }
}

/// Open streams now, against the room that is left. `max`: streams that the nodes allow together; a region has no limit of
/// its own, and its pollers are not told apart. `before`: their mean in the window before.
pub fn active_connections(
    open: u64,
    pollers: Option<u64>,
    max: Option<u64>,
    seconds: u64,
    before: Option<f64>,
) -> Kpi {
    let key = KpiKey::ActiveConnections;
    let (state, note) = match max.map(|max| (max, max.saturating_sub(open))) {
        None => (KpiState::Good, "a region has no limit".into()),
        Some((_, 0)) => (KpiState::Critical, "full".into()),
        Some((max, room)) if open * 10 > max * 9 => {
            (KpiState::Warning, format!("room for only {}", thousands(room)))
        }
        Some((_, room)) => (KpiState::Good, format!("room for {}", thousands(room))),
    };
    let value = Some(open as f64);
    let comparison = pollers.map(|pollers| Comparison {
        polling: pollers as f64,
        streaming: open as f64,
        improvement: None,
        basis: Basis::Measured,
    });
    let trend = trend(key, value, before, 0.5).map(|t| Trend { improving: None, ..t });
    Kpi { key, value, samples: seconds, state, note, trend, comparison }
}

/// Failed operations in a hundred. The epic alerts above 1 %.
pub fn error_rate(rate: Option<f64>, operations: u64, before: Option<f64>) -> Kpi {
    let key = KpiKey::ErrorRate;
    let value = rate.filter(|_| operations >= numbers::RATE_FLOOR);
    let (state, note) = match value {
        None => not_enough(operations, numbers::RATE_FLOOR, key),
        Some(rate) if rate > 1.0 => (KpiState::Critical, "above 1 %".into()),
        Some(rate) if rate > key.target() => (KpiState::Warning, "error budget spent".into()),
        Some(rate) => {
            (KpiState::Good, format!("{:.0} % of budget left", numbers::budget_left(rate, key.target())))
        }
    };
    Kpi {
        key,
        value,
        samples: operations,
        state,
        note,
        trend: trend(key, value, before, 0.001),
        comparison: None,
    }
}

fn not_enough(have: u64, floor: u64, key: KpiKey) -> (KpiState, String) {
    let note = format!("not enough data: needs {floor} {}, has {have}", key.sample_unit());
    (KpiState::NotEnoughData, note)
}

/// `least`: the smallest change worth a colour.
fn trend(key: KpiKey, now: Option<f64>, before: Option<f64>, least: f64) -> Option<Trend> {
    let change = now? - before?;
    let improving = (change.abs() >= least).then_some(match key.better() {
        Better::Lower => change < 0.0,
        Better::Higher => change > 0.0,
    });
    Some(Trend { change, improving })
}

/// `6093` as `6,093`.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_judged_against_its_target() {
        let check = |p95, n, expected| {
            let kpi = update_latency((p95, p95), n, None, (1_520.0, Basis::Modelled));
            assert_eq!(kpi.state, expected, "{p95:?} of {n}");
        };
        check(Some(14.0), 1_000, KpiState::Good);
        check(Some(100.0), 1_000, KpiState::Warning);
        check(Some(501.0), 1_000, KpiState::Critical);
        check(Some(14.0), 19, KpiState::NotEnoughData);
        check(None, 0, KpiState::NotEnoughData);
    }

    #[test]
    fn errors_are_judged_only_with_enough_operations() {
        let check =
            |rate, n, expected| assert_eq!(error_rate(rate, n, None).state, expected, "{rate:?} of {n}");
        check(Some(0.0), 100, KpiState::Good);
        check(Some(0.1), 1_000, KpiState::Good);
        check(Some(0.11), 10_000, KpiState::Warning);
        check(Some(1.01), 10_000, KpiState::Critical);
        check(Some(50.0), 99, KpiState::NotEnoughData);
    }

    #[test]
    fn a_reduction_is_judged_against_its_target_and_says_what_it_rests_on() {
        let kpi = |polling, streaming, basis| {
            request_reduction(Some(Reduction { polling, streaming, basis }), 7_200, Some(90.0))
        };
        let good = kpi(1_000.0, 50.0, Basis::Measured);
        assert_eq!(
            (good.state, good.value, good.samples, &*good.note),
            (KpiState::Good, Some(95.0), 120, "measured")
        );
        let improved = good.trend.expect("a trend");
        assert_eq!((improved.change, improved.improving), (5.0, Some(true)));
        let comparison = good.comparison.expect("a comparison");
        assert_eq!(
            (comparison.polling, comparison.streaming, comparison.improvement),
            (1_000.0, 50.0, Some(95.0))
        );
        let under = kpi(1_000.0, 51.0, Basis::Modelled);
        assert_eq!((under.state, &*under.note), (KpiState::Warning, "under target, modelled"));
        let none = request_reduction(None, 59, None);
        assert_eq!((none.state, none.value, none.samples), (KpiState::NotEnoughData, None, 0));
        assert_eq!(none.note, "not enough data: needs 1 followed session minutes, has 0");
    }

    #[test]
    fn latency_is_compared_with_polling_by_its_mean() {
        let kpi = update_latency((Some(499.9), Some(152.0)), 20, Some(500.4), (1_520.0, Basis::Modelled));
        assert_eq!((kpi.state, kpi.value, kpi.samples), (KpiState::Warning, Some(499.9), 20));
        let comparison = kpi.comparison.expect("a comparison");
        assert_eq!((comparison.polling, comparison.streaming), (1_520.0, 152.0));
        assert_eq!((comparison.improvement, comparison.basis), (Some(90.0), Basis::Modelled));
        let at_limit = update_latency((Some(500.0), Some(1.0)), 20, None, (1_520.0, Basis::Modelled));
        assert_eq!((at_limit.state, at_limit.trend), (KpiState::Critical, None));
        // Half a millisecond is news, less is not.
        let improving = |before| {
            let kpi = update_latency((Some(10.0), None), 20, Some(before), (1.0, Basis::Measured));
            kpi.trend.and_then(|trend| trend.improving)
        };
        assert_eq!((improving(10.5), improving(10.25), improving(9.5)), (Some(true), None, Some(false)));
    }

    #[test]
    fn connections_and_errors_say_how_much_room_is_left() {
        let kpi = active_connections(7, Some(3), Some(10), 60, Some(2.0));
        assert_eq!((kpi.value, kpi.samples, &*kpi.note), (Some(7.0), 60, "room for 3"));
        assert_eq!(kpi.comparison.map(|side| (side.polling, side.streaming)), Some((3.0, 7.0)));
        // More streams are neither better nor worse.
        assert_eq!(kpi.trend.map(|trend| (trend.change, trend.improving)), Some((5.0, None)));
        assert_eq!(&*active_connections(950, None, Some(1_000), 1, None).note, "room for only 50");
        assert_eq!(&*active_connections(1, None, None, 1, None).note, "a region has no limit");
        let errors = error_rate(Some(0.025), 4_000, Some(0.028));
        assert_eq!((&*errors.note, errors.samples), ("75 % of budget left", 4_000));
        assert_eq!(errors.trend.and_then(|trend| trend.improving), Some(true));
        assert_eq!(error_rate(Some(1.0), 4_000, None).state, KpiState::Warning);
    }

    #[test]
    fn connections_are_judged_by_the_room_left() {
        let state = |open| active_connections(open, Some(0), Some(1_000), 60, None).state;
        assert_eq!(
            (state(0), state(900), state(901), state(1_000)),
            (KpiState::Good, KpiState::Good, KpiState::Warning, KpiState::Critical)
        );
    }

    #[test]
    fn a_trend_knows_which_way_is_better() {
        let improving = |now, before| {
            update_latency((Some(now), Some(now)), 99, Some(before), (1_520.0, Basis::Measured))
                .trend
                .and_then(|t| t.improving)
        };
        assert_eq!(improving(10.0, 20.0), Some(true));
        assert_eq!(improving(20.0, 10.0), Some(false));
        assert_eq!(improving(10.0, 10.2), None);
    }

    #[test]
    fn thousands_are_separated() {
        let got: Vec<String> = [0, 999, 1_000, 43_118, 1_920_000].into_iter().map(thousands).collect();
        assert_eq!(got, ["0", "999", "1,000", "43,118", "1,920,000"]);
    }
}
