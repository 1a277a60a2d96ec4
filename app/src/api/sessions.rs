//! Sessions: those that run, all of them, and one of them.

use super::{Failure, wire::Wire};
#[cfg(feature = "ssr")]
use super::{backend::Answer, failure};
use leptos::{
    prelude::*,
    server_fn::codec::{GetUrl, Post},
};
use streamgauge_core::page::view::SessionList;
#[cfg(feature = "ssr")]
use streamgauge_core::{
    page::view::{Found, PublicSession, Search},
    session::{ids::SessionId, timeline::Timeline},
};

#[cfg(feature = "ssr")]
pub trait Sessions: Send + Sync + 'static {
    /// The running sessions, newest first, at most 200.
    fn running(&self) -> Answer<'_, SessionList>;
    fn find(&self, search: Search) -> Answer<'_, Found>;
    /// `None`: no such session.
    fn timeline(&self, id: SessionId) -> Answer<'_, Option<Timeline>>;
    /// As its public page shows it. `None`: no such session.
    fn public(&self, id: SessionId) -> Answer<'_, Option<PublicSession>>;
}

/// The running sessions, newest first.
#[server(name = ReadSessions, prefix = "/api/app", endpoint = "sessions", input = GetUrl, output = Post<Wire>)]
pub async fn running() -> Result<SessionList, Failure> {
    Ok(failure::areas()?.sessions.running().await?)
}

// The rest is rendered on the server alone. Each asks the context when it is called, not when its future runs.

/// A page of the list of all sessions.
#[cfg(feature = "ssr")]
pub fn find(search: Search) -> impl Future<Output = Result<Found, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.sessions.find(search).await?) }
}

/// What happened to one session. `None`: no such session.
#[cfg(feature = "ssr")]
pub fn timeline(id: SessionId) -> impl Future<Output = Result<Option<Timeline>, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.sessions.timeline(id).await?) }
}

/// One session as its public page shows it. `None`: no such session.
#[cfg(feature = "ssr")]
pub fn public(id: SessionId) -> impl Future<Output = Result<Option<PublicSession>, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.sessions.public(id).await?) }
}

#[cfg(feature = "ssr")]
pub(super) fn register() {
    leptos::server_fn::axum::register_explicit::<ReadSessions>();
}
