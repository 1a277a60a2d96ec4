//! Letting requests in: what they bring, checked before anything else is done for them.

use super::{
    extract::{Asked, Named},
    problem::Problem,
};
use crate::{
    access::{Admitted, Brought, Denied, digest, same},
    node::Node,
    stream::Caller,
};
use axum::{
    Form,
    extract::{FromRequest, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Deserialize;
use std::{net::IpAddr, sync::Arc, time::Duration};
use streamgauge_core::{
    access::{Actor, BadTicket, Scope, way_back},
    session::ids::SessionId,
};

const ADMIN_COOKIE: &str = "sg_admin";
const TICKET_COOKIE: &str = "sg_ticket";
/// An admin signs in again after this, seconds.
const SIGNED_IN: i64 = 43_200;
/// Longer values are no token of ours, and are not looked at.
const LONGEST: usize = 4_096;

/// The node's own probe.
pub fn is_probe(node: &Node, headers: &HeaderMap) -> bool {
    headers
        .get(&crate::node::PROBE_HEADER)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|secret| same(&digest(secret), &digest(&node.probe_secret)))
}

pub(super) fn reserved() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "Ids that begin with ~probe. are the server's own.")
}

/// Lets a follower of the session in; `ticket` as the query has it. `None`: access is open.
pub fn follower(
    node: &Node,
    parts: &Parts,
    session: &SessionId,
    ticket: Option<&str>,
) -> Result<Option<Admitted>, Problem> {
    if session.is_probe() {
        return if is_probe(node, &parts.headers) { Ok(None) } else { Err(reserved()) };
    }
    Ok(node.access.follow(session, brought(parts, ticket))?)
}

/// Lets a follower of any session in; `ticket` as the query has it.
pub fn any_follower(node: &Node, parts: &Parts, ticket: Option<&str>) -> Result<(), Problem> {
    node.access.follow_any(brought(parts, ticket))?;
    Ok(())
}

fn brought<'a>(parts: &'a Parts, ticket: Option<&'a str>) -> Brought<'a> {
    let token = ticket.or_else(|| bearer(&parts.headers)).or_else(|| cookie(&parts.headers, TICKET_COOKIE));
    Brought { token: token.filter(|token| token.len() <= LONGEST), cookie: None, address: address(parts) }
}

fn identify(scope: Scope, node: &Node, request: &Request) -> Result<Actor, Denied> {
    let (headers, address) = (request.headers(), peer(request));
    let brought = Brought { token: bearer(headers), cookie: admin_cookie(headers), address };
    Ok(at_client(node, headers, node.access.identify(scope, brought)?))
}

/// Guessing is counted by the connection's other end; who acts is named by the client behind a trusted proxy.
fn at_client(node: &Node, headers: &HeaderMap, actor: Actor) -> Actor {
    let address = actor.address.map(|peer| node.geo.client(headers, peer));
    Actor { address, ..actor }
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Arc<Caller>>().map(|caller| caller.peer.ip())
}

/// Whether an admin's stream may go on: a key can be revoked, a cookie runs out, and with the first key access is closed.
pub fn goes_on(node: &Arc<Node>, headers: &HeaderMap) -> impl Fn() -> bool + Send + use<> {
    let (token, cookie) = (bearer(headers).map(str::to_owned), admin_cookie(headers).map(str::to_owned));
    let node = node.clone();
    move || {
        let brought = Brought { token: token.as_deref(), cookie: cookie.as_deref(), address: None };
        node.access.identify(Scope::Admin, brought).is_ok()
    }
}

/// For the admin API: a problem document says what is missing. The request gets its [`Actor`]; so does the answer to a
/// change, for its trace.
pub async fn admins(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    let actor = match identify(Scope::Admin, &node, &request) {
        Ok(actor) => actor,
        Err(denied) => return Problem::from(denied).into_response(),
    };
    let change = changes(&request);
    request.extensions_mut().insert(actor.clone());
    let mut response = next.run(request).await;
    if let Some((method, route)) = change {
        let status = response.status().as_u16();
        tracing::info!(%actor, address = ?actor.address, %method, route, status, "an admin's change was answered");
        response.extensions_mut().insert(actor);
    }
    response
}

/// Method and route of what may change something. The functions behind the pages only read, however they are called.
fn changes(request: &Request) -> Option<(Method, String)> {
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let changes = !request.method().is_safe() && route.starts_with("/api/admin/");
    changes.then(|| (request.method().clone(), route.to_owned()))
}

/// For scrapers: a key that opens nothing else is enough.
pub async fn scrapers(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    match identify(Scope::Metrics, &node, &request) {
        Ok(_) => next.run(request).await,
        Err(denied) => Problem::from(denied).into_response(),
    }
}

/// For pages: visitors who are not signed in are redirected to the login page.
pub async fn signed_in(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    match identify(Scope::Admin, &node, &request) {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        // Throttled too: a person whose address is shared with somebody who guesses can still sign in.
        Err(Denied::Missing | Denied::Wrong | Denied::SignedOut | Denied::Throttled) => {
            let asked = request.uri().path_and_query().map(|path| path.as_str());
            to_login(false, way_back(asked)).into_response()
        }
        Err(denied) => Problem::from(denied).into_response(),
    }
}

