//! `error_rate{part="errors"}` and `0+10x5`: what is measured, and its values.

use crate::{
    alert::file::{
        fault::unknown,
        subject::{NodeMetric, Subject},
    },
    metric::{
        measure::{counters::Counter, sample::Measure},
        sla::Objective,
        table::Metric,
    },
    text::{is_label, said::plainly},
};

/// What a series is of, and a rule reads. Series of one source are all that its rules see, so that one metric's events are
/// no other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Events, some of them bad.
    Ratio(Metric),
    /// Values in milliseconds.
    Values(Measure),
    /// Percent of a node's limit.
    Memory,
    /// A level, or a rate a second: summed over the seconds.
    Level(Counter),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The value itself.
    Value,
    /// How many events or values.
    Events,
    /// How many of the events were bad; of Redis, probes without an answer beside those with one.
    Errors,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// Nobody recorded it.
    Missing,
    /// The node sent a sample that has no value of this series.
    Stale,
    Value(f64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub source: Source,
    pub part: Part,
    pub node: String,
    /// Empty: followers of no known region.
    pub region: String,
    pub points: Vec<Point>,
}

/// The node of a series that names none.
pub const NODE: &str = "node";
/// Values of one test together.
pub const MOST_POINTS: usize = 1_000_000;

impl Source {
    /// `None`: a scenario has no notation for it.
    pub fn of(subject: Subject) -> Option<Source> {
        Some(match subject {
            Subject::Node(NodeMetric::MemoryUsage) => Source::Memory,
            Subject::Node(NodeMetric::RedisLatency) => Source::Values(Measure::RedisLatency),
            Subject::Percentile(measure, _) => Source::Values(measure),
            Subject::Table(metric) => match metric {
                Metric::ErrorRate
                | Metric::ConnectionSuccessRate
                | Metric::Uptime
                | Metric::FallbackRate
                | Metric::SessionCompletionRate => Source::Ratio(metric),
                Metric::AvgLatency => Source::Values(Measure::DeliveryLatency),
                Metric::PollStaleness => Source::Values(Measure::PollStaleness),
                Metric::ActiveConnections => Source::Level(Counter::StreamSeconds),
                Metric::ActivePollers => Source::Level(Counter::PollerSeconds),
                Metric::Published => Source::Level(Counter::Published),
                Metric::Delivered => Source::Level(Counter::Delivered),
                Metric::Memory => Source::Level(Counter::MemorySum),
                _ => return None,
            },
        })
    }

    pub fn of_objective(objective: Objective) -> Source {
        match objective {
            Objective::Connect => Source::Values(Measure::ConnectionEstablishment),
            Objective::Delivery => Source::Values(Measure::DeliveryLatency),
            Objective::Uptime => Source::Ratio(Metric::Uptime),
            Objective::Errors => Source::Ratio(Metric::ErrorRate),
            Objective::Fallback => Source::Ratio(Metric::FallbackRate),
        }
    }

    fn has(self, part: Part) -> bool {
        match self {
            Source::Ratio(_) => part != Part::Value,
            Source::Values(Measure::RedisLatency) => true,
            Source::Values(_) => part != Part::Errors,
            Source::Memory | Source::Level(_) => part == Part::Value,
        }
    }

    fn parts(self) -> &'static str {
        match self {
            Source::Ratio(_) => "part=\"events\" and part=\"errors\", how many of the events were bad",
            Source::Values(Measure::RedisLatency) => {
                "no part for milliseconds, part=\"events\" for how many probes were answered, part=\"errors\" for how many were not"
            }
            Source::Values(_) => "no part for milliseconds, part=\"events\" for how many values",
            Source::Memory | Source::Level(_) => "no part",
        }
    }
}

