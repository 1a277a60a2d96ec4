use super::{
    super::{
        super::{
            buckets::History,
            file::{
                condition::{Comparison, Condition, Quantity},
                number::Number,
            },
            judge::{Verdict, Windows},
            ratio::{Counts, RatioRule},
            state::Row,
            tables::Critical,
            threshold::Threshold,
        },
        gauge::{Gauge, Percentile},
        reading::Part,
    },
    Kind,
};
use crate::{
    alert::file::subject::Subject,
    metric::{
        measure::{
            counters::Counter,
            sample::{Histograms, Measure, Sample},
        },
        table::Metric,
    },
};

/// Over a share of events, or of values beyond a percentile's limit.
pub struct Ratio {
    rule: RatioRule,
    threshold: Threshold,
    comparison: Comparison,
    events: Events,
}

enum Events {
    Counted(Metric),
    Beyond {
        measure: Measure,
        percent: u8,
        /// Milliseconds.
        limit: Number,
        recover: Number,
    },
}

impl Ratio {
    pub fn new(condition: Condition, recover: Quantity, windows: Windows, alpha: f64, eager: bool) -> Self {
        let share = |at| Threshold::nearest(condition.bad_share(at).unwrap_or((1, 1)));
        let threshold = share(condition.threshold);
        let events = match condition.subject {
            Subject::Percentile(measure, percent) => Events::Beyond {
                measure,
                percent,
                limit: condition.threshold.normalised(),
                recover: recover.normalised(),
            },
            Subject::Table(metric) => Events::Counted(metric),
            // No metric of a node is a ratio.
            Subject::Node(_) => Events::Counted(Metric::MemoryUsage),
        };
        let rule = RatioRule::new(threshold, share(recover), windows, alpha, eager);
        Self { rule, threshold, comparison: condition.comparison, events }
    }

    /// Share of the events that the metric counts: the bad ones, if high values breach.
    fn share(&self, sum: Counts) -> Option<f64> {
        let sum = sum.sound();
        let counted = if self.comparison.is_upward() { sum.bad } else { sum.n - sum.bad };
        (sum.n > 0).then(|| counted as f64 / sum.n as f64)
    }
}

impl Kind for Ratio {
    type Bucket = Counts;

    fn keep(&self) -> usize {
        self.rule.windows().keep()
    }

    fn span(&self) -> usize {
        self.rule.windows().duration()
    }

    fn gauge(&self) -> Gauge {
        match self.events {
            Events::Counted(_) => Gauge::None,
            Events::Beyond { measure, .. } => Gauge::Percentile(Percentile::new(measure, self.span())),
        }
    }

    fn read(&self, _index: i64, part: &Part, gauge: &mut Gauge) -> Counts {
        let sample = &part.sample;
        match self.events {
            Events::Counted(metric) => {
                let (n, counted) = counted(metric, sample);
                let upward = self.comparison.is_upward();
                Counts::new(n, if upward { counted } else { n.wrapping_sub(counted) })
            }
            Events::Beyond { measure, limit, recover, .. } => {
                if let Gauge::Percentile(gauge) = gauge {
                    gauge.add(&sample.histograms);
                }
                let beyond = |limit| beyond(&sample.histograms, measure, self.comparison, limit);
                let bad = beyond(limit);
                let unrecovered = if recover == limit { bad } else { beyond(recover) };
                Counts { n: sample.histograms.get(measure).len(), bad, unrecovered }
            }
        }
    }

    fn judge(&self, history: &History<Counts>, row: &Row) -> Verdict {
        self.rule.judge(history, row.phi, row.fired())
    }

    fn value(&self, history: &History<Counts>, gauge: &Gauge, buckets: usize) -> Option<f64> {
        match (&self.events, gauge) {
            (Events::Beyond { percent, .. }, Gauge::Percentile(gauge)) => gauge.value(*percent),
            _ => self.share(history.sum(0, buckets)).map(|share| 100.0 * share),
        }
    }

