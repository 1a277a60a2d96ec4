//! Spans and metrics as OTLP's messages.

use super::{Attribute, Kind, Span};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as Sent, Status, span::SpanKind, status::StatusCode},
};
use streamgauge_core::metric::export::{Family, Label, Point, Unit, Values};

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// Who says it.
pub fn resource(node: &str) -> Resource {
    let attributes = vec![
        text("service.name", "streamgauge"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", node),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> Option<InstrumentationScope> {
    let (name, version) = ("streamgauge".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Some(InstrumentationScope { name, version, ..InstrumentationScope::default() })
}

/// Of Unix µs.
fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

pub fn traces(resource: Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let spans = spans.into_iter().map(sent).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    let resource = Some(resource);
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

fn sent(span: Span) -> Sent {
    let kind = match span.kind {
        Kind::Server => SpanKind::Server,
        Kind::Internal => SpanKind::Internal,
        Kind::Client => SpanKind::Client,
    };
    let attributes = span.attributes.iter().map(|(key, value)| match value {
        Attribute::Text(value) => text(key, value),
        Attribute::Number(value) => number(key, *value),
    });
    let status = span.failed.then(|| Status { code: StatusCode::Error.into(), message: String::new() });
    Sent {
        trace_id: span.trace.into(),
        span_id: span.id.into(),
        parent_span_id: span.parent.map_or_else(Vec::new, Vec::from),
        // The trace is sampled; whether the parent stood at the other side is known, and said.
        flags: 1 | 0x100 | if span.remote { 0x200 } else { 0 },
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: attributes.collect(),
        status,
        ..Sent::default()
    }
}

/// `started` and `now`: Unix µs. Counters count from `started`.
pub fn metrics(
    resource: Resource,
    families: &[Family],
    started: i64,
    now: i64,
) -> ExportMetricsServiceRequest {
    let span = (nanos(started), nanos(now));
    let metrics = families.iter().map(|family| metric(family, span)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    let resource = Some(resource);
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn metric(family: &Family, span: (u64, u64)) -> Metric {
    let temporality = AggregationTemporality::Cumulative.into();
    let of = |points: &[Point]| points.iter().map(|p| point(p.label.as_slice(), p.value, span)).collect();
    let data = match &family.values {
        Values::Counter(points) => Data::Sum(Sum {
            data_points: of(points),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Values::Gauge(points) => Data::Gauge(Gauge { data_points: of(points) }),
        Values::Info(labels) => Data::Gauge(Gauge { data_points: vec![point(labels, 1.0, span)] }),
        Values::Histogram(distribution) => {
            let point = HistogramDataPoint {
                start_time_unix_nano: span.0,
                time_unix_nano: span.1,
                count: distribution.counts.iter().sum(),
                sum: Some(distribution.sum),
                bucket_counts: distribution.counts.clone(),
                explicit_bounds: distribution.bounds.clone(),
                ..HistogramDataPoint::default()
            };
            Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: temporality })
        }
    };
    let unit = match family.unit {
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::One => "1",
    };
    Metric {
        name: family.name.to_string(),
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn point(labels: &[Label], value: f64, (start, now): (u64, u64)) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels.iter().map(|(key, value)| text(key, value)).collect(),
        start_time_unix_nano: start,
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}
