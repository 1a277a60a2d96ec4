//! The sessions of a reactor, and who follows them.

use super::super::message::Message;
use crate::{broker::Broker, measure::Recorder};
use slab::Slab;
use std::{collections::HashMap, sync::Arc};
use streamgauge_core::session::{cohort::Cohort, ids::SessionId};

pub struct Session {
    pub key: u64,
    pub id: SessionId,
    pub cohort: Cohort,
    /// Counts its deliveries; silent for the probe.
    pub recorder: Recorder,
    pub broker: Arc<dyn Broker>,
    /// Keys of parked sockets.
    pub followers: Vec<u32>,
    /// When its last events were written, ms on the reactor's clock.
    pub last_out: Option<u64>,
    /// Events that wait for the batching interval to pass.
    pub batch: Vec<Arc<Message>>,
    /// When each of them came, ms on the reactor's clock.
    pub batch_came: Vec<u64>,
    /// Deliveries that the batch owes: each of its events times the followers that were there when it came.
    pub owed: u64,
}

/// By key, as the hub names them, and by index, as sockets do.
#[derive(Default)]
pub struct Sessions {
    all: Slab<Session>,
    by_key: HashMap<u64, u32>,
}

impl Sessions {
    pub fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    pub fn get(&mut self, index: u32) -> &mut Session {
        &mut self.all[index as usize]
    }

    pub fn try_get(&mut self, index: u32) -> Option<&mut Session> {
        self.all.get_mut(index as usize)
    }

    pub fn find_or_add(
        &mut self,
        key: u64,
        id: SessionId,
        cohort: Cohort,
        broker: &Arc<dyn Broker>,
        recorder: &Recorder,
    ) -> u32 {
        *self.by_key.entry(key).or_insert_with(|| {
            let (broker, recorder) = (broker.clone(), recorder.of(&id));
            let (followers, batch, batch_came) = (Vec::new(), Vec::new(), Vec::new());
            let session = Session {
                key,
                id,
                cohort,
                recorder,
                broker,
                followers,
                last_out: None,
                batch,
                batch_came,
                owed: 0,
            };
            // Indices are below the number of sessions held, which is far below 2^32.
            self.all.insert(session) as u32
        })
    }

    pub fn remove(&mut self, index: u32) {
        let session = self.all.remove(index as usize);
        self.by_key.remove(&session.key);
    }
}
