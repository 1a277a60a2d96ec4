//! What a rule reads of the samples of one bucket: which nodes and region, which counters and histograms.

use super::super::file::{
    condition::Condition,
    rule::{Rule, Watch},
    subject::{NodeMetric, Subject, Test},
};
use crate::metric::{
    measure::{
        counters::Counter,
        packed::Packed,
        sample::{Measure, Sample},
    },
    sla::Objective,
    table::Metric,
};
use std::collections::BTreeMap;

/// What the caller must read for a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Seconds of a bucket. A rule whose windows reach back three days or more reads minutes, also when it runs live.
    pub step: i64,
    /// How many present buckets before the newest judged one a restart fills in.
    pub buckets: usize,
    /// How many minutes before that a restart fills in to measure bursts; 0 for rules that do not.
    pub minutes: usize,
    pub counters: Vec<Counter>,
    pub measures: Vec<Measure>,
    /// Reads the rows of this region, beside those of all followers.
    pub region: Option<String>,
    /// Reads the rows of this node alone.
    pub node: Option<String>,
    /// Judges node by node.
    pub each_node: bool,
}

#[derive(PartialEq, Eq)]
pub(super) struct Reader {
    pub node: Option<String>,
    pub region: Option<String>,
    pub each_node: bool,
    pub counters: Vec<Counter>,
    pub measures: Vec<Measure>,
    /// The measure whose values are summed.
    pub sums: Option<Measure>,
}

/// The samples of one bucket, merged as far as a rule's judgement needs them. It may be kept and filled again.
#[derive(Default)]
pub struct Opened {
    /// By node, or one with an empty name for all nodes. None: missing.
    parts: Vec<(String, Part)>,
    spare: Vec<Part>,
}

pub(super) struct Part {
    pub sample: Sample,
    /// Values and their sum in microseconds, for a rule over a mean: to sum up a histogram takes longer than to judge it.
    pub sums: (u64, i64),
}

impl Opened {
    pub fn is_missing(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = (&str, &Part)> {
        self.parts.iter().map(|(name, part)| (name.as_str(), part))
    }

    fn clear(&mut self) {
        for (_, mut part) in self.parts.drain(..) {
            part.sample.counters = Default::default();
            part.sample.histograms.clear();
            part.sums = (0, 0);
            self.spare.push(part);
        }
    }

    fn part(&mut self, name: &str, region: &str) -> &mut Sample {
        let at = self.parts.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            let fresh = || Part { sample: Sample::new("", 0, 0), sums: (0, 0) };
            let mut part = self.spare.pop().unwrap_or_else(fresh);
            part.sample.region.clear();
            part.sample.region.push_str(region);
            self.parts.push((name.to_owned(), part));
            self.parts.len() - 1
        });
        &mut self.parts[at].1.sample
    }
}

impl Reader {
    pub fn new(rule: &Rule) -> Reader {
        let (counters, measures) = match rule.watch {
            Watch::Condition { condition, .. } => of_condition(condition),
            Watch::Burn(burn) => of_objective(burn.objective),
        };
        let each_node = matches!(rule.watch, Watch::Condition { condition, .. } if matches!(condition.subject, Subject::Node(_)));
        let is_mean = |condition: Condition| condition.subject.test() == Test::Mean;
        let sums = match rule.watch {
            Watch::Condition { condition, .. } if is_mean(condition) => measures.first().copied(),
            _ => None,
        };
        Reader { node: rule.node.clone(), region: rule.region.clone(), each_node, counters, measures, sums }
    }

    /// Rows of any order. A bucket is present if any of the nodes sent a row of all its followers for it, also one of
    /// zeros; a region without followers has none of its own.
    pub fn open(&self, samples: &[Packed], into: &mut Opened) {
        into.clear();
        let region = self.region.as_deref().unwrap_or_default();
        let mut covered: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
        for packed in samples {
            let whole = packed.region.is_empty();
            let is_read = self.node.as_ref().is_none_or(|node| *node == packed.node);
            if !is_read || !(whole || packed.region == region) {
                continue;
            }
            let counters = packed.counters();
            if whole && !self.each_node {
                *covered.entry(packed.start).or_default().entry(&packed.node).or_default() +=
                    counters.get(Counter::CoveredSeconds);
            }
            let part = into.part(if self.each_node { &packed.node } else { "" }, region);
            if packed.region != region {
                continue;
            }
            part.counters.merge(&counters);
            if self.measures.is_empty() {
                continue;
            }
            let histograms = packed.histograms();
            for &measure in &self.measures {
                if let Some(bytes) = histograms[measure as usize] {
                    part.histograms.merge_encoded(measure, bytes);
                }
            }
        }
        if let [(_, whole)] = into.parts.as_mut_slice()
            && !self.each_node
        {
            // Nodes that measured at the same time covered it once: levels are those of all nodes together.
            let most = |nodes: &BTreeMap<&str, u64>| nodes.values().copied().max().unwrap_or(0);
            whole.sample.counters.set(Counter::CoveredSeconds, covered.values().map(most).sum());
            if let Some(measure) = self.sums {
                whole.sums = sums(&whole.sample, measure);
            }
        }
    }
}

