//! Which Redis has which session: all on one, or on a cluster by slot.

use super::{commands::Line, link::Command};
use ::redis::{ConnectionInfo, Value};
use parking_lot::RwLock;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use streamgauge_core::session::ids::SessionId;
use tokio::sync::{Notify, mpsc};

/// Slots from, to; host and port of their primary. A host is empty when it is the one that was asked.
pub type Owned = (u16, u16, String, u16);

/// The way to one primary.
pub struct Road {
    /// Its address, by which routes are compared when the cluster changes.
    pub address: String,
    /// With Sentinels, the login for the primary that they name.
    pub info: ConnectionInfo,
    pub commands: mpsc::Sender<Command>,
    /// Its subscriber connection.
    pub stands: AtomicBool,
    /// For commands, on a cluster.
    pub line: Option<Line>,
}

/// The routes as they are known now.
#[derive(Default)]
pub struct Map {
    routes: RwLock<Routes>,
    /// The routes may have changed: read them now.
    pub refresh: Notify,
}

impl Map {
    pub fn routes(&self) -> Routes {
        self.routes.read().clone()
    }

    pub fn set(&self, routes: Routes) {
        *self.routes.write() = routes;
    }

    pub fn road(&self, session: &SessionId) -> Option<Arc<Road>> {
        self.routes.read().of(session.as_str()).cloned()
    }

    /// The route to the key.
    pub fn road_of_key(&self, key: &str) -> Option<Arc<Road>> {
        let tag = key.split_once('{')?.1.split_once('}')?.0;
        self.routes.read().of(tag).cloned()
    }
}

#[derive(Clone, Default)]
pub struct Routes(Vec<(u16, u16, Arc<Road>)>);

impl Routes {
    pub fn new(ranges: Vec<(u16, u16, Arc<Road>)>) -> Routes {
        Routes(ranges)
    }

    /// `tag`: a session's id.
    pub fn of(&self, tag: &str) -> Option<&Arc<Road>> {
        if let [(0, 16_383, road)] = self.0.as_slice() {
            return Some(road);
        }
        let slot = slot(tag);
        self.0.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, road)| road)
    }

    pub fn road(&self, address: &str) -> Option<&Arc<Road>> {
        self.0.iter().map(|(_, _, road)| road).find(|road| road.address == address)
    }

    /// Each route once.
    pub fn roads(&self) -> Vec<Arc<Road>> {
        let mut roads: Vec<Arc<Road>> = Vec::new();
        for (_, _, road) in &self.0 {
            if !roads.iter().any(|known| Arc::ptr_eq(known, road)) {
                roads.push(road.clone());
            }
        }
        roads
    }

    pub fn any_stands(&self) -> bool {
        self.0.iter().any(|(_, _, road)| road.stands.load(Relaxed))
    }

    /// As text, to compare with the routes before.
    pub fn told(&self) -> Vec<(u16, u16, &str)> {
        self.0.iter().map(|(first, last, road)| (*first, *last, road.address.as_str())).collect()
    }
}

/// CRC16 (XMODEM) of the hash tag, which is the session's id, as the cluster's specification has it.
fn slot(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16_384
}

/// The answer to `CLUSTER SLOTS`. `None`: in a shape that no version has.
pub fn owned(answer: &Value) -> Option<Vec<Owned>> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Nil => Some(String::new()),
        _ => None,
    };
    let number = |value: &Value| match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let Value::Array(ranges) = answer else { return None };
    let range = |range: &Value| {
        let Value::Array(range) = range else { return None };
        let [first, last, Value::Array(primary), ..] = range.as_slice() else { return None };
        let [host, port, ..] = primary.as_slice() else { return None };
        Some((number(first)?, number(last)?, text(host)?, number(port)?))
    };
    let mut owned: Vec<Owned> = ranges.iter().map(range).collect::<Option<_>>()?;
    owned.sort();
    Some(owned)
}

#[cfg(test)]
mod tests {
    use super::{super::wire, *};
    use ::redis::cluster_routing::Slot;

    #[test]
    fn slots_are_read_from_the_answer() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node =
            |port| Value::Array(vec![text("10.0.0.1"), Value::Int(port), text("id"), Value::Array(vec![])]);
        let range = |first, last, port| {
            Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(port + 10)])
        };
        let answer = Value::Array(vec![range(8_000, 16_383, 2), range(0, 7_999, 1)]);
        let host = || "10.0.0.1".to_owned();
        assert_eq!(owned(&answer), Some(vec![(0, 7_999, host(), 1), (8_000, 16_383, host(), 2)]));
        assert_eq!(owned(&Value::Array(vec![])), Some(vec![]));
        assert_eq!(owned(&text("ERR")), None);
    }

    #[test]
    fn all_of_a_session_lies_in_one_slot() {
        let session: SessionId = "job-1".parse().expect("an id");
        let keys = [wire::state_key(&session), wire::history_key(&session), wire::channel(&session)];
        assert!(keys.iter().all(|key| Some(Slot::for_key(key)) == Slot::new(slot(session.as_str()))));
        assert_eq!(slot("123456789"), 0x31c3, "the specification's example");
    }
}
