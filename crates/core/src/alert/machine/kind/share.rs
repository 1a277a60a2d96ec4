use super::{
    super::{
        super::{
            buckets::History,
            file::{
                condition::{Condition, Quantity},
                subject::{NodeMetric, Subject},
            },
            judge::{Verdict, Windows},
            share::{Samples, ShareRule},
            state::Row,
        },
        gauge::{Average, Gauge},
        reading::Part,
    },
    Kind,
    ratio::beyond,
};
use crate::metric::{
    measure::{
        counters::Counter,
        history::in_one_step,
        sample::{Measure, Sample},
    },
    table::Metric,
};

/// Over a level. A bucket is one sample of it; of Redis it is as many as were probed.
pub struct Share {
    rule: ShareRule,
    condition: Condition,
    recover: Quantity,
    keep: usize,
}

impl Share {
    /// `hold`: the longest that damping makes of it, in buckets.
    pub fn new(condition: Condition, recover: Quantity, percent: u8, windows: Windows, hold: u32) -> Self {
        let rule = ShareRule::new(percent.into(), windows);
        let keep = rule.keep(hold);
        Self { rule, condition, recover, keep }
    }

    fn level(&self, sample: &Sample) -> Option<f64> {
        match self.condition.subject {
            Subject::Table(metric) => in_one_step(metric, sample),
            _ => in_one_step(Metric::MemoryUsage, sample),
        }
    }
}

impl Kind for Share {
    type Bucket = Samples;

    fn keep(&self) -> usize {
        self.keep
    }

    fn span(&self) -> usize {
        self.rule.windows().duration()
    }

    fn gauge(&self) -> Gauge {
        Gauge::Level(History::new(self.span()))
    }

    fn read(&self, index: i64, part: &Part, gauge: &mut Gauge) -> Samples {
        let sample = &part.sample;
        let comparison = self.condition.comparison;
        let (limit, recover) = (self.condition.threshold.normalised(), self.recover.normalised());
        let (samples, average) = if self.condition.subject == Subject::Node(NodeMetric::RedisLatency) {
            let histogram = sample.histograms.get(Measure::RedisLatency);
            let answered = histogram.len();
            // A probe without an answer is a slow one.
            let failed = sample.counters.get(Counter::RedisProbesFailed);
            let slow = if comparison.is_upward() { failed } else { 0 };
            let above = |limit| slow + beyond(&sample.histograms, Measure::RedisLatency, comparison, limit);
            let mean = Measure::RedisLatency.ms(histogram.mean());
            let average = Average::of(if answered > 0 { mean } else { 0.0 }, answered);
            (Samples { n: answered + failed, above: above(limit), not_recovered: above(recover) }, average)
        } else {
            match self.level(sample) {
                None => Default::default(),
                Some(value) => {
                    let breaches = |limit: f64| u64::from(comparison.holds(value, limit));
                    let (above, not_recovered) = (breaches(limit.value()), breaches(recover.value()));
                    (Samples { n: 1, above, not_recovered }, Average::of(value, 1))
                }
            }
        };
        if let Gauge::Level(gauge) = gauge {
            gauge.push(index, average);
        }
        samples
    }

    fn judge(&self, history: &History<Samples>, row: &Row) -> Verdict {
        self.rule.judge(history, row.hold)
    }

    fn value(&self, _history: &History<Samples>, gauge: &Gauge, buckets: usize) -> Option<f64> {
        match gauge {
            Gauge::Level(gauge) => gauge.sum(0, buckets).mean(),
            _ => None,
        }
    }

    /// More than half of the samples: of a level it is the one that there is.
    fn holds(&self, history: &History<Samples>, _gauge: &Gauge, buckets: usize) -> bool {
        let sum = history.sum(0, buckets);
        sum.above > sum.n / 2
    }

    fn n(&self, history: &History<Samples>) -> u64 {
        history.sum(0, self.span()).n
    }

    fn size(&self, bucket: &Samples) -> u64 {
        bucket.n
    }

    fn is_level(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(condition: &str, recover: &str) -> Share {
        let condition = Condition::parse(condition).expect("a condition");
        let recover = Quantity::parse(recover, condition.subject).expect("a quantity");
        Share::new(condition, recover, 80, Windows::new(60), 30)
    }

    #[test]
    fn a_probe_of_redis_without_an_answer_is_a_slow_one() {
        let mut sample = Sample::new("a", 0, 10);
        sample.histograms.record_n(Measure::RedisLatency, 1_000, 5);
        sample.histograms.record_n(Measure::RedisLatency, 90_000, 1);
        sample.histograms.record_n(Measure::RedisLatency, 200_000, 1);
        sample.counters.add(Counter::RedisProbesFailed, 3);
        let read = |condition: &str, recover: &str| {
            let kind = share(condition, recover);
            kind.read(0, &Part { sample: sample.clone(), sums: (0, 0) }, &mut kind.gauge())
        };
        let slow = read("redis_latency > 100ms", "80ms");
        assert_eq!(slow, Samples { n: 10, above: 4, not_recovered: 5 });
        let quick = read("redis_latency < 50ms", "50ms");
        assert_eq!(quick, Samples { n: 10, above: 5, not_recovered: 5 });
    }

    #[test]
    fn memory_is_one_sample_in_percent_of_the_limit() {
        let kind = share("memory_usage > 80%", "75%");
        let read = |used: u64| {
            let mut sample = Sample::new("a", 0, 10);
            sample.counters.add(Counter::MemorySum, used);
            sample.counters.add(Counter::MemoryLimitSum, 1_000);
            kind.read(0, &Part { sample, sums: (0, 0) }, &mut kind.gauge())
        };
        assert_eq!(read(800), Samples { n: 1, above: 0, not_recovered: 1 });
        assert_eq!(read(801), Samples { n: 1, above: 1, not_recovered: 1 });
        assert_eq!(read(750), Samples { n: 1, above: 0, not_recovered: 0 });
        let unknown =
            kind.read(0, &Part { sample: Sample::new("a", 0, 10), sums: (0, 0) }, &mut kind.gauge());
        assert_eq!(unknown, Samples::default(), "the limit is not known");
    }
}