/// Whole steps of the histogram, so that the order of nodes does not change the sum.
pub(super) fn sums(sample: &Sample, measure: Measure) -> (u64, i64) {
    let histogram = sample.histograms.get(measure);
    let sum = histogram
        .iter_recorded()
        .map(|value| {
            let middle = u128::from(histogram.median_equivalent(value.value_iterated_to()));
            middle * u128::from(value.count_at_value())
        })
        .fold(0, u128::saturating_add);
    let micros = sum.saturating_mul(1_000_000) / u128::from(measure.per_second());
    (histogram.len(), i64::try_from(micros).unwrap_or(i64::MAX))
}

fn of_objective(objective: Objective) -> (Vec<Counter>, Vec<Measure>) {
    use Counter as C;
    match objective {
        Objective::Connect => (vec![], vec![Measure::ConnectionEstablishment]),
        Objective::Delivery => (vec![], vec![Measure::DeliveryLatency]),
        Objective::Uptime => (vec![C::ProbesGood, C::ProbesBad], vec![]),
        Objective::Errors => of_metric(Metric::ErrorRate),
        Objective::Fallback => of_metric(Metric::FallbackRate),
    }
}

fn of_condition(condition: Condition) -> (Vec<Counter>, Vec<Measure>) {
    match condition.subject {
        Subject::Percentile(measure, _) => (vec![], vec![measure]),
        Subject::Node(NodeMetric::MemoryUsage) => of_metric(Metric::MemoryUsage),
        Subject::Node(NodeMetric::RedisLatency) => {
            (vec![Counter::RedisProbesFailed], vec![Measure::RedisLatency])
        }
        Subject::Table(metric) => of_metric(metric),
    }
}

