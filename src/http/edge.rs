//! What holds for every request, whatever it asks: its bounds, the name that it calls the server by, which site sent it;
//! the headers that every answer has; and that a mistake of the server is an answer too. One function around the routes and
//! no layers in the router: each of those costs every request.

use super::{
    problem::Problem,
    router::{FROM_ANY_SITE, Routes},
};
use crate::{
    node::Node,
    stream::{Answers, Caller},
};
use axum::{
    body::HttpBody,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use std::{panic::AssertUnwindSafe, sync::Arc};
use streamgauge_core::access::site::Sender;

/// Sixteen sessions of the longest names, and a ticket for them.
const MAX_ADDRESS: usize = 8 * 1024;
/// Address and headers: those of a browser with many cookies.
const MAX_HEAD: usize = 16 * 1024;
/// For what says no policy of its own, such as a fragment or a picture: opened by itself it runs nothing, loads nothing
/// and stands in no frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Front {
    node: Arc<Node>,
    routes: Routes,
}

pub fn front(node: Arc<Node>, routes: Routes) -> Answers {
    let front = Arc::new(Front { node, routes });
    Arc::new(move |request, caller| Box::pin(answer(front.clone(), request, caller.clone())))
}

async fn answer(front: Arc<Front>, request: Request, caller: Arc<Caller>) -> Response {
    let mut response = match front.refuses(&request) {
        Some(problem) => problem.into_response(),
        None => {
            let answering = async { front.routes.answer(request, caller).await };
            match AssertUnwindSafe(answering).catch_unwind().await {
                Ok(response) => response,
                // What it was, the panic has said in the log.
                Err(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The server made a mistake.")
                    .into_response(),
            }
        }
    };
    guard(&mut response);
    response
}

impl Front {
    /// Refused here, an address or a head that is too long gets an answer in our shape. What does not even fit the
    /// connection's buffer, or cannot be parsed, never comes this far.
    fn refuses(&self, request: &Request) -> Option<Problem> {
        let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
        let head = Head::of(request);
        let refused = |status, detail: &str| Some(Problem::new(status, detail));
        if address > MAX_ADDRESS {
            refused(StatusCode::URI_TOO_LONG, "The address is longer than 8 kB.")
        } else if address + head.bytes > MAX_HEAD {
            let detail = "The request's head is longer than 16 kB.";
            refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        } else if !head.names_one_host(request.version()) {
            refused(StatusCode::BAD_REQUEST, "Send one Host header.")
        } else if !self.answers_to(&head) {
            let detail =
                "This server is not known by that name. Its settings public_url and allowed_hosts name it.";
            refused(StatusCode::MISDIRECTED_REQUEST, detail)
        } else if !head.is_safe && self.is_foreign(request, &head) {
            let detail = "Another site's page sent this request. If the page is this server's own, set public_url to \
                          the address under which people reach it.";
            refused(StatusCode::FORBIDDEN, detail)
        } else if head.is_encoded && !request.body().is_end_stream() {
            refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding.")
        } else {
            None
        }
    }

    fn answers_to(&self, head: &Head<'_>) -> bool {
        let is_open = self.node.access.is_open();
        // A request of HTTP/1.0 may name none: no browser sends such.
        let mut names = [head.authority, head.host].into_iter().flatten();
        names.all(|name| self.node.site.answers_to(name, is_open))
    }

    /// A token in the request's head was put there on purpose: a page of another site cannot make a browser send one.
    fn is_foreign(&self, request: &Request, head: &Head<'_>) -> bool {
        let authority = head.authority.or(head.host);
        let sender = Sender { fetch_site: head.fetch_site, origin: head.origin, authority };
        self.node.site.is_foreign(sender)
            && !FROM_ANY_SITE.contains(&request.uri().path())
            && !super::auth::has_bearer(request.headers())
    }
}

/// What is asked of every request's head, found in one pass: nearly all of them are status events.
struct Head<'a> {
    /// Of its fields.
    bytes: usize,
    hosts: u32,
    host: Option<&'a [u8]>,
    /// As HTTP/2 has it, or an address with a host.
    authority: Option<&'a [u8]>,
    fetch_site: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    is_encoded: bool,
    /// It changes nothing.
    is_safe: bool,
}

impl Head<'_> {
    fn of(request: &Request) -> Head<'_> {
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        let (host, fetch_site, origin) = (None, None, None);
        let mut head =
            Head { bytes: 0, hosts: 0, host, authority, fetch_site, origin, is_encoded: false, is_safe };
        for (name, value) in request.headers() {
            head.bytes += name.as_str().len() + value.len() + 4;
            let value = value.as_bytes();
            if name == header::HOST {
                head.hosts += 1;
                head.host = Some(value);
            } else if name == header::CONTENT_ENCODING {
                head.is_encoded |= !value.eq_ignore_ascii_case(b"identity");
            } else if is_safe {
                // Where it comes from is asked only of what changes something.
            } else if name == header::ORIGIN {
                head.origin = Some(value);
            } else if name.as_str() == "sec-fetch-site" {
                head.fetch_site = Some(value);
            }
        }
        head
    }

    /// RFC 9112, 3.2: what stands behind a proxy that reads another one of two must not be asked here. Over HTTP/2 the
    /// authority is the host.
    fn names_one_host(&self, version: Version) -> bool {
        match self.hosts {
            0 => version < Version::HTTP_11 || (version == Version::HTTP_2 && self.authority.is_some()),
            1 => true,
            _ => false,
        }
    }
}

/// What an answer says where its route does not: an answer that nobody thought about is kept by no cache.
fn guard(response: &mut Response) {
    let is_accepted = response.status() == StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    if is_accepted {
        // That a status event was taken, which is what is answered most: no cache keeps a 202, and no page shows it.
        return;
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if is_document(headers) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
        headers.entry(header::X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    }
}

/// Whether a browser that opens it would show it as a page of this server.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.starts_with(b"text/html") || kind.starts_with(b"image/svg+xml")
}
