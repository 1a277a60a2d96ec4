//! What a rule watches, and which test judges it.

use crate::metric::{
    histogram::Measure,
    table::{Metric, Unit as MetricUnit},
};

/// A metric by its one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Table(Metric),
    /// Of a histogram: 50, 95 or 99.
    Percentile(Measure, u8),
    /// Of one node; never averaged over nodes, where a healthy one would hide a sick one.
    Node(NodeMetric),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeMetric {
    /// Percent of the node's memory limit.
    MemoryUsage,
    /// Milliseconds of one probe of Redis.
    RedisLatency,
}

/// What a number of it is a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// In percent.
    Percent,
    /// In milliseconds.
    Time,
    /// In bytes.
    Bytes,
    Count,
}

/// How the rule is judged; the arithmetic of each is the state machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Events, some of them bad: an exact binomial tail.
    Ratio,
    /// Values with a sum: Student's t over buckets.
    Mean,
    /// As a ratio: more than the allowed share of values is beyond the threshold.
    Percentile,
    /// At least `percent` of the samples breach.
    Share {
        percent: u8,
        over: Over,
    },
    BudgetBurn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    EachNode,
    AllNodes,
}

const PERCENTILES: [u8; 3] = [50, 95, 99];

impl NodeMetric {
    pub const ALL: [NodeMetric; 2] = [NodeMetric::MemoryUsage, NodeMetric::RedisLatency];

    pub fn name(self) -> &'static str {
        match self {
            NodeMetric::MemoryUsage => "memory_usage",
            NodeMetric::RedisLatency => "redis_latency",
        }
    }
}

impl Subject {
    pub fn named(name: &str) -> Option<Subject> {
        Subject::all().find(|subject| subject.name() == name)
    }

    /// A percentile that the table lists is a [`Subject::Percentile`] as well, and memory is each node's, so that each name
    /// means one thing.
    pub fn all() -> impl Iterator<Item = Subject> {
        let nodes = NodeMetric::ALL.map(Subject::Node);
        let of_node = |metric: &Metric| NodeMetric::ALL.iter().any(|node| node.name() == metric.name());
        let table = Metric::ALL.into_iter().filter(|metric| !metric.unit().is_percentile());
        let table = table.filter(move |metric| !of_node(metric));
        let percentiles = Measure::ALL
            .into_iter()
            .flat_map(|of| PERCENTILES.map(|percent| Subject::Percentile(of, percent)));
        nodes.into_iter().chain(table.map(Subject::Table)).chain(percentiles)
    }

    pub fn name(self) -> String {
        match self {
            Subject::Table(metric) => metric.name().to_owned(),
            Subject::Percentile(of, percent) => format!("{}_p{percent}", of.name()),
            Subject::Node(metric) => metric.name().to_owned(),
        }
    }

    pub fn dimension(self) -> Dimension {
        use MetricUnit as U;
        let metric = match self {
            Subject::Percentile(..) | Subject::Node(NodeMetric::RedisLatency) => return Dimension::Time,
            Subject::Node(NodeMetric::MemoryUsage) => return Dimension::Percent,
            Subject::Table(metric) => metric,
        };
        match metric.unit() {
            U::Percent | U::CpuPercent => Dimension::Percent,
            U::MsP50 | U::MsP95 | U::MsP99 | U::MsMean => Dimension::Time,
            U::Bytes | U::ProcessBytes | U::BytesPerSessionHour => Dimension::Bytes,
            U::PerSecond | U::PerDelivery | U::PerSessionHour | U::Streams | U::Pollers | U::Attempts => {
                Dimension::Count
            }
        }
    }

    /// A probe varies more from second to second than a level does: 80 % of Redis' must be slow, 90 % of memory's high.
    pub fn test(self) -> Test {
        match self {
            Subject::Percentile(..) => Test::Percentile,
            Subject::Node(NodeMetric::MemoryUsage) => Test::Share { percent: 90, over: Over::EachNode },
            Subject::Node(NodeMetric::RedisLatency) => Test::Share { percent: 80, over: Over::EachNode },
            Subject::Table(metric) if is_ratio(metric) => Test::Ratio,
            Subject::Table(metric) if metric.unit() == MetricUnit::MsMean => Test::Mean,
            Subject::Table(_) => Test::Share { percent: 90, over: Over::AllNodes },
        }
    }

    pub fn is_by_region(self) -> bool {
        match self {
            Subject::Table(metric) => metric.is_by_region(),
            Subject::Percentile(of, _) => of.is_by_region(),
            Subject::Node(_) => false,
        }
    }

    /// Whether it is measured only where there is a Redis.
    pub fn needs_redis(self) -> bool {
        matches!(self, Subject::Node(NodeMetric::RedisLatency) | Subject::Table(Metric::RedisMemory))
    }

    /// Whether it lies between 0 % and 100 %.
    pub fn is_part_of_a_whole(self) -> bool {
        self.test() == Test::Ratio || self == Subject::Node(NodeMetric::MemoryUsage)
    }
}

/// Whether it is a share of counted events. Other percentages compare two numbers, and have no events to count.
fn is_ratio(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ErrorRate
            | Metric::ConnectionSuccessRate
            | Metric::Uptime
            | Metric::FallbackRate
            | Metric::SessionCompletionRate
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_metric_has_the_test_that_fits_it() {
        let check =
            |name: &str, test| assert_eq!(Subject::named(name).map(Subject::test), Some(test), "{name}");
        check("error_rate", Test::Ratio);
        check("connection_success_rate", Test::Ratio);
        check("avg_latency", Test::Mean);
        check("delivery_latency_p95", Test::Percentile);
        check("poll_duration_p99", Test::Percentile);
        check("memory_usage", Test::Share { percent: 90, over: Over::EachNode });
        check("redis_latency", Test::Share { percent: 80, over: Over::EachNode });
        check("active_connections", Test::Share { percent: 90, over: Over::AllNodes });
        check("request_reduction", Test::Share { percent: 90, over: Over::AllNodes });
    }

    #[test]
    fn every_metric_of_the_table_can_be_watched_by_its_name() {
        let names: Vec<String> = Subject::all().map(Subject::name).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
        for metric in Metric::ALL {
            assert!(names.iter().any(|name| name == metric.name()), "{}", metric.name());
        }
        for subject in Subject::all() {
            assert_eq!(Subject::named(&subject.name()), Some(subject));
        }
    }
}
