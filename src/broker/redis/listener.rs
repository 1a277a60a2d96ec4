//! The subscriber connection: which sessions this node hears, and what it missed while it could not.
//!
//! One task owns the connection and a table of watched sessions, each with the position up to which this node
//! has heard it. A message that is not the next one, and every reconnect, is a reason to read the history: what
//! was missed is delivered late, and what history no longer holds is announced as a gap.

use super::{Store, wire};
use crate::{
    broker::BrokerError,
    clock,
    gauge::Recorder,
    stream::{Hub, Message},
};
use ::redis::{Client, Msg, aio::PubSubSink};
use futures::{StreamExt, future, stream};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use streamgauge_core::{
    frame::GapReason,
    history::{Ask, Opening, open},
    ids::{EventId, SessionId},
    measure::{counters::Counter, sample::Measure},
    status::StatusEvent,
};
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait. A full queue makes `watch` wait, which slows new streams and nothing else.
const QUEUE: usize = 1_024;
/// Channels in one SUBSCRIBE after a reconnect.
const BATCH: usize = 500;
/// Histories read at the same time after a reconnect.
const READS: usize = 32;
/// How often, and after which pause, a history that could not be read is tried again. After a new connection to
/// listen, the one for commands may still have to find out that it is dead.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// How this node hears each session it has followers of. Shared, so that leaving needs no wait.
type Table = Arc<Mutex<HashMap<SessionId, Heard>>>;

#[derive(Default)]
struct Heard {
    /// Watches that are not paid back yet.
    watches: usize,
    /// `None` until the first reading of the history.
    position: Option<EventId>,
}

pub struct Listener {
    table: Table,
    commands: mpsc::Sender<Command>,
}

enum Command {
    Subscribe(SessionId, oneshot::Sender<Result<(), BrokerError>>),
    /// Someone left; if nobody is left, so does the node.
    Left(SessionId),
}

/// A watch that goes back by itself unless it is kept.
pub struct Watch<'a> {
    listener: &'a Listener,
    session: SessionId,
    kept: bool,
}

impl Watch<'_> {
    /// From now on [`Listener::unwatch`] pays it back. `position`: what the follower has read up to.
    pub fn keep(mut self, position: EventId) {
        self.kept = true;
        if let Some(heard) = table(&self.listener.table).get_mut(&self.session) {
            heard.position.get_or_insert(position);
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.listener.unwatch(&self.session);
        }
    }
}

fn table(table: &Table) -> MutexGuard<'_, HashMap<SessionId, Heard>> {
    // The table is whole between any two statements, so a panic elsewhere does not spoil it.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    pub fn start(client: Client, store: Store, hub: Hub) -> Listener {
        let shared = Table::default();
        let (commands, queue) = mpsc::channel(QUEUE);
        let recorder = hub.recorder().clone();
        let task = Task { client, store, hub, recorder, table: shared.clone(), queue };
        tokio::spawn(task.run());
        Listener { table: shared, commands }
    }

    /// Answers once Redis has confirmed that this node hears the session.
    pub async fn watch(&self, session: &SessionId) -> Result<Watch<'_>, BrokerError> {
        table(&self.table).entry(session.clone()).or_default().watches += 1;
        let watch = Watch { listener: self, session: session.clone(), kept: false };
        let away = || BrokerError::Away("the subscriber connection is being made".into());
        let (reply, confirmed) = oneshot::channel();
        self.commands.send(Command::Subscribe(session.clone(), reply)).await.map_err(|_| away())?;
        confirmed.await.map_err(|_| away())??;
        Ok(watch)
    }

    pub fn unwatch(&self, session: &SessionId) {
        let mut table = table(&self.table);
        let Some(heard) = table.get_mut(session) else { return };
        heard.watches = heard.watches.saturating_sub(1);
        if heard.watches == 0 {
            // A full queue loses only this hint: the subscription then ends with the session's next message.
            let _ = self.commands.try_send(Command::Left(session.clone()));
        }
    }
}

struct Task {
    client: Client,
    store: Store,
    hub: Hub,
    recorder: Recorder,
    table: Table,
    queue: mpsc::Receiver<Command>,
}

