//! What the pages ask the server: a file an area, each implementing the area's trait in `streamgauge_app::api`.

mod alerts; // rules with their states, incidents, silences, backtests
mod dashboard; // the Overview's figures and panels, read once for all who look
mod load_tests; // runs of the load tool
mod sessions; // running sessions, all sessions, one session

pub use dashboard::Figures;
pub use load_tests::LISTED as LISTED_LOAD_TESTS;
pub use sessions::poll_url;

use crate::node::Node;
use std::{fmt::Display, sync::Arc};
use streamgauge_app::api::backend::{Areas, Unavailable};

/// Every area, as pages find them in their context. `figures`: shared with the routes of the history.
pub fn areas(node: &Arc<Node>, figures: Arc<Figures>) -> Areas {
    Areas {
        dashboard: figures,
        sessions: Arc::new(sessions::Reader::new(node.clone())),
        load_tests: Arc::new(load_tests::Reader::new(node.clone())),
        alerts: Arc::new(alerts::Reader::new(node.clone())),
    }
}

/// For what PostgreSQL holds and cannot be asked for. `what` begins a sentence and is plural.
pub fn unavailable(what: &str, error: &dyn Display) -> Unavailable {
    tracing::debug!(%error, what, "a page's data could not be read");
    Unavailable(format!("{what} are in PostgreSQL, which cannot be reached."))
}
