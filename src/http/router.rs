//! The only list of routes. Each group has its own layers: what fits a publisher would break a stream.

use super::{
    admin, assets, beacons, figures::Figures, follow, gate, history, load_tests, metrics, openapi, ops,
    pages::Pages, problem::Problem, publish, timing, traced,
};
use crate::node::Node;
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, delete, get, post},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::{sync::Arc, time::Duration};
use streamgauge_core::load_test;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

/// A status event of 8 kB of data fits many times.
const MAX_BODY: usize = 64 * 1024;
/// A thousand lines of a status event each.
const MAX_BATCH: usize = 1024 * 1024;
/// Sixteen sessions of the longest names, and a ticket for them.
const MAX_ADDRESS: usize = 8 * 1024;
/// Address and headers: those of a browser with many cookies.
const MAX_HEAD: usize = 16 * 1024;
/// A publisher that dribbles its body is cut off.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

pub fn router(node: Arc<Node>) -> Router {
    let figures = Arc::new(Figures::new(node.clone()));
    let publish = Router::new()
        .route("/api/v1/sessions", post(publish::create))
        .route("/api/v1/sessions/{id}/complete", post(publish::complete))
        .route("/api/v1/sessions/{id}/tickets", post(publish::ticket))
        .route("/api/v1/status", post(publish::batch).layer(DefaultBodyLimit::max(MAX_BATCH)))
        .layer(from_fn(in_time));

    // Anybody's page may follow: without a wildcard EventSource could not read across origins, and with one browsers
    // send no cookie along. A cookie with a ticket works from the server's own origin.
    let follow = Router::new()
        .route("/api/v1/streams", get(follow::streams))
        .route("/api/v1/beacons", post(beacons::beacon).layer(from_fn(in_time)))
        .route("/api/v1/selftest/stream", get(beacons::selftest))
        .route("/api/v1/sessions/{id}/status/stream", get(follow::stream))
        .route(
            "/api/v1/sessions/{id}/status",
            get(follow::poll).merge(post(publish::status).layer(from_fn(in_time))),
        )
        .layer(header_layer(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .layer(header_layer(header::ACCESS_CONTROL_EXPOSE_HEADERS, "etag, retry-after"))
        // Lets the SDK see on another origin's page whether HTTP/2 is in use, where streams need no connection each.
        .layer(header_layer(HeaderName::from_static("timing-allow-origin"), "*"));

    let admin = Router::new()
        .route("/api/admin/sse-metrics/stream", get(admin::metrics_stream))
        .route("/api/admin/limits", get(admin::limits).patch(admin::change_limits))
        .route(
            "/api/admin/load-tests",
            get(load_tests::list).merge(
                post(load_tests::add)
                    .layer(DefaultBodyLimit::max(load_test::LONGEST))
                    .layer(from_fn(in_time)),
            ),
        )
        .route("/api/admin/load-tests/{id}", get(load_tests::one))
        .route("/api/admin/metrics", get(history::metrics))
        .route("/api/admin/panels", get(history::panels))
        .route("/api/admin/charts/{file}", get(history::chart))
        .route("/api/admin/annotations", get(history::annotations).post(history::annotate))
        .route("/api/admin/annotations/{id}", delete(history::remove_annotation))
        .route("/panels", get(history::fragment))
        .layer(Extension(figures.clone()))
        .layer(from_fn(timing::timed))
        .layer(from_fn_with_state(node.clone(), gate::admins));
    let ops = Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/api/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics::metrics).layer(from_fn_with_state(node.clone(), gate::scrapers)));

    let pages = Pages::new(node.clone(), figures, assets::assets());
    let (functions, session, login, page) = (pages.clone(), pages.clone(), pages.clone(), pages);
    let people = Router::new()
        .route("/assets/{file}", get(assets::asset))
        .route("/favicon.svg", get(assets::favicon))
        .route("/world.svg", get(assets::world))
        // A page of another origin may import it: modules are fetched with CORS.
        .route("/sdk/{file}", get(assets::sdk).layer(header_layer(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")))
        .route("/api", any(unknown))
        .route("/api/{*rest}", any(unknown))
        .route("/login", get(move |request: Request| login.page(request)).post(gate::sign_in))
        .route(
            "/s/{id}",
            get(move |request: Request| session.page(request))
                .layer(from_fn_with_state(node.clone(), gate::ticketed)),
        )
        .merge(
            Router::new()
                .route("/api/app/{function}", any(move |request: Request| functions.function(request)))
                .layer(from_fn(timing::timed))
                .layer(from_fn_with_state(node.clone(), gate::admins)),
        )
        .fallback_service(
            get(move |request: Request| page.page(request))
                .layer(from_fn(timing::timed))
                .layer(from_fn_with_state(node.clone(), gate::signed_in))
                .with_state(node.clone()),
        );

    let all = Router::new()
        .merge(publish)
        .merge(follow)
        .merge(admin)
        .merge(ops)
        .merge(people)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::REFERRER_POLICY, "same-origin"))
        .layer(from_fn(in_bounds))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The server made a mistake.").into_response()
        }));
    // Whoever does not want traces pays nothing for them.
    let all = if node.telemetry.is_on() {
        all.layer(from_fn_with_state(node.clone(), traced::traced))
    } else {
        all
    };
    all.with_state(node)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Refused here, an address or a head that is too long gets an answer in our shape. What does not even fit the
/// connection's buffer, or cannot be parsed, never comes this far.
async fn in_bounds(request: Request, next: Next) -> Response {
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if address > MAX_ADDRESS {
        Problem::new(StatusCode::URI_TOO_LONG, "The address is longer than 8 kB.").into_response()
    } else if address + fields.sum::<usize>() > MAX_HEAD {
        let detail = "The request's head is longer than 16 kB.";
        Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).into_response()
    } else {
        next.run(request).await
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(PUBLISH_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "The request took longer than 10 s to arrive.")
            .into_response()
    })
}

async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no such resource.")
}

/// axum has set `Allow` by then.
async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This resource does not take that method.")
}
