//! What the pages of alerts are put together from. Rendered on the server alone.

pub mod action; // forms of one button, and short ones
pub mod chart; // a metric with its threshold, and what the rule made of it
pub mod draft; // a rule as a form's fields, and as YAML
pub mod level; // a value on its rail, with threshold and worst
pub mod line; // all alerts in one line above a page's title
pub mod runbook; // what to do, beside the incident
pub mod shape; // the state as a shape and a word
pub mod strip; // the last 24 hours of all rules
pub mod words; // amounts, names and times as the pages say them

use streamgauge_core::{
    metric::table::Metric,
    page::{
        alerts::{Alerts, RuleView, SpanKind},
        board::Watched,
    },
};

/// The unit of how many times too fast an error budget burns.
const BURN: &str = "x";

/// What rules make of the metrics that the Overview draws. `now`: Unix milliseconds.
pub fn watched(alerts: &Alerts, now: i64) -> Vec<Watched> {
    alerts.rules.iter().filter_map(|rule| watched_by(rule, now)).collect()
}

fn watched_by(rule: &RuleView, now: i64) -> Option<Watched> {
    // Latency is drawn by its percentiles, on the same scale as its mean.
    let name = if rule.metric == "avg_latency" { Metric::DeliveryLatencyP95.name() } else { &rule.metric };
    let metric = Metric::ALL.iter().position(|metric| metric.name() == name)?;
    let fired = rule.spans.iter().filter(|span| span.kind == SpanKind::Firing);
    let ends = fired.flat_map(|span| [span.from, span.to.unwrap_or(now)]);
    // A burn rate is not on the scale of its objective's metric.
    (rule.not_used.is_none() && rule.unit != BURN).then_some(())?;
    let numbers = [metric as f64, rule.threshold?].into_iter().chain(ends.map(|at| (at / 1_000) as f64));
    Some(numbers.map(Some).collect())
}
