//! How many nodes have streams of a session: each counts its share of the time for which the session is followed.

use crate::broker::redis::{listener::Shared, routes::Road, wire};
use ::redis::{RedisError, aio::MultiplexedConnection};
use std::{sync::Arc, time::Duration};
use streamgauge_core::session::ids::SessionId;
use tokio::task::AbortHandle;

/// How often it is asked. Until then a node takes a session's time for its own.
const EVERY: Duration = Duration::from_secs(5);
/// Channels in one question.
const BATCH: usize = 500;

/// Asks beside all that the link hears, and ends with it.
pub struct Sharing(AbortHandle);

impl Sharing {
    pub fn start(connection: MultiplexedConnection, shared: Arc<Shared>, road: Arc<Road>) -> Sharing {
        let task = tokio::spawn(async move {
            // One that cannot be asked any more is lost, and the link finds that out.
            while share(connection.clone(), &shared, &road).await.is_ok() {
                tokio::time::sleep(EVERY).await;
            }
        });
        Sharing(task.abort_handle())
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn share(
    mut connection: MultiplexedConnection,
    shared: &Shared,
    road: &Arc<Road>,
) -> Result<(), RedisError> {
    let routes = shared.map().routes();
    let ours =
        |session: &SessionId| routes.of(session.as_str()).is_some_and(|owner| Arc::ptr_eq(owner, road));
    let sessions = shared.hearing.table.watched(ours);
    let question = if shared.in_cluster { "SHARDNUMSUB" } else { "NUMSUB" };
    for batch in sessions.chunks(BATCH) {
        let channels: Vec<String> = batch.iter().map(wire::channel).collect();
        let mut ask = ::redis::cmd("PUBSUB");
        let answer: Vec<(String, u16)> = ask.arg(question).arg(channels).query_async(&mut connection).await?;
        for (session, (_, nodes)) in batch.iter().zip(answer) {
            shared.hearing.hub.share(session, nodes);
        }
    }
    Ok(())
}
