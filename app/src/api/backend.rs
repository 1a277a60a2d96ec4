//! What the server gives the pages through the context: an implementation of each area, and what the document needs.

use super::{alerts::Alerts, dashboard::Dashboard, load_tests::LoadTests, sessions::Sessions};
use std::{future::Future, pin::Pin, sync::Arc};

/// A line for each area. The server fills it in `src/backend`, the tests of the pages with fakes.
#[derive(Clone)]
pub struct Areas {
    pub dashboard: Arc<dyn Dashboard>,
    pub sessions: Arc<dyn Sessions>,
    pub load_tests: Arc<dyn LoadTests>,
    pub alerts: Arc<dyn Alerts>,
}

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// The figures cannot be read now. The text is fit for a page: what is missing and what goes on meanwhile.
#[derive(Debug, Clone)]
pub struct Unavailable(pub String);

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
    /// What keeps the pages of alerts current, and the count in the title of every plain page.
    pub alerts: Option<String>,
}
