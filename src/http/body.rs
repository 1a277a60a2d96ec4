//! What a request brings as its body, within bounds of size and time.

use super::problem::Problem;
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use streamgauge_core::text::{object::Object, said::plainly};

/// A status event of 8 kB of data fits many times.
pub const MAX_JSON: usize = 64 * 1024;
/// A client that dribbles its body is cut off.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// JSON, or the problem with it.
pub struct Checked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(&whole(json(request)?, MAX_JSON).await?, "body").map(Checked)
    }
}

/// What the JSON says, which is an object; `named` in the problem with it.
pub fn read<T: DeserializeOwned>(json: &[u8], named: &str) -> Result<T, Problem> {
    let read = serde_json::from_slice(json).map(|Object(value)| value);
    read.map_err(|error| {
        let status = match error.classify() {
            serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, format!("The {named} is not what is expected here: {}.", plainly(error)))
    })
}

/// A body that says it is JSON.
pub fn json(request: Request) -> Result<Body, Problem> {
    // Also a guard: a foreign web page can post forms and plain text across origins, but no JSON.
    if !says(request.headers(), "application/json") {
        let detail = "Send JSON, with the header Content-Type: application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(request.into_body())
}

/// Whether the body is said to be of that type.
pub fn says(headers: &HeaderMap, kind: &str) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.is_some_and(|said| said.starts_with(kind))
}

/// The body, of at most `most` bytes: refused before more than that is held.
pub async fn whole(body: Body, most: usize) -> Result<Bytes, Problem> {
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "The request took longer than 10 s to arrive.");
    let mut reading = pin!(gathered(Limited::new(body, most)));
    // A status event comes with its head: there is nothing to wait for, and no timer to make.
    let read = match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        Poll::Ready(read) => read,
        Poll::Pending => tokio::time::timeout(ARRIVES_WITHIN, reading).await.map_err(late)?,
    };
    read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let detail = format!("The body may have at most {} kB.", most / 1024);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "The body could not be read.")
        }
    })
}

/// One part is mostly all, and then it is not copied.
async fn gathered(mut body: Limited<Body>) -> Result<Bytes, BoxError> {
    let Some(first) = body.frame().await else { return Ok(Bytes::new()) };
    let first = first?.into_data().unwrap_or_default();
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = body.collect().await?.to_bytes();
    Ok([first, rest].concat().into())
}
