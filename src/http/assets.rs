//! WASM, CSS and icons: built by xtask, named by their content, compressed beforehand, inside the release binary.

use super::{problem::Problem, unsent::InProgram};
use axum::{
    body::{Body, Bytes},
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};
use serde::Deserialize;
use std::{borrow::Cow, collections::HashMap};
use streamgauge_app::api::backend::Assets;

/// In a debug build the files are read from the folder, in a release build from the binary.
#[derive(Embed)]
#[folder = "target/site"]
#[allow_missing = true]
struct Site;

#[derive(Deserialize, Default)]
struct Manifest {
    css: Option<String>,
    js: Option<String>,
    wasm: Option<String>,
    #[serde(default)]
    files: HashMap<String, String>,
}

/// Where the pages find their assets. Without a built site: nowhere, and pages stay as the server rendered them.
pub fn assets() -> Assets {
    let manifest = Site::get("manifest.json");
    let mut manifest: Manifest =
        manifest.and_then(|file| serde_json::from_slice(&file.data).ok()).unwrap_or_default();
    let session = manifest.files.remove("session.js");
    let overview = manifest.files.remove("overview.js");
    let alerts = manifest.files.remove("alerts.js");
    let css = manifest.css.unwrap_or_default();
    Assets { css, js: manifest.js, wasm: manifest.wasm, session, overview, alerts }
}

/// `/assets/{file}`: the name holds the content's hash, so it may be kept for ever.
pub async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut response = serve(&format!("assets/{file}"), &headers)?;
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    Ok(response)
}

pub async fn favicon(headers: HeaderMap) -> Result<Response, Problem> {
    serve("favicon.svg", &headers).map(for_five_minutes)
}

/// The outline of the land, which the health map's style lays under its circles.
pub async fn world(headers: HeaderMap) -> Result<Response, Problem> {
    serve("world.svg", &headers).map(for_five_minutes)
}

/// `/sdk/{file}`: the browser SDK, under names that pages elsewhere import.
pub async fn sdk(Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&format!("sdk/{file}"), &headers).map(for_five_minutes)
}

/// Short, because the name stays when the content changes; then the ETag saves the download.
fn for_five_minutes(mut response: Response) -> Response {
    let short = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, short);
    response
}

fn serve(path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no such file.");
    let kind = kind(path).ok_or_else(missing)?;
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let packed = [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(name, ending)| {
        let asked =
            accepts.split(',').any(|part| part.split(';').next().is_some_and(|coding| coding.trim() == name));
        if asked { Site::get(&format!("{path}.{ending}")).map(|file| (file, Some(name))) } else { None }
    });
    let (EmbeddedFile { data, metadata, .. }, encoding) =
        packed.or_else(|| Site::get(path).map(|file| (file, None))).ok_or_else(missing)?;
    let hash = metadata.sha256_hash();
    // Of the bytes as they travel, so each encoding has its own.
    let etag = format!("\"{}\"", hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body(data)
    };
    let out = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Ok(response)
}

/// A release build has the file in the program, and sends it from there: a copy for each request would let a client that
/// reads nothing take all memory.
fn body(data: Cow<'static, [u8]>) -> Response {
    match data {
        Cow::Borrowed(data) => {
            let mut response = Body::from(Bytes::from_static(data)).into_response();
            response.extensions_mut().insert(InProgram);
            response
        }
        Cow::Owned(data) => Body::from(data).into_response(),
    }
}

/// Only what xtask puts there, by its ending.
fn kind(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "ts" => Some("application/typescript; charset=utf-8"),
        "wasm" => Some("application/wasm"),
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        _ => None,
    }
}
