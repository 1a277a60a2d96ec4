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
    let parent =
        request.headers().get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
    let response = next.run(request).await;
    let status = response.status();
    // Who follows is anybody, and must not decide what is kept.
    let publishes =
        method == Method::POST && (route.starts_with("/api/v1/sessions") || route == "/api/v1/status");
    let let_in = ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    let parent = parent.filter(|_| publishes && let_in);
    let name = format!("{method} {route}");
    let attributes = vec![
        ("http.request.method", Attribute::Text(method.to_string().into())),
        ("http.route", Attribute::Text(route.into())),
        ("http.response.status_code", Attribute::Number(status.as_u16().into())),
    ];
    node.telemetry.finished((name.into(), Kind::Server), start, parent, status.is_server_error(), attributes);
    response
}
