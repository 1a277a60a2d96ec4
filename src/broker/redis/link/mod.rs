//! The subscriber connection to one Redis: one a node, or on a cluster one a shard.
//!
//! It is subscribed to a session from its first local follower to its last. After each reconnect it subscribes anew, in
//! batches, and compares every session's position with its history.

mod sharing; // how many nodes have streams of a session
mod subscribing; // many channels a round trip

use super::{
    address,
    check::{EVERY, Lost, Watchdog, check},
    commands::PATIENCE,
    health::Part,
    listener::Shared,
    raw_publish::Bringer,
    routes::Road,
    wire,
};
use crate::broker::BrokerError;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, PushInfo, PushKind, RedisError, Value,
    aio::MultiplexedConnection,
};
use sharing::Sharing;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::{metric::measure::counters::Counter, session::ids::SessionId};
use tokio::sync::{mpsc, oneshot};

/// Most messages that wait. Further ones are read from history.
const MESSAGES: usize = 8_192;
/// Most commands that are applied together, in one round trip or two.
const BATCH: usize = 500;

pub enum Command {
    Subscribe(SessionId, oneshot::Sender<Result<(), BrokerError>>),
    /// A follower left; after the last one, the node unsubscribes.
    Left(SessionId),
    /// Slots of the cluster moved: subscribe to the sessions that are on this route now.
    Again,
}

pub struct Link {
    shared: Arc<Shared>,
    road: Arc<Road>,
    queue: mpsc::Receiver<Command>,
    subscribed: HashSet<SessionId>,
    /// On a cluster: how often each was left, and Redis has not said so yet in the messages.
    left: HashMap<SessionId, u32>,
    /// Messages arrived faster than they could be passed on, and some must be read from history.
    overrun: Arc<AtomicBool>,
    /// This link receives what back ends publish directly.
    bringer: Option<Bringer>,
}

struct Connected {
    connection: MultiplexedConnection,
    messages: mpsc::Receiver<PushInfo>,
    /// The address.
    info: ConnectionInfo,
}

impl Link {
    pub fn new(shared: Arc<Shared>, road: Arc<Road>, queue: mpsc::Receiver<Command>) -> Link {
        let (subscribed, left) = Default::default();
        Link { shared, road, queue, subscribed, left, overrun: Arc::default(), bringer: None }
    }

    pub async fn run(mut self) {
        let mut wait = Duration::from_millis(50);
        loop {
            let why = match self.connect().await {
                Ok(connected) => {
                    let why = self.serve(connected, &mut wait).await;
                    tracing::info!(redis = self.road.address, why, "lost the connection that hears");
                    why
                }
                Err(why) => why,
            };
            self.down(&why);
            if !self.refuse_for(wait, &why).await {
                return;
            }
            wait = (wait * 2).min(Duration::from_secs(1));
        }
    }

    fn down(&mut self, why: &str) {
        self.road.stands.store(false, Relaxed);
        self.subscribed.clear();
        self.left.clear();
        self.release_plain();
        self.shared.lost_a_link(why);
    }

    fn release_plain(&mut self) {
        if self.bringer.take().is_some() {
            self.shared.plain.release();
        }
    }

