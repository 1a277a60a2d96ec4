//! Server functions: how pages read. They run in the server during the first render and are fetched afterwards.
//!
//! Their paths are written out, because the ones made up by the macro hash the folder that the crate was built in.

#[cfg(feature = "ssr")]
pub mod backend; // what the server implements
mod carried; // an Overview on its way to the browser
mod failure; // why a page could not read
mod wire; // how answers travel

pub use carried::Carried;
pub use failure::Failure;

use self::wire::Wire;
use leptos::{
    prelude::*,
    server_fn::codec::{GetUrl, Post},
};
use streamgauge_core::page::view::SessionList;
#[cfg(feature = "ssr")]
use streamgauge_core::{
    load_test::{Kept, KeptList},
    metric::range::View,
    page::{
        panels::Panels,
        view::{Found, PublicSession, Search},
    },
    session::{ids::SessionId, timeline::Story},
};

/// The Overview's figures. `view`: [`View::query`].
#[server(name = ReadOverview, prefix = "/api/app", endpoint = "overview", input = GetUrl, output = Post<Wire>)]
pub async fn overview(view: String) -> Result<Carried, Failure> {
    Ok(failure::backend()?.overview(View::parse(&view)).await?.into())
}

/// The Overview's quieter panels, which are rendered on the server alone.
#[cfg(feature = "ssr")]
pub fn panels(view: View) -> impl Future<Output = Result<Panels, Failure>> + Send {
    let backend = failure::backend();
    async move { Ok(backend?.panels(view).await?) }
}

/// A page of the list of all sessions. Rendered on the server alone.
#[cfg(feature = "ssr")]
pub fn find_sessions(search: Search) -> impl Future<Output = Result<Found, Failure>> + Send {
    let backend = failure::backend();
    async move { Ok(backend?.find_sessions(search).await?) }
}

/// What happened to one session. `None`: no such session.
#[cfg(feature = "ssr")]
pub fn story(id: SessionId) -> impl Future<Output = Result<Option<Story>, Failure>> + Send {
    let backend = failure::backend();
    async move { Ok(backend?.story(id).await?) }
}

/// The running sessions, newest first.
#[server(name = ReadSessions, prefix = "/api/app", endpoint = "sessions", input = GetUrl, output = Post<Wire>)]
pub async fn sessions() -> Result<SessionList, Failure> {
    Ok(failure::backend()?.sessions().await?)
}

/// One session as its public page shows it, which is rendered on the server alone. `None`: no such session.
#[cfg(feature = "ssr")]
pub fn session(id: SessionId) -> impl Future<Output = Result<Option<PublicSession>, Failure>> + Send {
    // The context is asked now, not when the future runs.
    let backend = failure::backend();
    async move { Ok(backend?.session(id).await?) }
}

/// The newest load tests, of one scenario if one is named. Rendered on the server alone.
#[cfg(feature = "ssr")]
pub fn load_tests(scenario: Option<String>) -> impl Future<Output = Result<KeptList, Failure>> + Send {
    let backend = failure::backend();
    async move { Ok(backend?.load_tests(scenario).await?) }
}

/// One load test with its whole document. `None`: no such run.
#[cfg(feature = "ssr")]
pub fn load_test(id: i64) -> impl Future<Output = Result<Option<Kept>, Failure>> + Send {
    let backend = failure::backend();
    async move { Ok(backend?.load_test(id).await?) }
}

/// Makes the functions known to the handler of `/api/app/{name}`.
///
/// They also register themselves as the binary starts; said aloud, no linker can drop them.
#[cfg(feature = "ssr")]
pub fn register() {
    use leptos::server_fn::axum::register_explicit;
    register_explicit::<ReadOverview>();
    register_explicit::<ReadSessions>();
}
