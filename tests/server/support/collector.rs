use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::Span,
};
use prost::Message;
use std::sync::{Arc, Mutex};

/// A collector that remembers what it was sent.
pub struct Collector {
    pub port: u16,
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    /// Of the latest request.
    metrics: Vec<Metric>,
    /// Everything as it came.
    raw: Vec<u8>,
}

type Shared = Arc<Mutex<Got>>;

impl Collector {
    pub async fn start() -> Collector {
        let got = Shared::default();
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(got.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Collector { port, got }
    }

    pub fn spans(&self) -> Vec<Span> {
        self.got.lock().expect("what came").spans.clone()
    }

    pub fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    pub fn metric(&self, name: &str) -> Option<Metric> {
        self.got.lock().expect("what came").metrics.iter().find(|metric| metric.name == name).cloned()
    }

    /// A counter or gauge without labels.
    pub fn value(&self, name: &str) -> Option<f64> {
        let points = match self.metric(name)?.data? {
            Data::Sum(sum) => sum.data_points,
            Data::Gauge(gauge) => gauge.data_points,
            other => panic!("{other:?}"),
        };
        match points.first()?.value? {
            number_data_point::Value::AsDouble(value) => Some(value),
            other @ number_data_point::Value::AsInt(_) => panic!("{other:?}"),
        }
    }

    /// Whether these bytes stood anywhere in what came.
    pub fn heard(&self, words: &str) -> bool {
        let got = self.got.lock().expect("what came");
        got.raw.windows(words.len()).any(|window| window == words.as_bytes())
    }
}

/// An attribute as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

async fn traces(State(got): State<Shared>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(&body[..]).expect("OTLP");
    let mut got = got.lock().expect("what came");
    for resource in request.resource_spans {
        let attributes = resource.resource.expect("a resource").attributes;
        assert_eq!(attribute(&attributes, "service.name").as_deref(), Some("streamgauge"));
        got.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    got.raw.extend_from_slice(&body);
}

async fn metrics(State(got): State<Shared>, body: Bytes) {
    let request = ExportMetricsServiceRequest::decode(&body[..]).expect("OTLP");
    let mut got = got.lock().expect("what came");
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    got.metrics = scopes.flat_map(|scope| scope.metrics).collect();
    got.raw.extend_from_slice(&body);
}
