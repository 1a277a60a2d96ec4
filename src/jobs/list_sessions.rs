//! Sends the list of running sessions to all dashboards that show it.

use super::Job;
use crate::node::Node;
use bytes::Bytes;
use std::time::Duration;

pub struct ListSessions;

impl Job for ListSessions {
    const NAME: &'static str = "list_sessions";
    const PERIOD: Duration = Duration::from_secs(1);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = true;

    /// Reads once for all dashboards, and not at all while no dashboard shows the list.
    async fn run(&mut self, node: &Node) {
        if node.sessions.receiver_count() == 0 {
            return;
        }
        // While PostgreSQL is unreachable the list stays as it is; a notice on the page says why.
        if let Ok(list) = node.store.sessions().list(|id| node.streams.hub.followers(id)).await
            && let Ok(json) = serde_json::to_string(&list)
        {
            node.sessions.send_replace(Bytes::from(format!("event: sessions\ndata: {json}\n\n")));
        }
    }
}