/// The name with its labels. What is wrong, and what is allowed.
pub fn name(text: &str) -> Result<Series, String> {
    let text = text.trim();
    let (metric, labels) = match text.split_once('{') {
        Some((metric, labels)) => {
            let labels =
                labels.strip_suffix('}').ok_or("`{` is not closed; allowed: `metric{label=\"value\"}`")?;
            (metric.trim(), labels)
        }
        None => (text, ""),
    };
    let Some(subject) = Subject::named(metric) else {
        let names: Vec<String> =
            Subject::all().filter(|subject| Source::of(*subject).is_some()).map(Subject::name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(unknown("metric", metric, &names));
    };
    let source = Source::of(subject).ok_or_else(|| {
        format!("`{metric}` is computed from several counters, which a scenario cannot give; allowed: ratios, latencies, `memory_usage`, `redis_latency`, `memory`, active connections and pollers, `published`, `delivered`")
    })?;
    let mut series = Series {
        source,
        part: Part::Value,
        node: NODE.to_owned(),
        region: String::new(),
        points: Vec::new(),
    };
    for label in labels.split(',').map(str::trim).filter(|label| !label.is_empty()) {
        let wrong = || format!("`{}` is no label; allowed: `name=\"value\"`", plainly(label));
        let (key, value) = label.split_once('=').ok_or_else(wrong)?;
        let value =
            value.trim().strip_prefix('"').and_then(|value| value.strip_suffix('"')).ok_or_else(wrong)?;
        match key.trim() {
            "part" => {
                series.part = match value {
                    "events" => Part::Events,
                    "errors" => Part::Errors,
                    _ => return Err(unknown("part", value, &["events", "errors"])),
                }
            }
            "node" | "region" if !is_label(value, 64) => return Err(wrong()),
            "node" => value.clone_into(&mut series.node),
            "region" if subject.is_by_region() => value.clone_into(&mut series.region),
            "region" => return Err(format!("`{metric}` is not kept by region")),
            other => return Err(unknown("label", other, &["part", "node", "region"])),
        }
    }
    if !source.has(series.part) {
        return Err(format!("this part of `{metric}` does not exist; allowed: {}", source.parts()));
    }
    Ok(series)
}

/// promtool's notation: `1 2 3`, `0+10x5` and `50-10x5` (six values), `7x3` (four), `_`, `_x3` (three), `stale`.
pub fn values(text: &str, most: usize) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for token in text.split_whitespace() {
        let wrong = || {
            let shown = plainly(token);
            format!(
                "`{shown}` is no value; allowed: `5`, `0+10x5`, `50-10x5`, `7x3`, `_`, `_x3`, `stale`, numbers from 0 on"
            )
        };
        let (head, times) = match token.split_once('x') {
            Some((head, times)) => (head, Some(times.parse::<usize>().map_err(|_| wrong())?)),
            None => (token, None),
        };
        if points.len() + times.unwrap_or(0) >= most {
            return Err(format!("allowed: at most {most} values in one test"));
        }
        match (head, times) {
            ("_", times) => points.extend(std::iter::repeat_n(Point::Missing, times.unwrap_or(1))),
            ("stale", None) => points.push(Point::Stale),
            (head, times) => {
                let sign = head.char_indices().skip(1).find(|(_, letter)| matches!(letter, '+' | '-'));
                let (first, step) = sign.map_or((head, None), |(at, _)| (&head[..at], Some(&head[at..])));
                if step.is_some() && times.is_none() {
                    return Err(wrong());
                }
                let first = number(first).ok_or_else(wrong)?;
                let step = step.map_or(Some(0.0), number).ok_or_else(wrong)?;
                for at in 0..=times.unwrap_or(0) {
                    let value = first + step * at as f64;
                    if value < 0.0 {
                        return Err(wrong());
                    }
                    points.push(Point::Value(value));
                }
            }
        }
    }
    Ok(points)
}

/// Larger ones would not fit what counts them.
const LARGEST: f64 = 1e12;

fn number(text: &str) -> Option<f64> {
    let good = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
    text.bytes().all(good).then(|| text.parse().ok())?.filter(|number: &f64| number.abs() <= LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_promtool_has_them() {
        let check = |text: &str, expected: &[i32]| {
            let expected: Vec<Point> = expected
                .iter()
                .map(|value| match value {
                    -1 => Point::Missing,
                    -2 => Point::Stale,
                    value => Point::Value((*value).into()),
                })
                .collect();
            assert_eq!(values(text, 100), Ok(expected), "{text}");
        };
        check("1 2 3", &[1, 2, 3]);
        check("0+10x3", &[0, 10, 20, 30]);
        check("30-10x3 5", &[30, 20, 10, 0, 5]);
        check("7x2", &[7, 7, 7]);
        check("1 _ _x2 stale 4x0", &[1, -1, -1, -1, -2, 4]);
        check("", &[]);
        for wrong in
            ["a", "1x", "1+2", "x3", "-5", "3-2x2", "1e3", "stalex3", "inf", "9999999999999", "1+xx2"]
        {
            assert!(values(wrong, 100).is_err_and(|why| why.contains("allowed: `5`")), "{wrong}");
        }
        assert!(values("1x99", 100).is_ok_and(|points| points.len() == 100));
        assert_eq!(values("1x100", 100), Err("allowed: at most 100 values in one test".into()));
        assert!(values("_x99999999999", 100).is_err());
    }

    #[test]
    fn a_series_says_what_it_is_of() {
        let of = |text: &str| name(text).map(|of| (of.source, of.part, of.node, of.region));
        let expected = (Source::Ratio(Metric::ErrorRate), Part::Errors, "node".into(), "eu".into());
        assert_eq!(of("error_rate{part=\"errors\", region=\"eu\"}"), Ok(expected));
        let expected = (Source::Memory, Part::Value, "a".into(), String::new());
        assert_eq!(of("memory_usage{node=\"a\"}"), Ok(expected));
        assert_eq!(of("avg_latency").map(|of| of.0), Ok(Source::Values(Measure::DeliveryLatency)));
        let check = |text: &str, why: &str| {
            let found = name(text).expect_err(text);
            assert!(found.contains(why), "{text}: {found}");
        };
        check("eror_rate", "did you mean `error_rate`?");
        check("error_rate", "allowed: part=\"events\" and part=\"errors\"");
        check("memory_usage{part=\"events\"}", "allowed: no part");
        check("memory_usage{node=a}", "`node=a` is no label");
        check("memory_usage{node=\"a\"", "`{` is not closed");
        check("memory_usage{region=\"eu\"}", "not kept by region");
        check("memory_usage{instance=\"eu\"}", "unknown label `instance`");
        check("request_reduction", "computed from several counters");
    }
}
