//! The one door from pages to the server: a trait that the server implements and provides through the context.

use std::{future::Future, pin::Pin, sync::Arc};
use streamgauge_core::{
    load_test::{Kept, KeptList},
    metric::range::View,
    page::{
        board::Overview,
        panels::Panels,
        view::{Found, PublicSession, Search, SessionList},
    },
    session::{ids::SessionId, timeline::Story},
};

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// The figures cannot be read now. The text is fit for a page: what is missing and what goes on meanwhile.
#[derive(Debug, Clone)]
pub struct Unavailable(pub String);

pub trait Backend: Send + Sync + 'static {
    fn overview(&self, view: View) -> Answer<'_, Overview>;
    fn panels(&self, view: View) -> Answer<'_, Panels>;
    fn find_sessions(&self, search: Search) -> Answer<'_, Found>;
    /// `None`: no such session.
    fn story(&self, id: SessionId) -> Answer<'_, Option<Story>>;
    /// The running sessions, newest first, at most 200.
    fn sessions(&self) -> Answer<'_, SessionList>;
    /// `None`: no such session.
    fn session(&self, id: SessionId) -> Answer<'_, Option<PublicSession>>;
    /// The newest load tests, at most 100; of one scenario if one is named.
    fn load_tests(&self, scenario: Option<String>) -> Answer<'_, KeptList>;
    /// `None`: no such run.
    fn load_test(&self, id: i64) -> Answer<'_, Option<Kept>>;
}

/// As it is found in the context.
pub type SharedBackend = Arc<dyn Backend>;

/// Which server rendered a page: its node's name, and its version. In the context.
#[derive(Clone, Debug)]
pub struct ServedBy {
    pub node: String,
    pub version: &'static str,
    /// Dashboards require a sign-in, so pages offer to sign out.
    pub is_closed: bool,
}

/// Where the built assets lie, for the tags in the page's head. All are absolute paths.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    pub css: String,
    /// `None` before the WASM was built: pages then stay as the server rendered them.
    pub js: Option<String>,
    pub wasm: Option<String>,
    /// What keeps a session's public page current.
    pub session: Option<String>,
    /// What the Overview needs beside the WASM.
    pub overview: Option<String>,
}
