//! Decides which events of a received message, or of a history that was read, go to the followers.

use super::{store::Store, table::Table, wire};
use crate::{
    broker::BrokerError,
    clock,
    measure::Recorder,
    stream::{Hub, Message},
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use streamgauge_core::{
    metric::measure::{counters::Counter, sample::Measure},
    session::{frame::GapReason, heard::Verdict, ids::SessionId, status::StatusEvent},
};

/// Histories read at the same time.
const READS: usize = 32;
/// The pause before histories that could not be read are tried again. After the subscriber has reconnected, the connection
/// for commands may still have to find out that it is dead.
const PAUSE: Duration = Duration::from_millis(250);

pub struct Hearing {
    pub table: Table,
    pub store: Store,
    pub hub: Hub,
    pub recorder: Recorder,
}

impl Hearing {
    /// One message from Redis. `false`: the session has no follower here any more.
    pub fn hear(&self, session: &SessionId, payload: &str) -> bool {
        let Some((event, accepted_us)) = wire::parse(session, payload) else {
            tracing::warn!(%session, "passed over a message that this version cannot read");
            return true;
        };
        let mut entry = self.table.entry(session);
        let Some(heard) = entry.heard() else { return false };
        self.recorder.record_since(Measure::PublishLag, accepted_us, clock::now_us());
        match heard.standing.hear(&event) {
            Verdict::Nothing => {}
            Verdict::ReadHistory => self.table.fall_behind_in(heard, session),
            Verdict::Next => {
                self.hub.deliver(session, Message::live(&event, accepted_us));
            }
            Verdict::NewEpoch => self.tell_gap(session, &event, GapReason::Epoch),
        }
        drop(entry);
        // One task receives for all sessions of a connection, so it never writes to sockets.
        self.hub.wake(session);
        true
    }

    /// Reads the histories of sessions that fell behind, each in a task of its own, so that none delays another.
    pub async fn catch_up(self: Arc<Self>) {
        let mut reads = FuturesUnordered::new();
        // Each session is in the table, and in this queue once.
        let mut failed: Vec<SessionId> = Vec::new();
        let mut pause = tokio::time::interval(PAUSE);
        loop {
            tokio::select! {
                session = self.table.next_behind(), if reads.len() < READS => reads.push(async {
                    let read = self.read_on(&session).await;
                    (session, read)
                }),
                Some((session, read)) = reads.next() => match read {
                    Ok(()) => {
                        self.table.done(&session, true);
                    }
                    Err(error) => {
                        tracing::debug!(%session, %error, "its history could not be read");
                        failed.push(session);
                    }
                },
                // After a session's last event no other event could show the gap, so this is repeated until it works.
                _ = pause.tick() => failed.drain(..).for_each(|session| {
                    self.table.done(&session, false);
                }),
            }
        }
    }

    /// Delivers the events that this node has missed of the session, or a gap if they are lost.
    async fn read_on(&self, session: &SessionId) -> Result<(), BrokerError> {
        let Some(before) = self.table.position(session) else { return Ok(()) };
        // Redis came back empty: the session's next event starts a new epoch, which shows the gap.
        let Some(mut held) = self.store.held(session).await? else { return Ok(()) };
        if before.contradicts(&held) {
            self.store.renumber(session, held.epoch, before.id.epoch).await?;
            let Some(renumbered) = self.store.held(session).await? else { return Ok(()) };
            held = renumbered;
        }
        self.hub.room(session).await;
        let mut entry = self.table.entry(session);
        let Some(heard) = entry.heard() else { return Ok(()) };
        let (gap, events) = heard.standing.catch_up(held);
        for event in &events {
            match gap {
                Some(reason) => self.tell_gap(session, event, reason),
                None => {
                    self.hub.deliver(session, Message::live(event, event.at * 1_000));
                }
            }
        }
        drop(entry);
        self.hub.wake(session);
        Ok(())
    }

    fn tell_gap(&self, session: &SessionId, event: &StatusEvent, reason: GapReason) {
        let told = self.hub.deliver(session, Message::after_gap(event, reason));
        self.recorder.add(Counter::Gaps, told);
    }
}
