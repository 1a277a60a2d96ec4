//! The only list of routes. Each group has its own layers: what fits a publisher would break a stream.

use super::{
    admin, alerts, assets, audit, auth, beacons, export, follow, load_tests, metrics, offload, openapi, ops,
    pages::{self, Pages},
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
    routing::{any, delete, get, post, put},
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
        _ => ["/healthz", "/healthz/alerting", "/readyz", "/metrics"].contains(&path),
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

/// One route, as tests compare it with the API's document and with what the server lets in.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub path: &'static str,
    /// In lower case; `any` for all.
    pub methods: &'static [&'static str],
    pub group: Group,
    pub who: Who,
}

/// Who is let in where access is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// With a key of the scope `publish`.
    Publishers,
    /// With a ticket for the session.
    Followers,
    /// With a key of the scope `admin`, or signed in.
    Admins,
    /// With a key of the scope `metrics`, or as an admin.
    Scrapers,
    Everybody,
}

/// Makes the list and the routers of its groups.
macro_rules! routes {
    ($(
        $(#[$about:meta])*
        $group:ident for $who:ident {
            $($path:literal => $first:ident $handler:expr $(, $next:ident $more:expr)*;)+
        }
    )+) => {
        /// Routes whose answers pass the same layers, which `router` puts around them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Group {
            $($(#[$about])* $group,)+
        }

        pub const ROUTES: &[Route] = &[
            $($(Route {
                path: $path,
                methods: &[stringify!($first) $(, stringify!($next))*],
                group: Group::$group,
                who: Who::$who,
            },)+)+
        ];

        fn routes(group: Group) -> Router<Arc<Node>> {
            match group {
                $(Group::$group => Router::new()$(.route($path, $first($handler)$(.$next($more))*))+,)+
            }
        }
    };
}

routes! {
    /// Handlers admit the request themselves, as the short way around the router does.
    Publish for Publishers {
        "/api/v1/sessions" => post publish::create;
        "/api/v1/sessions/{id}/status" => post publish::status; // and `reported`
        "/api/v1/sessions/{id}/complete" => post publish::complete;
        "/api/v1/sessions/{id}/tickets" => post publish::ticket;
        "/api/v1/status" => post publish::batch;
    }
    /// Any site's page may ask. Handlers admit the request, since a ticket names sessions.
    Follow for Followers {
        "/api/v1/streams" => get follow::streams;
        "/api/v1/beacons" => post beacons::beacon;
        "/api/v1/selftest/stream" => get beacons::selftest;
        "/api/v1/sessions/{id}/status/stream" => get follow::stream;
        "/api/v1/sessions/{id}/status" => get follow::poll;
    }
    /// Timed, and within what unsent answers may take.
    Admin for Admins {
        "/api/admin/sse-metrics/stream" => get admin::metrics_stream;
        "/api/admin/limits" => get admin::limits, patch admin::change_limits;
        "/api/admin/audit" => get audit::list;
        "/api/admin/load-tests" => get load_tests::list, post load_tests::add;
        "/api/admin/load-tests/{id}" => get load_tests::one;
        "/api/admin/metrics" => get export::metrics;
        "/api/admin/panels" => get export::panels;
        "/api/admin/charts/{file}" => get export::chart;
        "/api/admin/annotations" => get export::annotations, post export::annotate;
        "/api/admin/annotations/{id}" => delete export::remove_annotation;
        "/api/admin/alerts" => get alerts::rules::list, post alerts::rules::add;
        "/api/admin/alerts/backtest" => post alerts::rules::backtest;
        "/api/admin/alerts/{name}" => put alerts::rules::put, delete alerts::rules::remove;
        "/api/admin/alerts/{name}/end" => post alerts::rules::remove_by_form;
        "/api/admin/alerts/{name}/history" => get alerts::rules::history;
        "/api/admin/incidents" => get alerts::incidents::list;
        "/api/admin/incidents/{id}" => get alerts::incidents::one;
        "/api/admin/incidents/{id}/acknowledge" => post alerts::incidents::acknowledge;
        "/api/admin/incidents/{id}/note" => post alerts::incidents::note;
        "/api/admin/incidents/{id}/outcome" => post alerts::incidents::judge;
        "/api/admin/incidents/{id}/resolve" => post alerts::incidents::resolve;
        "/api/admin/incidents/{id}/publish" => post alerts::incidents::publish;
        "/api/admin/silences" => get alerts::quiet::silences, post alerts::quiet::silence;
        "/api/admin/silences/{id}" => delete alerts::quiet::end_silence;
        "/api/admin/silences/{id}/end" => post alerts::quiet::end_silence_by_form;
        "/api/admin/maintenance" => get alerts::quiet::maintenance, post alerts::quiet::add_maintenance;
        "/api/admin/maintenance/{id}" => delete alerts::quiet::end_maintenance;
        "/api/admin/maintenance/{id}/end" => post alerts::quiet::end_maintenance_by_form;
    }
    /// What the pages' own code asks, and changes with it: it is not in the API's document. Layers as for `Admin`.
    App for Admins {
        "/api/app/{function}" => any pages::function;
        "/panels" => get export::fragment;
    }
    /// On the workers: an answer of microseconds must not wait behind pages.
    Health for Everybody {
        "/healthz" => get ops::healthz;
        "/readyz" => get ops::readyz;
        "/healthz/alerting" => get alerts::health;
    }
    /// Made beforehand, and not counted among unsent answers.
    Metrics for Scrapers {
        "/metrics" => get metrics::metrics;
    }
    /// Out of the program.
    Files for Everybody {
        "/assets/{file}" => get assets::asset;
        "/favicon.svg" => get assets::favicon;
        "/world.svg" => get assets::world;
        "/api/openapi.json" => get openapi::document;
    }
    /// Out of the program, for pages of other origins too: modules are fetched with CORS.
    Sdk for Everybody {
        "/sdk/{file}" => get assets::sdk;
    }
    /// Forms of a few bytes.
    Forms for Everybody {
        "/login" => post auth::sign_in;
        "/logout" => post auth::sign_out;
    }
    /// What is not there.
    Unknown for Everybody {
        "/api" => any unknown;
        "/api/{*rest}" => any unknown;
    }
    /// A page for everybody. Unsent answers have a share of their own, apart from the admins'.
    Login for Everybody {
        "/login" => get pages::page;
    }
    /// A session's public page. Unsent answers as for `Login`.
    Session for Followers {
        "/s/{id}" => get pages::page;
    }
}

fn router(node: Arc<Node>, aside: &Handle) -> Router {
    let figures = Arc::new(Figures::new(node.clone()));
    let pages = Extension(Arc::new(Pages::new(node.clone(), figures.clone(), assets::assets())));
    let unsent = Unsent::default();
    // Inside the gates: a request that is not let in takes no room.
    let made = from_fn_with_state(unsent.clone(), unsent::made);
    let made_for_all = from_fn_with_state(unsent.beside(), unsent::made);
    let stored = from_fn_with_state(unsent.beside(), unsent::stored);

    let follow = routes(Group::Follow).layer(map_response(open_to_all));
    let admin = routes(Group::Admin)
        .merge(routes(Group::App))
        .layer(Extension(figures))
        .layer(pages.clone())
        .layer(from_fn(timing::timed))
        .layer(made.clone())
        .layer(from_fn_with_state(node.clone(), auth::admins));
    let scraped =
        routes(Group::Metrics).layer(stored.clone()).layer(from_fn_with_state(node.clone(), auth::scrapers));
    let files = routes(Group::Files).merge(routes(Group::Sdk).layer(map_response(open_to_all))).layer(stored);
    let forms = routes(Group::Forms).merge(routes(Group::Unknown)).layer(DefaultBodyLimit::max(MAX_FORM));
    let login = routes(Group::Login).layer(pages.clone()).layer(made_for_all.clone());
    let session = routes(Group::Session)
        .layer(pages.clone())
        .layer(made_for_all)
        .layer(from_fn_with_state(node.clone(), auth::ticketed));
    // The app's own table has the pages; all but those above are for admins.
    let page = get(pages::page)
        .layer(pages)
        .layer(from_fn(timing::timed))
        .layer(made)
        .layer(from_fn_with_state(node.clone(), auth::signed_in))
        .with_state(node.clone());

    let unhurried = admin
        .merge(scraped)
        .merge(files)
        .merge(forms)
        .merge(login)
        .merge(session)
        .fallback_service(page)
        .layer(from_fn_with_state(aside.clone(), offload::aside));
    let all = routes(Group::Publish)
        .merge(follow)
        .merge(routes(Group::Health))
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn only_publishing_and_what_watches_the_process_are_served_while_connections_are_scarce() {
        for (route, method) in
            ROUTES.iter().flat_map(|route| route.methods.iter().map(move |one| (route, *one)))
        {
            let method = if method == "any" { "GET".to_owned() } else { method.to_uppercase() };
            let request = Request::builder().method(method.as_str()).uri(route.path.replace(['{', '}'], ""));
            let request = request.body(Body::empty()).expect("a request");
            let at = format!("{method} {}", route.path);
            let reports = method == "POST" && matches!(route.group, Group::Publish | Group::Follow);
            let watches = matches!(route.group, Group::Health | Group::Metrics);
            assert_eq!(serves_while_scarce(&request), reports || watches, "{at}");
            let streams = route.path.ends_with("/stream") || route.path == "/api/v1/streams";
            assert_eq!(takes_a_turn(&request), !(reports || streams), "{at}");
        }
    }

    #[test]
    fn what_other_sites_may_send_is_a_followers_route() {
        for path in FROM_ANY_SITE {
            let route = ROUTES.iter().find(|route| route.path == path);
            assert_eq!(route.map(|route| route.group), Some(Group::Follow), "{path}");
        }
    }
}
