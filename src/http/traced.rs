//! A span for each request of the API and for each page: its route, its answer, its time. Never its address, which may
//! hold a ticket.

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
use streamgauge_core::{access::Actor, trace::TraceParent};

pub async fn traced(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let Some(route) = route(&request) else { return next.run(request).await };
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
    let actor = response.extensions().get::<Actor>().map(Actor::to_string);
    // Neither must a publisher who was not let in. Nothing was done for it, so there are no steps to take back.
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    let trace = if refused { node.telemetry.begin(start, None) } else { Some(trace) };
    if let Some(trace) = trace {
        let mut attributes = vec![
            ("http.request.method", Attribute::Text(method.to_string().into())),
            ("http.route", Attribute::Text(route.clone().into())),
            ("http.response.status_code", Attribute::Number(status.as_u16().into())),
        ];
        // Of changes by admins.
        attributes.extend(actor.map(|actor| ("streamgauge.actor", Attribute::Text(actor.into()))));
        let name = format!("{method} {route}");
        trace.finish(name.into(), Kind::Server, status.is_server_error(), attributes);
    }
    response
}

/// `None`: not of interest, such as files and health checks.
fn route(request: &Request) -> Option<String> {
    let Some(matched) = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) else {
        return page(request.uri().path()).map(str::to_owned);
    };
    let is_of_interest = matched.starts_with("/api/") && !matched.contains('*') || matched == "/s/{id}";
    is_of_interest.then(|| matched.to_owned())
}

/// The pages are the app's, whose own router decides among them; the names of what is none are anybody's.
fn page(path: &str) -> Option<&'static str> {
    let mut parts = path.trim_end_matches('/').split('/').skip(1);
    Some(match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => "/",
        (Some("search"), None, None) => "/search",
        (Some("sessions"), None, None) => "/sessions",
        (Some("sessions"), Some(_), None) => "/sessions/{id}",
        (Some("load-tests"), None, None) => "/load-tests",
        (Some("load-tests"), Some(_), None) => "/load-tests/{id}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_have_routes_and_what_is_none_has_not() {
        for (path, expected) in [
            ("/", Some("/")),
            ("/search", Some("/search")),
            ("/sessions/", Some("/sessions")),
            ("/sessions/a", Some("/sessions/{id}")),
            ("/sessions/a/b", None),
            ("/load-tests/7", Some("/load-tests/{id}")),
            ("/wp-admin", None),
        ] {
            assert_eq!(page(path), expected, "{path}");
        }
    }
}
