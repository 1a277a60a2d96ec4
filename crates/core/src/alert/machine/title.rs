//! A rule in words.

use super::super::{
    file::{
        burn::BudgetBurn,
        condition::{Comparison, Condition},
        number::Number,
        rule::{Rule, Watch},
        subject::{Dimension, NodeMetric, Subject},
    },
    reason::span,
};
use crate::metric::table::{Metric, Unit};

/// "Error rate is above 1 %", for a heading.
pub fn title(rule: &Rule) -> String {
    let mut text = match rule.watch {
        Watch::Condition { condition, .. } => of_condition(condition),
        Watch::Burn(burn) => of_burn(burn),
    };
    if let Some(region) = &rule.region {
        text += &format!(" in {region}");
    }
    if let Some(node) = &rule.node {
        text += &format!(" on {node}");
    }
    text
}

/// How long it must last: "5 min"; of a burn both windows: "1 h and 5 min".
pub fn duration(rule: &Rule) -> String {
    match rule.watch {
        Watch::Condition { duration, .. } => span(duration.0.into()),
        Watch::Burn(burn) => format!("{} and {}", span(burn.long.0.into()), span(burn.short.0.into())),
    }
}

/// The metric's name; of a burn its objective's.
pub fn metric(rule: &Rule) -> String {
    match rule.watch {
        Watch::Condition { condition, .. } => condition.subject.name(),
        Watch::Burn(burn) => burn.objective.metric().name().to_owned(),
    }
}

/// "%", "ms", "MB", "kB", "x" for a burn, or nothing; and how many of the metric's own unit one is.
pub fn unit(rule: &Rule) -> (&'static str, f64) {
    let Watch::Condition { condition, .. } = rule.watch else { return ("x", 1.0) };
    match (condition.subject.dimension(), condition.subject) {
        (Dimension::Percent, _) => ("%", 1.0),
        (Dimension::Time, _) => ("ms", 1.0),
        (Dimension::Bytes, Subject::Table(metric)) if metric.unit() == Unit::ProcessBytes => ("MB", 1e6),
        (Dimension::Bytes, _) => ("kB", 1e3),
        (Dimension::Count, _) => ("", 1.0),
    }
}

/// "> 1 %".
pub fn comparison(rule: &Rule) -> String {
    match rule.watch {
        Watch::Condition { condition, .. } => {
            format!("{} {}", condition.comparison.text(), quantity(condition))
        }
        Watch::Burn(burn) => format!("> {} x", burn.factor),
    }
}

fn of_condition(condition: Condition) -> String {
    let (name, plural) = match condition.subject {
        Subject::Table(metric) => (metric.title().to_owned(), is_plural(metric)),
        Subject::Percentile(measure, percent) => (format!("{} p{percent}", measure.title()), false),
        Subject::Node(NodeMetric::MemoryUsage) => (Metric::MemoryUsage.title().to_owned(), false),
        Subject::Node(NodeMetric::RedisLatency) => (Metric::RedisLatencyP95.title().to_owned(), false),
    };
    let side = match condition.comparison {
        Comparison::Above => "above",
        Comparison::AtLeast => "at least",
        Comparison::Below => "below",
        Comparison::AtMost => "at most",
    };
    let verb = if plural { "are" } else { "is" };
    format!("{name} {verb} {side} {}", quantity(condition))
}

fn of_burn(burn: BudgetBurn) -> String {
    let name = burn.objective.metric().title();
    if burn.factor > Number::whole(1) {
        format!("{name} burns its budget {} x too fast", burn.factor)
    } else {
        format!("{name} burns its budget at {} x the speed that lasts a month", burn.factor)
    }
}

fn quantity(condition: Condition) -> String {
    let unit = condition.threshold.unit.text;
    let space = if unit.is_empty() { "" } else { " " };
    format!("{}{space}{unit}", condition.threshold.number)
}

fn is_plural(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ActiveConnections
            | Metric::ActivePollers
            | Metric::Published
            | Metric::Delivered
            | Metric::SocketWritesPerDelivery
            | Metric::StreamingRequests
            | Metric::PollingRequests
            | Metric::StreamingBytes
            | Metric::PollingBytes
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::file::{Place, parse};

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let check = |watch: &str, expected: &str, length: &str| {
            let text = format!("alerts: [{{ name: A, severity: info, notification: [], {watch} }}]");
            let file = parse(&text, Place::Database, |_| None).expect("a rule");
            assert_eq!(title(&file.rules[0]), expected);
            assert_eq!(duration(&file.rules[0]), length);
        };
        check("condition: error_rate > 1%, duration: 5m", "Error rate is above 1 %", "5 min");
        check("condition: error_rate >= 0.5%, duration: 90s", "Error rate is at least 0.5 %", "90 s");
        check(
            "condition: connection_success_rate < 95%, duration: 2m, region: eu",
            "Connection success is below 95 % in eu",
            "2 min",
        );
        check(
            "condition: delivery_latency_p95 > 1s, duration: 1h",
            "Delivery latency p95 is above 1 s",
            "1 h",
        );
        check(
            "condition: memory_usage > 80%, duration: 10m, node: n1",
            "Memory usage is above 80 % on n1",
            "10 min",
        );
        check("condition: redis_latency > 100ms, duration: 5m", "Latency of Redis is above 100 ms", "5 min");
        check(
            "condition: active_connections <= 3, duration: 5m",
            "Active connections are at most 3",
            "5 min",
        );
        check("condition: memory > 1.5GB, duration: 5m", "Memory is above 1.5 GB", "5 min");
        check(
            "budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }",
            "Error rate burns its budget 14.4 x too fast",
            "1 h and 5 min",
        );
        check(
            "budget_burn: { objective: uptime, factor: 1, long: 3d, short: 6h }",
            "Uptime burns its budget at 1 x the speed that lasts a month",
            "3 d and 6 h",
        );
    }
}
