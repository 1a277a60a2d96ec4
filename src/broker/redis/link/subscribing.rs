//! Subscribing and leaving, many channels a round trip.

use super::Link;
use crate::broker::{BrokerError, redis::wire};
use ::redis::{
    RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use std::{collections::HashSet, sync::Arc};
use streamgauge_core::session::ids::SessionId;

/// Channels in one round trip.
const BATCH: usize = 500;

impl Link {
    /// Subscribes to each that is not subscribed, and says of each whether it is now.
    pub(super) async fn subscribe(
        &mut self,
        connection: &mut MultiplexedConnection,
        sessions: &[SessionId],
    ) -> Result<Vec<Result<(), BrokerError>>, RedisError> {
        let new: HashSet<&SessionId> =
            sessions.iter().filter(|one| !self.subscribed.contains(*one)).collect();
        let new: Vec<SessionId> = new.into_iter().cloned().collect();
        let verb = if self.shared.in_cluster { "SSUBSCRIBE" } else { "SUBSCRIBE" };
        let mut refused = None;
        for batch in new.chunks(BATCH) {
            let answers = send(connection, verb, batch).await?;
            for (session, answer) in batch.iter().zip(answers) {
                match answer {
                    Value::ServerError(error) => refused = Some(error.to_string()),
                    _ => {
                        self.subscribed.insert(session.clone());
                    }
                }
            }
        }
        if refused.is_some() {
            // Most likely the slot has moved.
            self.shared.map().refresh.notify_one();
        }
        let why = || BrokerError::Away(refused.clone().unwrap_or_default());
        Ok(sessions.iter().map(|one| self.subscribed.contains(one).then_some(()).ok_or_else(why)).collect())
    }

    /// Subscribes to every watched session of this route, and compares the position of new ones with their history.
    pub(super) async fn subscribe_what_is_ours(
        &mut self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let routes = self.shared.map().routes();
        let ours = |session: &SessionId| {
            routes.of(session.as_str()).is_some_and(|road| Arc::ptr_eq(road, &self.road))
        };
        let ours = self.shared.hearing.table.watched(|one| !self.subscribed.contains(one) && ours(one));
        if ours.is_empty() {
            return Ok(());
        }
        tracing::info!(sessions = ours.len(), redis = self.road.address, "subscribing again");
        self.subscribe(connection, &ours).await?;
        for session in ours.iter().filter(|session| self.subscribed.contains(*session)) {
            self.shared.hearing.table.fall_behind(session);
        }
        Ok(())
    }

    /// Unsubscribes from sessions without a follower here.
    pub(super) async fn leave(
        &mut self,
        connection: &mut MultiplexedConnection,
        sessions: Vec<SessionId>,
    ) -> Result<(), RedisError> {
        let table = &self.shared.hearing.table;
        let gone: Vec<SessionId> =
            sessions.into_iter().filter(|one| table.forget(one) && self.subscribed.remove(one)).collect();
        if self.shared.in_cluster {
            gone.iter().for_each(|one| *self.left.entry(one.clone()).or_default() += 1);
        }
        let verb = if self.shared.in_cluster { "SUNSUBSCRIBE" } else { "UNSUBSCRIBE" };
        for batch in gone.chunks(BATCH) {
            send(connection, verb, batch).await?;
        }
        Ok(())
    }
}

/// One command a channel, in one round trip: a cluster takes no two channels of different slots in one command.
async fn send(
    connection: &mut MultiplexedConnection,
    verb: &str,
    sessions: &[SessionId],
) -> Result<Vec<Value>, RedisError> {
    let mut pipe = ::redis::pipe();
    for session in sessions {
        pipe.cmd(verb).arg(wire::channel(session));
    }
    connection.req_packed_commands(&pipe, 0, sessions.len()).await
}
