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
        reading::Part,
    },
    Kind,
};
/// Over a mean of values in microseconds.
pub struct Mean {
    rule: MeanRule,
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
        let rule = rule(threshold, recover, windows, alpha, eager);
        Self { rule, comparison: condition.comparison, limit }
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

    fn read(&self, _index: i64, part: &Part, _gauge: &mut Gauge) -> Sums {
        Sums::bucket(part.sums.0, part.sums.1)
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
