use super::{
    super::{
        super::{
            buckets::History, burn::BurnRule, file::burn::BudgetBurn, judge::Verdict, ratio::Counts,
            state::Row, tables::Critical, threshold::Threshold,
        },
        gauge::Gauge,
        reading::Part,
    },
    Kind,
};
use crate::metric::{measure::counters::Counter, sla::Objective};

/// Over an error budget. Its value is how many times too fast the slower of both windows burns.
pub struct Burn {
    rule: BurnRule,
    objective: Objective,
}

/// Shares of budgets have at most six decimals.
const MILLION: u128 = 1_000_000;

impl Burn {
    pub fn new(burn: BudgetBurn, step: i64, alpha: f64) -> Self {
        let allowed = (burn.objective.allowed() * MILLION as f64).round() as u128;
        let threshold = Threshold::nearest((burn.factor.in_millionths() * allowed, MILLION * MILLION));
        let rule = BurnRule::new(threshold, burn.long.0.into(), burn.short.0.into(), step, alpha);
        Self { rule, objective: burn.objective }
    }
}

impl Kind for Burn {
    type Bucket = Counts;

    fn keep(&self) -> usize {
        self.rule.keep()
    }

    fn span(&self) -> usize {
        self.rule.short()
    }

    fn read(&self, _index: i64, part: &Part, _gauge: &mut Gauge) -> Counts {
        let sample = &part.sample;
        if self.objective == Objective::Fallback {
            // Not cut off in each bucket: a session may fall back in a later one than it began in.
            let count = |counter| sample.counters.get(counter);
            return Counts::new(count(Counter::StreamCohortSessions), count(Counter::SessionsFellBack));
        }
        let counted = self.objective.counted(sample);
        Counts::new(counted.all, counted.bad)
    }

    fn judge(&self, history: &History<Counts>, row: &Row) -> Verdict {
        self.rule.judge(history, row.phi)
    }

    fn value(&self, history: &History<Counts>, _gauge: &Gauge, _buckets: usize) -> Option<f64> {
        let burn = |buckets: usize| {
            let sum = history.sum(0, buckets).sound();
            (sum.n > 0).then(|| sum.bad as f64 / sum.n as f64 / self.objective.allowed())
        };
        Some(burn(self.rule.long())?.min(burn(self.rule.short())?))
    }

    /// The form of the SRE workbook.
    fn holds(&self, history: &History<Counts>, _gauge: &Gauge, _buckets: usize) -> bool {
        [self.rule.long(), self.rule.short()].into_iter().all(|buckets| {
            let sum = history.sum(0, buckets).sound();
            self.rule.threshold().exceeded(sum.n, sum.bad)
        })
    }

    fn n(&self, history: &History<Counts>) -> u64 {
        history.sum(0, self.rule.long()).n
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
