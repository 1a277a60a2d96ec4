//! The only list of routes. Each group has its own layers: what fits a publisher would break a stream.

use super::{
    admin, aside, assets, beacons, follow, gate, history, load_tests, metrics, openapi, ops,
    pages::Pages,
    problem::Problem,
    publish, timing, traced,
    unsent::{self, Unsent},
};
use crate::{backend::Figures, node::Node, stream::Caller};
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{any, delete, get, post},
};
use futures::{
    FutureExt,
    future::{Either, ready},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;
use streamgauge_core::session::ids::SessionId;
use tokio::runtime::Handle;
use tower::Service;

/// What pages of other sites may send, since they follow: reports of what they saw. Everything else that changes
/// something is for the server's own pages and for publishers.
pub const FROM_ANY_SITE: [&str; 1] = ["/api/v1/beacons"];

/// A form with one key.
const MAX_FORM: usize = 8 * 1024;

/// Answers whatever is asked.
pub struct Routes {
    router: Router,
    /// For what needs no router. `None`: each request is traced, and that is a layer of it.
    node: Option<Arc<Node>>,
}

impl Routes {
    /// `aside`: the runtime that does what may take its time.
    pub fn new(node: Arc<Node>, aside: &Handle) -> Routes {
        let router = router(node.clone(), aside);
        Routes { router, node: (!node.telemetry.is_on()).then_some(node) }
    }

    pub fn answer(&self, mut request: Request, caller: Arc<Caller>) -> impl Future<Output = Response> {
        if let Some(node) = &self.node
            && let Some(session) = reported(&request)
        {
            let published = publish::status_of(node.clone(), session, request, Some(&caller));
            return Either::Left(published.map(IntoResponse::into_response));
        }
        if caller.connection.is_scarce() && !serves_while_scarce(&request) {
            return Either::Right(Either::Left(ready(scarce())));
        }
        let takes_a_turn = takes_a_turn(&request);
        let router = self.router.clone();
        Either::Right(Either::Right(async move {
            let turn = if takes_a_turn { caller.turn().await } else { None };
            request.extensions_mut().insert(caller);
            let Ok(mut response) = { router }.call(request).await;
            if let Some(turn) = turn {
                response.extensions_mut().insert(turn);
            }
            response
        }))
    }
}

/// Neither a stream nor publishing. What has no route takes a turn too.
fn takes_a_turn(request: &Request) -> bool {
    let path = request.uri().path();
    match *request.method() {
        Method::GET => !path.ends_with("/stream") && path != "/api/v1/streams",
        Method::POST => !path.starts_with("/api/v1/"),
        _ => true,
    }
}

/// Publishing, and what watches the process: a few places are kept for them.
fn serves_while_scarce(request: &Request) -> bool {
    let path = request.uri().path();
    match *request.method() {
        Method::POST => path.starts_with("/api/v1/"),
        _ => ["/healthz", "/readyz", "/metrics"].contains(&path),
    }
}

fn scarce() -> Response {
    let detail = "Nearly all connections that this node may have are taken. Try again in a moment.";
    let mut response = Problem::away(detail).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The session of which the request reports an event, if that is plain to see. Nearly all that is asked of a busy server
/// is this one route, and the router would make for each request maps and boxes that this one has no use for. What is not
/// plain, such as an escaped name, the router decides. Both ways end in `publish::status_of`, which admits the request.
fn reported(request: &Request) -> Option<SessionId> {
    if request.method() != Method::POST {
        return None;
    }
    request.uri().path().strip_prefix("/api/v1/sessions/")?.strip_suffix("/status")?.parse().ok()
}

fn router(node: Arc<Node>, aside: &Handle) -> Router {
    let figures = Arc::new(Figures::new(node.clone()));
    let unsent = Unsent::default();
    // Inside the gates: a request that is not let in takes no room.
    let made = from_fn_with_state(unsent.clone(), unsent::made);
    let made_for_all = from_fn_with_state(unsent.beside(), unsent::made);
    let stored = from_fn_with_state(unsent.beside(), unsent::stored);
    let publish = Router::new()
        .route("/api/v1/sessions", post(publish::create))
        .route("/api/v1/sessions/{id}/status", post(publish::status)) // and `reported`
        .route("/api/v1/sessions/{id}/complete", post(publish::complete))
        .route("/api/v1/sessions/{id}/tickets", post(publish::ticket))
        .route("/api/v1/status", post(publish::batch));

    let follow = Router::new()
        .route("/api/v1/streams", get(follow::streams))
        .route("/api/v1/beacons", post(beacons::beacon))
        .route("/api/v1/selftest/stream", get(beacons::selftest))
        .route("/api/v1/sessions/{id}/status/stream", get(follow::stream))
        .route("/api/v1/sessions/{id}/status", get(follow::poll))
        .layer(map_response(open_to_all));

    let admin = Router::new()
        .route("/api/admin/sse-metrics/stream", get(admin::metrics_stream))
        .route("/api/admin/limits", get(admin::limits).patch(admin::change_limits))
        .route("/api/admin/load-tests", get(load_tests::list).post(load_tests::add))
        .route("/api/admin/load-tests/{id}", get(load_tests::one))
        .route("/api/admin/metrics", get(history::metrics))
        .route("/api/admin/panels", get(history::panels))
        .route("/api/admin/charts/{file}", get(history::chart))
        .route("/api/admin/annotations", get(history::annotations).post(history::annotate))
        .route("/api/admin/annotations/{id}", delete(history::remove_annotation))
        .route("/panels", get(history::fragment))
        .layer(Extension(figures.clone()))
        .layer(from_fn(timing::timed))
        .layer(made.clone())
        .layer(from_fn_with_state(node.clone(), gate::admins));
    let ops = Router::new().route("/healthz", get(ops::healthz)).route("/readyz", get(ops::readyz));
    let scraped = Router::new()
        .route("/metrics", get(metrics::metrics))
        .layer(stored.clone())
        .layer(from_fn_with_state(node.clone(), gate::scrapers));

    let pages = Pages::new(node.clone(), figures, assets::assets());
    let (functions, session, login, page) = (pages.clone(), pages.clone(), pages.clone(), pages);
    let files = Router::new()
        .route("/assets/{file}", get(assets::asset))
        .route("/favicon.svg", get(assets::favicon))
        .route("/world.svg", get(assets::world))
        // A page of another origin may import it: modules are fetched with CORS.
        .route("/sdk/{file}", get(assets::sdk).layer(map_response(open_to_all)))
        .route("/api/openapi.json", get(openapi::document))
        .layer(stored);
    let people = Router::new()
        .route("/api", any(unknown))
        .route("/api/{*rest}", any(unknown))
        .route(
            "/login",
            get(move |request: Request| login.page(request)).layer(made_for_all.clone()).post(gate::sign_in),
        )
        .route("/logout", post(gate::sign_out))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .route(
            "/s/{id}",
            get(move |request: Request| session.page(request))
                .layer(made_for_all)
                .layer(from_fn_with_state(node.clone(), gate::ticketed)),
        )
        .merge(
            Router::new()
                .route("/api/app/{function}", any(move |request: Request| functions.function(request)))
                .layer(from_fn(timing::timed))
                .layer(made.clone())
                .layer(from_fn_with_state(node.clone(), gate::admins)),
        )
        .fallback_service(
            get(move |request: Request| page.page(request))
                .layer(from_fn(timing::timed))
                .layer(made)
                .layer(from_fn_with_state(node.clone(), gate::signed_in))
                .with_state(node.clone()),
        );

    // Health is asked for on the lanes: an answer of microseconds must not wait behind pages.
    let unhurried = admin
        .merge(scraped)
        .merge(files)
        .merge(people)
        .layer(from_fn_with_state(aside.clone(), aside::aside));
    let all = Router::new()
        .merge(publish)
        .merge(follow)
        .merge(ops)
        .merge(unhurried)
        .method_not_allowed_fallback(wrong_method);
    // Without tracing, requests pay nothing for it.
    let all = if node.telemetry.is_on() {
        all.layer(from_fn_with_state(node.clone(), traced::traced))
    } else {
        all
    };
    all.with_state(node)
}

/// Anybody's page may follow: without a wildcard EventSource could not read across origins, and with one browsers send
/// no cookie along. A cookie with a ticket works from the server's own origin.
async fn open_to_all(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after"));
    // Lets the SDK see on another origin's page whether HTTP/2 is in use, where streams need no connection each.
    headers.insert(HeaderName::from_static("timing-allow-origin"), HeaderValue::from_static("*"));
    response
}

async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no such resource.")
}

/// axum has set `Allow` by then.
async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This resource does not take that method.")
}
