use super::{
    super::{
        super::{
            buckets::History,
            file::{
                condition::{Comparison, Condition, Quantity},
                number::Number,
            },
            judge::{Verdict, Windows},
            mean::{MeanRule, Sums},
            state::Row,
        },
        gauge::Gauge,
    },
    Kind,
};
use crate::{
    alert::file::subject::Subject,
    metric::{
        measure::sample::{Measure, Sample},
        table::Metric,
    },
};

/// Over a mean of values in microseconds.
pub struct Mean {
    rule: MeanRule,
    measure: Measure,
    comparison: Comparison,
    /// Milliseconds.
    limit: Number,
}

impl Mean {
    pub fn new(condition: Condition, recover: Quantity, windows: Windows, alpha: f64, eager: bool) -> Self {
        // A millisecond has a thousand, and a number is in millionths.
        let micros = |number: Number| i64::try_from(number.in_millionths() / 1_000).unwrap_or(i64::MAX);
        let limit = condition.threshold.normalised();
        let (threshold, recover) = (micros(limit), micros(recover.normalised()));
        let rule = if condition.comparison.is_upward() { MeanRule::above } else { MeanRule::below };
        let measure = match condition.subject {
            Subject::Table(Metric::PollStaleness) => Measure::PollStaleness,
            _ => Measure::DeliveryLatency,
        };
        let rule = rule(threshold, recover, windows, alpha, eager);
        Self { rule, measure, comparison: condition.comparison, limit }
    }
}

impl Kind for Mean {
    type Bucket = Sums;

    fn keep(&self) -> usize {
        self.rule.windows().keep()
    }

    fn span(&self) -> usize {
        self.rule.windows().duration()
    }

    fn read(&self, _index: i64, sample: &Sample, _gauge: &mut Gauge) -> Sums {
        let histogram = sample.histograms.get(self.measure);
        // Whole steps, so that the order of nodes does not change the sum.
        let sum = histogram
            .iter_recorded()
            .map(|value| {
                let middle = u128::from(histogram.median_equivalent(value.value_iterated_to()));
                middle * u128::from(value.count_at_value())
            })
            .fold(0, u128::saturating_add);
        let micros = sum.saturating_mul(1_000_000) / u128::from(self.measure.per_second());
        Sums::bucket(histogram.len(), i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn judge(&self, history: &History<Sums>, row: &Row) -> Verdict {
        self.rule.judge(history, row.fired())
    }

    fn value(&self, history: &History<Sums>, _gauge: &Gauge, buckets: usize) -> Option<f64> {
        history.sum(0, buckets).value().map(|micros| micros / 1_000.0)
    }

    fn holds(&self, history: &History<Sums>, gauge: &Gauge, buckets: usize) -> bool {
        let value = self.value(history, gauge, buckets);
        value.is_some_and(|value| self.comparison.holds(value, self.limit.value()))
    }

    fn size(&self, bucket: &Sums) -> u64 {
        bucket.n()
    }

    fn n(&self, history: &History<Sums>) -> u64 {
        history.sum(0, self.span()).n()
    }
}
