//! A broker whose work is seen in traces. Stands before the real one only where telemetry is on.

use super::{Answer, Broker, BrokerError, Current, Health, Lease, Poll, Publication, Published};
use crate::telemetry::{System, step};
use std::sync::Arc;
use streamgauge_core::session::{history::SessionHistory, ids::SessionId};

pub struct TracedBroker {
    broker: Arc<dyn Broker>,
    system: System,
}

impl TracedBroker {
    /// `system`: the name of the broker's system in spans.
    pub fn new(broker: Arc<dyn Broker>, system: System) -> TracedBroker {
        TracedBroker { broker, system }
    }

    fn step<'a, T: 'a>(&self, name: &'static str, work: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(step(name, self.system, is_away, work))
    }
}

/// A session that has ended is an answer like any other.
fn is_away<T>(answer: &Result<T, BrokerError>) -> bool {
    matches!(answer, Err(BrokerError::Away(_) | BrokerError::OutOfMemory))
}

impl Broker for TracedBroker {
    fn create<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        self.step("broker create", self.broker.create(session))
    }

    fn publish<'a>(
        &'a self,
        session: &'a SessionId,
        say: Publication,
        key: Option<&'a str>,
    ) -> Answer<'a, Published> {
        self.step("broker publish", self.broker.publish(session, say, key))
    }

    fn watch<'a>(&'a self, session: &'a SessionId) -> Answer<'a, SessionHistory> {
        self.step("broker watch", self.broker.watch(session))
    }

    fn unwatch(&self, session: &SessionId) {
        self.broker.unwatch(session);
    }

    fn lease<'a>(&'a self, session: &'a SessionId, user: &'a str, most: u32) -> Answer<'a, Option<Lease>> {
        self.step("broker lease", self.broker.lease(session, user, most))
    }

    fn current<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Current>> {
        self.step("broker current", self.broker.current(session))
    }

    fn poll<'a>(&'a self, session: &'a SessionId, interval_ms: u32) -> Answer<'a, Option<Poll>> {
        self.step("broker poll", self.broker.poll(session, interval_ms))
    }

    fn falls_back<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool> {
        self.step("broker falls back", self.broker.falls_back(session))
    }

    fn health(&self) -> Health {
        self.broker.health()
    }
}
