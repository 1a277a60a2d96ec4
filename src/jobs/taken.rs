//! Counts events that back ends publish to Redis directly, like those that come by HTTP.

use crate::{broker::Published, node::Node, stop::stopped};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Counts until `stop`.
pub async fn count(node: Arc<Node>, mut taken: mpsc::Receiver<Published>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            published = taken.recv() => match published {
                Some(published) => node.published(&published),
                None => return,
            },
            () = stopped(&mut stop) => return,
        }
    }
}