    fn holds(&self, history: &History<Counts>, gauge: &Gauge, buckets: usize) -> bool {
        let limit = match self.events {
            Events::Beyond { limit, .. } => {
                let value = self.value(history, gauge, buckets);
                return value.is_some_and(|value| self.comparison.holds(value, limit.value()));
            }
            // Fractions of one value are one number: exactly the threshold is not above it.
            Events::Counted(_) if self.comparison.is_upward() => self.threshold.share(),
            Events::Counted(_) => self.threshold.rest().share(),
        };
        self.share(history.sum(0, buckets)).is_some_and(|share| self.comparison.holds(share, limit))
    }

    fn n(&self, history: &History<Counts>) -> u64 {
        history.sum(0, self.span()).n
    }

    fn size(&self, bucket: &Counts) -> u64 {
        bucket.n
    }

    fn critical(&self) -> Option<&Critical> {
        Some(self.rule.critical())
    }

    fn events(&self, bucket: &Counts) -> Counts {
        bucket.sound()
    }
}

/// All events, and those that the metric is the share of.
fn counted(metric: Metric, sample: &Sample) -> (u64, u64) {
    use Counter as C;
    let count = |counter| sample.counters.get(counter);
    match metric {
        Metric::ErrorRate => (sample.operations(), count(C::ConnectFailed) + count(C::DroppedSlow)),
        Metric::ConnectionSuccessRate => (count(C::ConnectAttempts), count(C::ConnectEstablished)),
        Metric::Uptime => (count(C::ProbesGood) + count(C::ProbesBad), count(C::ProbesGood)),
        Metric::FallbackRate => (count(C::StreamCohortSessions), count(C::SessionsFellBack)),
        Metric::SessionCompletionRate => {
            let completed = count(C::SessionsCompleted);
            (completed + count(C::SessionsFailed) + count(C::SessionsAbandoned), completed)
        }
        // No other metric is a share of counted events.
        _ => (0, 0),
    }
}

/// Values that breach. What lies in the histogram's step of the limit, which is a percent wide, counts as the limit itself.
pub(super) fn beyond(
    histograms: &Histograms,
    measure: Measure,
    comparison: Comparison,
    limit_ms: Number,
) -> u64 {
    let histogram = histograms.get(measure);
    if histogram.is_empty() {
        return 0;
    }
    let scaled = limit_ms.in_millionths() * u128::from(measure.per_second()) / 1_000;
    let step = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    let (floor, ceiling) = (step(scaled / 1_000_000), step(scaled.div_ceil(1_000_000)));
    let up_to = |value: u64| histogram.count_between(0, value);
    let below = |value: u64| match histogram.lowest_equivalent(value) {
        0 => 0,
        lowest => up_to(lowest - 1),
    };
    match comparison {
        Comparison::Above => histogram.len() - up_to(floor),
        Comparison::AtLeast => histogram.len() - below(ceiling),
        Comparison::Below => below(ceiling),
        Comparison::AtMost => up_to(floor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_a_limit_are_counted_and_the_limit_is_not_beyond_itself() {
        let mut histograms = Histograms::default();
        for (micros, count) in [(0, 1), (90_000, 2), (100_000, 4), (110_000, 8)] {
            histograms.record_n(Measure::DeliveryLatency, micros, count);
        }
        let check = |comparison, limit: &str, expected| {
            let limit = Number::parse(limit).expect("a number");
            let found = beyond(&histograms, Measure::DeliveryLatency, comparison, limit);
            assert_eq!(found, expected, "{comparison:?} {limit}");
        };
        check(Comparison::Above, "100", 8);
        check(Comparison::AtLeast, "100", 12);
        check(Comparison::Below, "100", 3);
        check(Comparison::AtMost, "100", 7);
        check(Comparison::Above, "0", 14);
        check(Comparison::AtLeast, "0", 15);
        check(Comparison::Below, "0", 0);
        check(Comparison::AtMost, "0", 1);
        check(Comparison::Above, "999999999999", 0);
        assert_eq!(beyond(&Histograms::default(), Measure::Hold, Comparison::AtLeast, Number::whole(0)), 0);
        let mut millis = Histograms::default();
        millis.record_n(Measure::Hold, 100, 3);
        assert_eq!(beyond(&millis, Measure::Hold, Comparison::Above, Number::whole(99)), 3);
        assert_eq!(beyond(&millis, Measure::Hold, Comparison::Above, Number::whole(100)), 0);
    }
}