/// For a session's public page, which shows what a stream would: it needs the same ticket.
pub async fn ticketed(
    State(node): State<Arc<Node>>,
    named: Result<Named, Problem>,
    Asked(asked): Asked<Ticketed>,
    request: Request,
    next: Next,
) -> Response {
    // What is no id is no session, and the page says so.
    let Ok(Named(id)) = named else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    match follower(&node, &parts, &id, asked.ticket.as_deref()) {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
pub struct Ticketed {
    ticket: Option<String>,
}

#[derive(Deserialize)]
pub struct SignIn {
    key: String,
    /// The page that was asked for.
    next: Option<String>,
}

/// `back`: of this server's own.
fn to_login(failed: bool, back: &str) -> Redirect {
    let mut said: Vec<String> = failed.then(|| "failed".to_owned()).into_iter().collect();
    if back != "/" {
        // An address holds nothing else that would end a value or mean another character in it.
        let back = back.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23");
        said.push(format!("next={back}"));
    }
    match said.is_empty() {
        true => Redirect::to("/login"),
        false => Redirect::to(&format!("/login?{}", said.join("&"))),
    }
}

/// A key with the scope `admin`, for a cookie that no script reads and no other site's form sends along.
pub async fn sign_in(State(node): State<Arc<Node>>, request: Request) -> Response {
    let (peer, secure, headers) = (peer(&request), is_https(&node, &request), request.headers().clone());
    let Ok(Form(SignIn { key, next })) = Form::<SignIn>::from_request(request, &()).await else {
        return to_login(true, "/").into_response();
    };
    let back = way_back(next.as_deref());
    let brought = Brought { token: Some(key.trim()), cookie: None, address: peer };
    match node.access.identify(Scope::Admin, brought) {
        Ok(actor) => {
            let actor = at_client(&node, &headers, actor);
            tracing::info!(%actor, address = ?actor.address, "signed in");
        }
        Err(Denied::Wrong | Denied::Forbidden | Denied::Missing | Denied::SignedOut | Denied::Ticket(_)) => {
            return to_login(true, back).into_response();
        }
        Err(denied) => return Problem::from(denied).into_response(),
    }
    let mut response = Redirect::to(back).into_response();
    if let Some(token) = node.access.admin_cookie(key.trim(), SIGNED_IN) {
        set_admin_cookie(&mut response, &token, SIGNED_IN, secure);
    }
    response
}

/// How long an admin who signs out waits for PostgreSQL at most.
const STORED_WITHIN: Duration = Duration::from_secs(2);

/// Ends the sign-in: a copy of its cookie opens nothing any more, here at once and on other nodes within 5 s. Not by a
/// GET, which a foreign page could make a browser send.
pub async fn sign_out(State(node): State<Arc<Node>>, request: Request) -> Response {
    let mut response = Redirect::to("/login").into_response();
    set_admin_cookie(&mut response, "", 0, is_https(&node, &request));
    let address = peer(&request).map(|peer| node.geo.client(request.headers(), peer));
    let ended = admin_cookie(request.headers()).and_then(|cookie| node.access.sign_out(cookie, address));
    if let Some(actor) = ended {
        tracing::info!(%actor, address = ?actor.address, "signed out");
        // Where this fails, the next reading of the keys tries again.
        let stored = node.access.store_sign_outs(&node.store);
        match tokio::time::timeout(STORED_WITHIN, stored).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a sign-out is not stored yet: it counts on this node"),
            Err(_) => tracing::warn!("a sign-out is not stored yet: it counts on this node"),
        }
    }
    response
}

/// `lives`: seconds; 0 takes it away.
fn set_admin_cookie(response: &mut Response, token: &str, lives: i64, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    // Lax: a visitor who follows a link in a mail or a chat stays signed in. Nothing is changed by a GET.
    let cookie = format!("{ADMIN_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lives}{secure}");
    // A token is Base64 and dots.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the request brings a key or a ticket in its head, good or not.
pub fn has_bearer(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// One that was taken away is empty, and is none.
fn admin_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, ADMIN_COOKIE).filter(|cookie| !cookie.is_empty() && cookie.len() <= LONGEST)
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Arc<Caller>>().map(|caller| caller.peer.ip())
}

/// Whether the browser reached the server by TLS: as it says itself in `Origin`, or as a trusted proxy says. Any other client
/// could write that header.
fn is_https(node: &Node, request: &Request) -> bool {
    let headers = request.headers();
    let by_origin =
        headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let by_proxy = headers.get("x-forwarded-proto").is_some_and(|value| value == "https");
    by_origin || by_proxy && peer(request).is_some_and(|peer| node.geo.trusts(peer))
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        match denied {
            Denied::Missing => Problem::new(
                StatusCode::UNAUTHORIZED,
                "Access is closed: send an API key, or as a follower a ticket.",
            ),
            Denied::Wrong => Problem::new(StatusCode::UNAUTHORIZED, "Unknown or revoked API key."),
            Denied::SignedOut => {
                Problem::new(StatusCode::UNAUTHORIZED, "This sign-in is over: sign in again at /login.")
            }
            Denied::Forbidden => Problem::new(StatusCode::FORBIDDEN, "That key is good, but not for this."),
            Denied::Ticket(BadTicket::Elsewhere) => {
                Problem::new(StatusCode::FORBIDDEN, "The ticket is for another session.")
            }
            Denied::Ticket(BadTicket::Expired) => {
                Problem::new(StatusCode::UNAUTHORIZED, "The ticket has expired: ask for a new one.")
            }
            Denied::Ticket(BadTicket::Forged) => {
                Problem::new(StatusCode::UNAUTHORIZED, "The ticket is not valid.")
            }
            Denied::Throttled => {
                Problem::too_many("Too many wrong keys or tickets came from this address. Wait.")
            }
            Denied::Unknown => Problem::away("The keys cannot be read: PostgreSQL has not been reached yet."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_they_stand() {
        let mut headers = HeaderMap::new();
        assert_eq!((bearer(&headers), cookie(&headers, "sg_ticket")), (None, None));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; sg_ticket=x.y.z; sg_ticketing=2"));
        assert_eq!((bearer(&headers), cookie(&headers, "sg_ticket")), (Some("abc"), Some("x.y.z")));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(bearer(&headers), None);
    }
}
