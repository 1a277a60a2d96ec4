//! Who may publish, and to which session. Nothing is published without an [`Admission`], and only this file makes one.

use super::{
    auth::{bearer, is_probe, reserved},
    problem::Problem,
};
use crate::{access::Brought, node::Node, stream::Caller};
use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use std::sync::Arc;
use streamgauge_core::{access::Scope, session::ids::SessionId};

/// A request that may report status.
pub struct Publisher {
    is_probe: bool,
}

impl Publisher {
    /// `caller`: where the request came from.
    pub fn admit(node: &Node, headers: &HeaderMap, caller: Option<&Caller>) -> Result<Publisher, Problem> {
        let is_probe = is_probe(node, headers);
        if !is_probe {
            let address = caller.map(|caller| caller.peer.ip());
            let brought = Brought { token: bearer(headers), cookie: None, address };
            // No publish route records who acts yet.
            node.access.identify(Scope::Publish, brought)?;
        }
        if let Some(caller) = caller {
            caller.connection.publishes();
        }
        Ok(Publisher { is_probe })
    }

    /// Only the node's own probe may publish to what it probes by: that is not counted.
    pub fn may(&self, session: &SessionId) -> Result<(), Problem> {
        if session.is_probe() && !self.is_probe { Err(reserved()) } else { Ok(()) }
    }
}

impl FromRequestParts<Arc<Node>> for Publisher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Arc<Caller>>();
        Publisher::admit(node, &parts.headers, caller.map(|caller| &**caller))
    }
}

/// Permission to publish to one session.
pub struct Admission(SessionId);

impl Admission {
    /// What depends on the session is checked here.
    pub fn to(session: SessionId, publisher: &Publisher) -> Result<Admission, Problem> {
        publisher.may(&session)?;
        Ok(Admission(session))
    }

    pub fn session(&self) -> &SessionId {
        &self.0
    }
}

/// Admits a request that reports status, or says why not. Both ways into `POST …/status` call it: the router's route, and
/// the short way in `Routes::answer`, which passes no layer of the router. A check of reports (quota, role, audit)
/// belongs into [`Publisher::admit`] or [`Admission::to`], which batches and `complete` pass too: not here and not into
/// a layer.
pub fn admit(
    node: &Node,
    session: SessionId,
    headers: &HeaderMap,
    caller: Option<&Caller>,
) -> Result<Admission, Problem> {
    Admission::to(session, &Publisher::admit(node, headers, caller)?)
}