/// What the metric's value is made of, as the table reads it. A test proves that nothing is missing.
fn of_metric(metric: Metric) -> (Vec<Counter>, Vec<Measure>) {
    use Counter as C;
    use Measure as M;
    let level = |sum| vec![sum, C::CoveredSeconds];
    let stream = [C::StreamCohortRequests, C::StreamCohortBytes, C::StreamCohortSeconds];
    let poll = [C::PollCohortRequests, C::PollCohortBytes, C::PollCohortSeconds];
    let counters = match metric {
        Metric::ConnectionSuccessRate => vec![C::ConnectAttempts, C::ConnectEstablished],
        Metric::ConnectRefused => vec![C::ConnectRefused],
        Metric::ErrorRate => {
            vec![C::ConnectFailed, C::DroppedSlow, C::ConnectAttempts, C::DeliveriesDue]
        }
        Metric::Uptime => vec![C::ProbesGood, C::ProbesBad],
        Metric::ActiveConnections => level(C::StreamSeconds),
        Metric::ActivePollers => level(C::PollerSeconds),
        Metric::Published => level(C::Published),
        Metric::Delivered => level(C::Delivered),
        Metric::SocketWritesPerDelivery => vec![C::SocketWrites, C::Delivered],
        Metric::StreamingRequests | Metric::StreamingBytes => stream.to_vec(),
        Metric::PollingRequests | Metric::PollingBytes => poll.to_vec(),
        Metric::RequestReduction => [stream, poll].concat(),
        Metric::BandwidthReduction => {
            [&stream[..], &poll[..], &[C::PollRequests, C::PollBytesIn, C::PollBytesOut][..]].concat()
        }
        Metric::FallbackRate => vec![C::SessionsFellBack, C::StreamCohortSessions],
        Metric::SessionCompletionRate => {
            vec![C::SessionsCompleted, C::SessionsFailed, C::SessionsAbandoned]
        }
        Metric::Memory => level(C::MemorySum),
        Metric::MemoryUsage => vec![C::MemorySum, C::MemoryLimitSum],
        Metric::MemoryPerConnection => vec![C::MemorySum, C::UnusedMemorySum, C::StreamSeconds],
        Metric::Cpu => level(C::CpuMicros),
        Metric::RedisMemory => vec![C::RedisMemorySum, C::RedisSeconds],
        Metric::AvgLatency
        | Metric::PollStaleness
        | Metric::LatencyImprovement
        | Metric::ConnectionEstablishmentP95
        | Metric::DeliveryLatencyP50
        | Metric::DeliveryLatencyP95
        | Metric::DeliveryLatencyP99
        | Metric::ClientLatencyP95
        | Metric::PublishLagP95
        | Metric::HoldP95
        | Metric::ProbeConnectionP95
        | Metric::ProbePublishP95
        | Metric::ProbeDeliveryP95
        | Metric::FirstUpdateP95
        | Metric::RedisLatencyP95 => vec![],
    };
    let measures = match metric {
        Metric::AvgLatency => vec![M::DeliveryLatency],
        Metric::PollStaleness => vec![M::PollStaleness],
        Metric::LatencyImprovement => vec![M::DeliveryLatency, M::PollStaleness],
        _ => vec![],
    };
    (counters, measures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::measure::{counters::Counters, history::in_one_step};

    fn sample(node: &str, region: &str, start: i64, counted: &[(Counter, u64)]) -> Packed {
        let mut sample = Sample::new(node, start, 10);
        sample.region = region.into();
        for &(counter, amount) in counted {
            sample.counters.add(counter, amount);
        }
        sample.pack()
    }

    fn reader(yaml: &str) -> Reader {
        let text = format!("alerts:\n  - name: A\n    severity: info\n    notification: []\n{yaml}");
        let file = crate::alert::file::parse(&text, crate::alert::file::Place::Database, |_| None);
        Reader::new(&file.expect("a rule").rules[0])
    }

    /// What a metric is said to be made of is enough for its value.
    #[test]
    fn no_metric_reads_more_than_it_says() {
        let mut all = Sample::new("a", 0, 60);
        for (index, &counter) in Counter::ALL.iter().enumerate() {
            all.counters.add(counter, 1_000 + 7 * index as u64);
        }
        for measure in Measure::ALL {
            all.histograms.record_n(measure, 5_000, 200);
        }
        let judged_by_value = Metric::ALL.into_iter().filter(|metric| !metric.unit().is_percentile());
        for metric in judged_by_value {
            let (counters, measures) = of_metric(metric);
            let mut some = Sample::new("a", 0, 60);
            some.counters = Counters::default();
            for counter in counters {
                some.counters.set(counter, all.counters.get(counter));
            }
            for measure in measures {
                some.histograms.record_n(measure, 5_000, 200);
            }
            assert_eq!(in_one_step(metric, &some), in_one_step(metric, &all), "{metric:?}");
        }
    }

    #[test]
    fn a_level_is_that_of_all_nodes_together() {
        let reader = reader("    condition: active_connections > 5\n    duration: 10s\n");
        let level = |node: &str, start| {
            sample(node, "", start, &[(Counter::StreamSeconds, 300), (Counter::CoveredSeconds, 10)])
        };
        let mut opened = Opened::default();
        // Two nodes over two buckets of a minute: 60 streams all the while.
        reader.open(&[level("a", 0), level("b", 0), level("a", 10), level("b", 10)], &mut opened);
        let (_, whole) = opened.parts().next().expect("present");
        assert_eq!(in_one_step(Metric::ActiveConnections, &whole.sample), Some(60.0));
        reader.open(&[], &mut opened);
        assert!(opened.is_missing());
    }

    #[test]
    fn a_region_without_followers_is_seen_and_has_none() {
        let reader = reader("    condition: active_connections > 5\n    duration: 10s\n    region: eu\n");
        let whole = [(Counter::StreamSeconds, 300), (Counter::CoveredSeconds, 10)];
        let mut opened = Opened::default();
        reader.open(&[sample("a", "", 0, &whole), sample("a", "us", 0, &whole)], &mut opened);
        let streams = |opened: &Opened| {
            opened.parts().next().and_then(|(_, whole)| in_one_step(Metric::ActiveConnections, &whole.sample))
        };
        assert_eq!(streams(&opened), Some(0.0));
        let of_region = [(Counter::StreamSeconds, 40), (Counter::CoveredSeconds, 10)];
        reader.open(&[sample("a", "eu", 0, &of_region), sample("a", "", 0, &whole)], &mut opened);
        assert_eq!(streams(&opened), Some(4.0));
    }

    #[test]
    fn a_rule_of_one_node_sees_no_other() {
        let reader = reader("    condition: error_rate > 1%\n    duration: 10s\n    node: b\n");
        let mut opened = Opened::default();
        reader.open(&[sample("a", "", 0, &[])], &mut opened);
        assert!(opened.is_missing());
        reader.open(&[sample("a", "", 0, &[]), sample("b", "", 0, &[])], &mut opened);
        assert!(!opened.is_missing());
    }
}
