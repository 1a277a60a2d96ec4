//! Sessions, as pages list and show them.

use super::unavailable;
use crate::{clock, node::Node};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use streamgauge_app::api::{
    backend::{Answer, Unavailable},
    sessions::Sessions,
};
use streamgauge_core::{
    page::view::{Found, PublicSession, Search, SessionList},
    session::{ids::SessionId, timeline::Timeline},
    settings::limits::Limit,
};

/// Where the current status of a session is polled.
pub fn poll_url(id: &SessionId) -> String {
    format!("/api/v1/sessions/{id}/status")
}

pub struct Reader {
    node: Arc<Node>,
    /// The list as it was last read, for when it cannot be.
    list: Mutex<SessionList>,
}

impl Reader {
    pub fn new(node: Arc<Node>) -> Reader {
        Reader { node, list: Mutex::default() }
    }

    fn last_read(&self) -> MutexGuard<'_, SessionList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn session(&self, id: SessionId) -> Result<Option<PublicSession>, Unavailable> {
        let node = &self.node;
        let current = node.streams.broker.current(&id).await;
        let event = match current {
            Ok(Some(current)) => current.event.map(Arc::unwrap_or_clone),
            // The broker dropped it or is unreachable: the row in PostgreSQL still tells how it ended.
            gone => match (node.store.sessions().find(&id).await, gone) {
                (Ok(Some(event)), _) => event,
                (Ok(None), Ok(_)) => return Ok(None),
                _ => {
                    return Err(Unavailable(
                        "This session cannot be read now. Try again in a moment.".into(),
                    ));
                }
            },
        };
        Ok(Some(PublicSession {
            cohort: node.cohort(&id),
            current: event,
            poll_url: poll_url(&id),
            heartbeat_ms: node.streams.hub.limits().get(Limit::HeartbeatMs).into(),
            id,
        }))
    }
}

impl Sessions for Reader {
    fn running(&self) -> Answer<'_, SessionList> {
        Box::pin(async move {
            let node = &self.node;
            match node.store.sessions().list(|id| node.streams.hub.followers(id)).await {
                Ok(list) => {
                    *self.last_read() = list.clone();
                    Ok(list)
                }
                Err(_) => Ok(SessionList { complete: false, ..self.last_read().clone() }),
            }
        })
    }

    fn find(&self, search: Search) -> Answer<'_, Found> {
        Box::pin(async move {
            let found = self.node.store.sessions().search(&search, clock::now_ms()).await;
            found.map_err(|error| unavailable("Sessions", &error))
        })
    }

    fn timeline(&self, id: SessionId) -> Answer<'_, Option<Timeline>> {
        Box::pin(async move {
            let read = self.node.store.sessions().timeline(&id).await;
            read.map_err(|error| unavailable("Timelines", &error))
        })
    }

    fn public(&self, id: SessionId) -> Answer<'_, Option<PublicSession>> {
        Box::pin(self.session(id))
    }
}
