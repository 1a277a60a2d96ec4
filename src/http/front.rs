//! What holds for every request, whatever it asks: its bounds, two headers of its answer, and that a mistake of the
//! server is an answer too. One function around the routes and no layers in the router: each of those costs every request.

use super::{problem::Problem, router::Routes};
use crate::stream::{Answers, Caller};
use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderValue, StatusCode, header};
use std::{panic::AssertUnwindSafe, sync::Arc};

/// Sixteen sessions of the longest names, and a ticket for them.
const MAX_ADDRESS: usize = 8 * 1024;
/// Address and headers: those of a browser with many cookies.
const MAX_HEAD: usize = 16 * 1024;

pub fn front(routes: Routes) -> Answers {
    let routes = Arc::new(routes);
    Arc::new(move |request, caller| Box::pin(answer(routes.clone(), request, caller.clone())))
}

async fn answer(routes: Arc<Routes>, request: Request, caller: Arc<Caller>) -> Response {
    let mut response = match out_of_bounds(&request) {
        Some(problem) => problem.into_response(),
        None => match AssertUnwindSafe(async { routes.answer(request, caller).await }).catch_unwind().await {
            Ok(response) => response,
            // What it was, the panic has said in the log.
            Err(_) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The server made a mistake.").into_response()
            }
        },
    };
    let headers = response.headers_mut();
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    response
}

/// Refused here, an address or a head that is too long gets an answer in our shape. What does not even fit the
/// connection's buffer, or cannot be parsed, never comes this far.
fn out_of_bounds(request: &Request) -> Option<Problem> {
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if address > MAX_ADDRESS {
        Some(Problem::new(StatusCode::URI_TOO_LONG, "The address is longer than 8 kB."))
    } else if address + fields.sum::<usize>() > MAX_HEAD {
        let detail = "The request's head is longer than 16 kB.";
        Some(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail))
    } else {
        None
    }
}