impl Task {
    async fn run(mut self) {
        let mut wait = Duration::from_millis(50);
        loop {
            let connected = self.client.get_async_pubsub().await;
            let (sink, messages) = match connected {
                Ok(connection) => connection.split(),
                Err(error) => {
                    self.store.set_health(Some(error.to_string()));
                    if !self.refuse_for(wait, &error.to_string()).await {
                        return;
                    }
                    wait = (wait * 2).min(Duration::from_secs(1));
                    continue;
                }
            };
            wait = Duration::from_millis(50);
            if !self.listen(sink, messages).await {
                return;
            }
        }
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
                    self.forget(&session);
                }
            }
        }
    }

    /// Until the connection ends (`true`) or the broker is gone (`false`).
    async fn listen(
        &mut self,
        mut sink: PubSubSink,
        mut messages: impl stream::Stream<Item = Msg> + Unpin,
    ) -> bool {
        if self.resubscribe(&mut sink).await.is_err() {
            return true;
        }
        self.catch_up_all().await;
        loop {
            tokio::select! {
                command = self.queue.recv() => match command {
                    None => return false,
                    Some(Command::Subscribe(session, reply)) => {
                        // Subscribing twice is harmless, and Redis answers in order.
                        let result = sink.subscribe(wire::channel(&session)).await;
                        let lost = result.is_err();
                        let _ = reply.send(result.map_err(|error| BrokerError::Away(error.to_string())));
                        if lost {
                            return true;
                        }
                    }
                    Some(Command::Left(session)) => {
                        if self.forget(&session) && sink.unsubscribe(wire::channel(&session)).await.is_err() {
                            return true;
                        }
                    }
                },
                message = messages.next() => match message {
                    None => return true,
                    Some(message) => {
                        if let Some(nobody) = self.hear(&message).await
                            && sink.unsubscribe(wire::channel(&nobody)).await.is_err()
                        {
                            return true;
                        }
                    }
                },
            }
        }
    }

    async fn resubscribe(&mut self, sink: &mut PubSubSink) -> Result<(), ()> {
        let channels: Vec<String> = {
            let mut table = table(&self.table);
            table.retain(|_, heard| heard.watches > 0);
            table.keys().map(wire::channel).collect()
        };
        if !channels.is_empty() {
            tracing::info!(sessions = channels.len(), "subscribing again after a new connection to Redis");
        }
        for batch in channels.chunks(BATCH) {
            sink.subscribe(batch).await.map_err(|error| self.store.set_health(Some(error.to_string())))?;
        }
        Ok(())
    }

    /// After a reconnect: every watched session's position is compared with its history.
    async fn catch_up_all(&self) {
        let known: Vec<SessionId> = table(&self.table).keys().cloned().collect();
        self.catch_up(known).await;
    }

    /// Delivers what this node has not heard of the sessions. Tries again what fails: after a session's last event
    /// there is no other that could show the hole.
    async fn catch_up(&self, mut sessions: Vec<SessionId>) {
        for _ in 0..TRIES {
            let reads = stream::iter(sessions)
                .map(|session| async { self.read_on(&session).await.is_err().then_some(session) })
                .buffer_unordered(READS);
            sessions = reads.filter_map(future::ready).collect().await;
            if sessions.is_empty() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let sessions = sessions.len();
        tracing::warn!(sessions, "could not read what was missed; each session's next event tries again");
    }

    /// Delivers what this node has not heard of the session, or says that it is lost.
    async fn read_on(&self, session: &SessionId) -> Result<(), BrokerError> {
        let Some(position) = self.position(session) else { return Ok(()) };
        // Redis came back empty: the session's next event starts a new epoch, and that says the gap.
        let Some(held) = self.store.held(session).await? else { return Ok(()) };
        if let Opening::Stream { gap, first, position: top } = open(&held, Ask::Resume(position)) {
            self.set_position(session, top);
            for event in &first {
                match gap {
                    Some(reason) => self.tell_gap(session, event, reason),
                    None => {
                        self.hub.deliver(session, Message::live(event, event.at * 1_000));
                    }
                }
            }
        }
        Ok(())
    }

    /// One message from Redis. Answers the session when nobody here follows it any more.
    async fn hear(&self, message: &Msg) -> Option<SessionId> {
        let session = wire::session_of_channel(message.get_channel_name())?;
        let payload: String = message.get_payload().ok()?;
        let Some((event, accepted_us)) = wire::parse(&session, &payload) else {
            tracing::warn!(%session, "passed over a message that this version cannot read");
            return None;
        };
        let watched = table(&self.table).get(&session).is_some_and(|heard| heard.watches > 0);
        if !watched {
            self.forget(&session);
            return Some(session);
        }
        self.recorder.record_since(Measure::PublishLag, accepted_us, clock::now_us());
        match self.position(&session) {
            Some(position) if position.epoch != event.id.epoch => {
                self.set_position(&session, event.id);
                self.tell_gap(&session, &event, GapReason::Epoch);
            }
            Some(position) if event.id.seq <= position.seq => {}
            Some(position) if event.id.seq > position.seq + 1 => self.catch_up(vec![session.clone()]).await,
            // The next one; or nobody has read the history yet, then whoever does will find this one there too.
            Some(_) | None => {
                if self.position(&session).is_some() {
                    self.set_position(&session, event.id);
                }
                self.hub.room(&session).await;
                self.hub.deliver(&session, Message::live(&event, accepted_us));
            }
        }
        None
    }

    fn tell_gap(&self, session: &SessionId, event: &StatusEvent, reason: GapReason) {
        let told = self.hub.deliver(session, Message::after_gap(event, reason));
        self.recorder.add(Counter::Gaps, told);
    }

    fn position(&self, session: &SessionId) -> Option<EventId> {
        table(&self.table).get(session).and_then(|heard| heard.position)
    }

    fn set_position(&self, session: &SessionId, position: EventId) {
        if let Some(heard) = table(&self.table).get_mut(session) {
            heard.position = Some(position);
        }
    }

    /// Takes the session off the table if nobody watches it. `true`: it was on it.
    fn forget(&self, session: &SessionId) -> bool {
        let mut table = table(&self.table);
        let idle = table.get(session).is_some_and(|heard| heard.watches == 0);
        idle && table.remove(session).is_some()
    }
}
