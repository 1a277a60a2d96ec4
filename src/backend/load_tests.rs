//! Runs of the load tool, as pages list and show them.

use super::unavailable;
use crate::node::Node;
use std::sync::Arc;
use streamgauge_app::api::{backend::Answer, load_tests::LoadTests};
use streamgauge_core::{
    load_test::{Kept, KeptList},
    text::is_label,
};

/// Rows of a list, unless fewer are asked for.
pub const LISTED: i64 = 100;

pub struct Reader {
    node: Arc<Node>,
}

impl Reader {
    pub fn new(node: Arc<Node>) -> Reader {
        Reader { node }
    }
}

impl LoadTests for Reader {
    fn list(&self, scenario: Option<String>) -> Answer<'_, KeptList> {
        Box::pin(async move {
            // What no scenario can be called has no runs, and is no text to PostgreSQL either.
            if scenario.as_deref().is_some_and(|name| !is_label(name, 64)) {
                return Ok(KeptList::default());
            }
            let list = self.node.store.load_tests().list(scenario.as_deref(), LISTED).await;
            list.map_err(|error| unavailable("Load tests", &error))
        })
    }

    fn find(&self, id: i64) -> Answer<'_, Option<Kept>> {
        Box::pin(async move {
            let found = self.node.store.load_tests().find(id).await;
            found.map_err(|error| unavailable("Load tests", &error))
        })
    }
}
