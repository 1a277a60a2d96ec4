//! A span for each request of the API: its route, its answer, its time. Never its address, which may hold a ticket.

use crate::{
    clock,
    node::Node,
    telemetry::{Attribute, Kind},
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, StatusCode};
use std::sync::Arc;
use streamgauge_core::trace::TraceParent;

pub async fn traced(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // Pages, their files and whoever asks whether the process is alive are not of interest.
    let Some(route) = route.filter(|route| route.starts_with("/api/") && !route.contains('*')) else {
        return next.run(request).await;
    };
    let (method, start) = (request.method().clone(), clock::now_us());
    // Who follows is anybody, and must not decide what is kept.
    let publishes =
        method == Method::POST && (route.starts_with("/api/v1/sessions") || route == "/api/v1/status");
    let parent =
        request.headers().get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
    let Some(trace) = node.telemetry.begin(start, parent.filter(|_| publishes)) else {
        return next.run(request).await;
    };
    let response = trace.clone().scope(next.run(request)).await;
    let status = response.status();
    // Neither must a publisher who was not let in. Nothing was done for it, so there are no steps to take back.
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    let trace = if refused { node.telemetry.begin(start, None) } else { Some(trace) };
    if let Some(trace) = trace {
        let attributes = vec![
            ("http.request.method", Attribute::Text(method.to_string().into())),
            ("http.route", Attribute::Text(route.clone().into())),
            ("http.response.status_code", Attribute::Number(status.as_u16().into())),
        ];
        let name = format!("{method} {route}");
        trace.finish(name.into(), Kind::Server, status.is_server_error(), attributes);
    }
    response
}
