//! A body as JSON, or as a form. Forms come from the pages, which work without scripts: they name the page that they lead
//! back to. That another site's page sent the form, the check around all routes has ruled out.

use super::super::{
    body::{self, MAX_JSON, read, whole},
    problem::Problem,
};
use axum::{
    Form,
    body::Body,
    extract::{FromRequest, Request},
    response::{IntoResponse, Redirect, Response},
};
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use streamgauge_core::{access::way_back, text::said::plainly};

/// A form's type.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a route takes.
pub trait Fields: DeserializeOwned {
    /// Those that are whole numbers, which a form has as text.
    const NUMBERS: &'static [&'static str] = &[];
}

pub struct Sent<T> {
    pub value: T,
    /// The page to go back to, of a form.
    back: Option<String>,
}

impl<T> Sent<T> {
    /// The answer: of a form, the way back.
    pub fn answer(back: Option<&str>, answer: impl IntoResponse) -> Response {
        match back {
            // 303: the browser gets the page, whatever the form's method was.
            Some(back) => Redirect::to(way_back(Some(back))).into_response(),
            None => answer.into_response(),
        }
    }

    pub fn split(self) -> (T, Option<String>) {
        (self.value, self.back)
    }
}

impl<S: Send + Sync, T: Fields> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if body::says(request.headers(), FORM) {
            return of_form(request).await;
        }
        // Nothing at all is an empty object, where all fields may be missing.
        let is_empty = axum::body::HttpBody::is_end_stream(request.body());
        if is_empty && !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(Sent { value: read(b"{}", "body")?, back: None });
        }
        if !body::says(request.headers(), "application/json") {
            let detail = "Send JSON with Content-Type: application/json, or a form.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let value = read(&whole(request.into_body(), MAX_JSON).await?, "body")?;
        Ok(Sent { value, back: None })
    }
}

/// A form's fields as they were sent, a name as often as it stands there, and the form itself for an address.
pub async fn fields(request: Request) -> Result<(Vec<(String, String)>, String), Problem> {
    let (parts, body) = request.into_parts();
    let body = whole(body, MAX_JSON).await?;
    let sent = String::from_utf8(body.to_vec()).unwrap_or_default();
    let request = Request::from_parts(parts, Body::from(body));
    let form = Form::<Vec<(String, String)>>::from_request(request, &()).await;
    let Form(mut fields) = form
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{}.", plainly(error.body_text()))))?;
    // A text area has the line ends of HTTP.
    fields.iter_mut().for_each(|(_, text)| *text = text.replace("\r\n", "\n"));
    Ok((fields, sent))
}

/// Whether the body is said to be a form.
pub fn is_form(request: &Request) -> bool {
    body::says(request.headers(), FORM)
}

async fn of_form<T: Fields>(request: Request) -> Result<Sent<T>, Problem> {
    let (parts, body) = request.into_parts();
    let body = whole(body, MAX_JSON).await?;
    let request = Request::from_parts(parts, Body::from(body));
    let form = Form::<BTreeMap<String, String>>::from_request(request, &()).await;
    let Form(mut fields) = form
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{}.", plainly(error.body_text()))))?;
    let back = Some(fields.remove("back").unwrap_or_else(|| "/".to_owned()));
    // A field that was left empty was not filled in.
    fields.retain(|_, text| !text.trim().is_empty());
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, text)| typed(T::NUMBERS, name, text)).collect();
    // As the same JSON, so that one set of rules judges both.
    let json = serde_json::to_vec(&fields).unwrap_or_default();
    Ok(Sent { value: read(&json, "form")?, back })
}

fn typed(numbers: &[&str], name: String, text: String) -> (String, Value) {
    let number = numbers.contains(&name.as_str()).then(|| text.trim().parse::<i64>().ok()).flatten();
    // A text area has the line ends of HTTP.
    let value = number.map_or_else(|| Value::from(text.replace("\r\n", "\n")), Value::from);
    (name, value)
}
