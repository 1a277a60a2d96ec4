//! The two texts. They differ in how a counter's head is named, in what the head says, and in their end.

use super::{Distribution, Family, Format, Label, Values};
use std::fmt::Write;

pub fn write<'a>(format: Format, families: impl IntoIterator<Item = &'a Family>) -> String {
    let mut text = String::with_capacity(16 * 1_024);
    for family in families {
        // Writing to a string does not fail.
        let _ = write_family(&mut text, format, family);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_family(text: &mut String, format: Format, family: &Family) -> std::fmt::Result {
    let name = &*family.name;
    let open = format == Format::OpenMetrics;
    let (ending, kind) = match &family.values {
        Values::Counter(_) => ("_total", "counter"),
        Values::Gauge(_) => ("", "gauge"),
        Values::Info(_) => ("_info", if open { "info" } else { "gauge" }),
        Values::Histogram(_) => ("", "histogram"),
    };
    // OpenMetrics names the family, the older text the series.
    let head = if open { "" } else { ending };
    writeln!(text, "# HELP {name}{head} {}", escaped(family.help, open))?;
    writeln!(text, "# TYPE {name}{head} {kind}")?;
    if open && let Some(unit) = family.unit.as_str() {
        writeln!(text, "# UNIT {name} {unit}")?;
    }
    match &family.values {
        Values::Counter(points) | Values::Gauge(points) => {
            for point in points {
                write_point(text, &format!("{name}{ending}"), point.label.as_slice(), point.value)?;
            }
            Ok(())
        }
        Values::Info(labels) => write_point(text, &format!("{name}{ending}"), labels, 1.0),
        Values::Histogram(distribution) => write_histogram(text, name, distribution),
    }
}

fn write_point(text: &mut String, name: &str, labels: &[Label], value: f64) -> std::fmt::Result {
    write!(text, "{name}")?;
    for (index, (label, value)) in labels.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        write!(text, "{before}{label}=\"{}\"", escaped(value, true))?;
    }
    if !labels.is_empty() {
        text.push('}');
    }
    writeln!(text, " {value}")
}

fn write_histogram(text: &mut String, name: &str, distribution: &Distribution) -> std::fmt::Result {
    let mut below = 0;
    for (index, count) in distribution.counts.iter().enumerate() {
        below += count;
        match distribution.bounds.get(index) {
            // With a point, also for whole numbers: OpenMetrics wants it, and a series must not change its name with
            // the text.
            Some(bound) => writeln!(text, "{name}_bucket{{le=\"{bound:?}\"}} {below}")?,
            None => writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {below}")?,
        }
    }
    writeln!(text, "{name}_sum {}", distribution.sum)?;
    writeln!(text, "{name}_count {below}")
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::export::{Point, Unit};

    fn families() -> Vec<Family> {
        vec![
            Family {
                name: "a_bytes".into(),
                unit: Unit::Bytes,
                help: "A \"help\"\nwith a \\.",
                values: Values::Counter(vec![
                    Point { label: Some(("way", "a\"b\\c\nd".into())), value: 3.0 },
                    Point { label: None, value: 9_007_199_254_740_991.0 },
                ]),
            },
            Family::gauge("g", Unit::One, "G.", 0.25),
            Family {
                name: "b".into(),
                unit: Unit::One,
                help: "B.",
                values: Values::Info(vec![("version", "1".into()), ("x", "y".into())]),
            },
            Family {
                name: "h_seconds".into(),
                unit: Unit::Seconds,
                help: "H.",
                values: Values::Histogram(Distribution {
                    bounds: vec![0.001, 1.0],
                    counts: vec![2, 0, 1],
                    sum: 7.5,
                }),
            },
        ]
    }

    #[test]
    fn prometheus_text() {
        let expected = "# HELP a_bytes_total A \"help\"\\nwith a \\\\.\n\
            # TYPE a_bytes_total counter\n\
            a_bytes_total{way=\"a\\\"b\\\\c\\nd\"} 3\n\
            a_bytes_total 9007199254740991\n\
            # HELP g G.\n# TYPE g gauge\ng 0.25\n\
            # HELP b_info B.\n# TYPE b_info gauge\nb_info{version=\"1\",x=\"y\"} 1\n\
            # HELP h_seconds H.\n# TYPE h_seconds histogram\n\
            h_seconds_bucket{le=\"0.001\"} 2\nh_seconds_bucket{le=\"1.0\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\n\
            h_seconds_sum 7.5\nh_seconds_count 3\n";
        assert_eq!(write(Format::Prometheus, &families()), expected);
    }

    #[test]
    fn openmetrics() {
        let expected = "# HELP a_bytes A \\\"help\\\"\\nwith a \\\\.\n\
            # TYPE a_bytes counter\n# UNIT a_bytes bytes\n\
            a_bytes_total{way=\"a\\\"b\\\\c\\nd\"} 3\n\
            a_bytes_total 9007199254740991\n\
            # HELP g G.\n# TYPE g gauge\ng 0.25\n\
            # HELP b B.\n# TYPE b info\nb_info{version=\"1\",x=\"y\"} 1\n\
            # HELP h_seconds H.\n# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n\
            h_seconds_bucket{le=\"0.001\"} 2\nh_seconds_bucket{le=\"1.0\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\n\
            h_seconds_sum 7.5\nh_seconds_count 3\n# EOF\n";
        assert_eq!(write(Format::OpenMetrics, &families()), expected);
    }
}