    async fn connect(&self) -> Result<Connected, Lost> {
        let info = match &self.shared.sentinels {
            Some(sentinels) => {
                let primary = sentinels.primary().await?;
                self.shared.hearing.store.commands.lead_to(&primary);
                primary
            }
            None => self.road.info.clone(),
        };
        let (sender, messages) = mpsc::channel(MESSAGES);
        let (overrun, recorder) = (self.overrun.clone(), self.shared.hearing.hub.recorder().clone());
        let hear = move |push: PushInfo| {
            use PushKind::{Message, PMessage, SMessage, SUnsubscribe};
            let wanted = matches!(push.kind, Message | SMessage | PMessage | SUnsubscribe);
            if wanted && let Err(full) = sender.try_send(push) {
                overrun.store(true, Relaxed);
                // No history has it.
                recorder.add(Counter::PlainLost, u64::from(full.into_inner().kind == PMessage));
            }
            Ok::<_, ()>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(hear);
        let client = Client::open(address::hearing(&info)).map_err(|error| error.to_string())?;
        let connected = client.get_multiplexed_async_connection_with_config(&config);
        let connected = tokio::time::timeout(PATIENCE, connected).await;
        let connection =
            connected.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
        check(connection.clone(), self.shared.in_cluster).await?;
        Ok(Connected { connection, messages, info })
    }

    /// While there is no connection, new watches fail at once instead of hanging. `false`: the broker is gone.
    async fn refuse_for(&mut self, wait: Duration, why: &str) -> bool {
        let end = tokio::time::Instant::now() + wait;
        loop {
            match tokio::time::timeout_at(end, self.queue.recv()).await {
                Err(_) => return true,
                Ok(None) => return false,
                Ok(Some(Command::Subscribe(_, reply))) => {
                    let _ = reply.send(Err(BrokerError::Away(why.to_owned())));
                }
                Ok(Some(Command::Left(session))) => {
                    self.shared.hearing.table.forget(&session);
                }
                Ok(Some(Command::Again)) => {}
            }
        }
    }

    /// Until the connection is lost.
    async fn serve(
        &mut self,
        Connected { mut connection, mut messages, info }: Connected,
        wait: &mut Duration,
    ) -> Lost {
        if let Err(error) = self.subscribe_what_is_ours(&mut connection).await {
            return error.to_string();
        }
        self.road.stands.store(true, Relaxed);
        self.shared.health().note(Part::Hearing, None);
        *wait = Duration::from_millis(50);
        let mut watchdog = Watchdog::start(connection.clone(), self.shared.clone(), info);
        let _sharing = Sharing::start(connection.clone(), self.shared.clone(), self.road.clone());
        let mut tick = tokio::time::interval(EVERY);
        let mut commands = Vec::new();
        loop {
            let result = tokio::select! {
                count = self.queue.recv_many(&mut commands, BATCH) => {
                    if count == 0 {
                        return "the broker is gone".into();
                    }
                    self.apply(&mut connection, &mut commands).await
                }
                message = messages.recv() => match message {
                    None => return "the connection closed".into(),
                    Some(message) if message.kind == PushKind::SUnsubscribe => {
                        if self.has_lost(&message) {
                            return "a slot went to another node".into();
                        }
                        Ok(())
                    }
                    Some(message) => self.heard(&mut connection, &message).await,
                },
                why = &mut watchdog.lost => return why.unwrap_or_default(),
                _ = tick.tick() => self.tidy(&mut connection).await,
            };
            if let Err(error) = result {
                return error.to_string();
            }
            if self.overrun.swap(false, Relaxed) {
                self.left.clear();
                tracing::warn!("more came from Redis than could be passed on: the rest is read from history");
                self.subscribed.iter().for_each(|session| self.shared.hearing.table.fall_behind(session));
            }
        }
    }

    async fn apply(
        &mut self,
        connection: &mut MultiplexedConnection,
        commands: &mut Vec<Command>,
    ) -> Result<(), RedisError> {
        let (mut sessions, mut replies, mut left, mut again) = (Vec::new(), Vec::new(), Vec::new(), false);
        for command in commands.drain(..) {
            match command {
                Command::Subscribe(session, reply) => {
                    sessions.push(session);
                    replies.push(reply);
                }
                Command::Left(session) => left.push(session),
                Command::Again => again = true,
            }
        }
        if again {
            self.subscribe_what_is_ours(connection).await?;
        }
        self.leave(connection, left).await?;
        let fates = self.subscribe(connection, &sessions).await?;
        for (reply, fate) in replies.into_iter().zip(fates) {
            let _ = reply.send(fate);
        }
        Ok(())
    }

    async fn heard(
        &mut self,
        connection: &mut MultiplexedConnection,
        message: &PushInfo,
    ) -> Result<(), RedisError> {
        match (&message.kind, message.data.as_slice()) {
            (PushKind::Message | PushKind::SMessage, [channel, payload]) => {
                let Some((session, payload)) =
                    text(channel).and_then(wire::session_of_channel).zip(text(payload))
                else {
                    return Ok(());
                };
                // The backlog of deliveries is bounded: what does not fit is read from history later.
                self.shared.hearing.hub.room(&session).await;
                if !self.shared.hearing.hear(&session, payload) {
                    self.leave(connection, vec![session]).await?;
                }
            }
            (PushKind::PMessage, [_, channel, payload]) => {
                if let (Some(channel), Some(bringer)) = (text(channel), &mut self.bringer) {
                    self.shared.plain.heard(bringer, channel, text(payload));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Redis ended a subscription that this node still wants. The same message confirms an unsubscription, after which the
    /// session may have a follower again.
    fn has_lost(&mut self, message: &PushInfo) -> bool {
        let channel = message.data.first().and_then(text);
        let Some(session) = channel.and_then(wire::session_of_channel) else { return false };
        let Some(left) = self.left.get_mut(&session) else { return self.subscribed.contains(&session) };
        *left -= 1;
        if *left == 0 {
            self.left.remove(&session);
        }
        false
    }

    /// Repairs what a lost hint, a moved slot or another link left undone.
    async fn tidy(&mut self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let all: Vec<SessionId> = self.subscribed.iter().cloned().collect();
        self.leave(connection, all).await?;
        self.subscribe_what_is_ours(connection).await?;
        if self.bringer.is_none()
            && let Some(mut bringer) = self.shared.plain.claim()
        {
            let mut ask = ::redis::pipe();
            ask.cmd("PSUBSCRIBE").arg(wire::PLAIN).cmd("TIME");
            match ask.query_async::<(Value, (i64, i64))>(connection).await {
                Ok((_, (seconds, micros))) => {
                    bringer.since = seconds * 1_000 + micros / 1_000;
                    self.bringer = Some(bringer);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {
                    // A user without that right. All else works, and asking again would not help: nobody claims now.
                    tracing::warn!(%error, "what back ends publish by themselves cannot be heard");
                }
                Err(error) => {
                    self.shared.plain.release();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.release_plain();
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
