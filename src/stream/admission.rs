//! Who may open one more stream. A permit is given back on drop, however the stream ends.

use super::limits::LiveLimits;
use crate::broker::{Broker, BrokerError, Lease};
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};
use streamgauge_core::{
    metric::region::Region,
    session::ids::SessionId,
    settings::limits::{Limit, network},
};

/// Who asks for a stream.
#[derive(Clone, Debug)]
pub struct Who {
    /// The ticket's subject; in open mode the query's `user`. `None` counts only for the address and the node.
    pub user: Option<Box<str>>,
    pub address: Option<IpAddr>,
    pub region: Region,
    /// Where the follower is and what it follows by, in words.
    pub from: String,
}

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Node,
    User,
    Address,
    UserAndSession,
}

/// What is open on this node, by user and by address. Holds an entry only for those that have a stream.
#[derive(Clone, Default)]
pub struct AdmissionControl(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    users: HashMap<Box<str>, u32>,
    addresses: HashMap<IpAddr, u32>,
}

/// What a stream holds besides its place on the node.
pub struct Permit {
    admission: AdmissionControl,
    user: Option<Box<str>>,
    address: Option<IpAddr>,
    _lease: Option<Lease>,
}

impl AdmissionControl {
    /// `Ok(None)`: this stream counts for the node alone.
    pub async fn admit(
        &self,
        broker: &Arc<dyn Broker>,
        limits: &LiveLimits,
        session: &SessionId,
        who: &Who,
    ) -> Result<Result<Option<Box<Permit>>, Over>, BrokerError> {
        let address = who.address.map(network).filter(|_| limits.get(Limit::StreamsPerAddress) > 0);
        if who.user.is_none() && address.is_none() {
            return Ok(Ok(None));
        }
        let mut permit = match self.count(limits, who.user.clone(), address) {
            Ok(permit) => permit,
            Err(over) => return Ok(Err(over)),
        };
        // The bound over all nodes last: it may cost a round trip. Refused, the permit gives the others back.
        if let Some(user) = permit.user.clone() {
            let most = limits.get(Limit::StreamsPerUserAndSession);
            match broker.lease(session, &user, most).await? {
                Some(lease) => permit._lease = Some(lease),
                None => return Ok(Err(Over::UserAndSession)),
            }
        }
        Ok(Ok(Some(Box::new(permit))))
    }

    /// For a stream of no session and no user. `Ok(None)`: it counts for the node alone.
    pub fn admit_address(
        &self,
        limits: &LiveLimits,
        address: Option<IpAddr>,
    ) -> Result<Option<Permit>, Over> {
        let address = address.map(network).filter(|_| limits.get(Limit::StreamsPerAddress) > 0);
        address.map(|address| self.count(limits, None, Some(address))).transpose()
    }

    fn count(
        &self,
        limits: &LiveLimits,
        user: Option<Box<str>>,
        address: Option<IpAddr>,
    ) -> Result<Permit, Over> {
        let mut counts = self.0.lock();
        let full = |count: Option<&u32>, limit| {
            let most = limits.get(limit);
            most > 0 && count.is_some_and(|&count| count >= most)
        };
        if user.as_ref().is_some_and(|user| full(counts.users.get(user), Limit::StreamsPerUser)) {
            return Err(Over::User);
        }
        if address.is_some_and(|address| full(counts.addresses.get(&address), Limit::StreamsPerAddress)) {
            return Err(Over::Address);
        }
        if let Some(user) = &user {
            *counts.users.entry(user.clone()).or_default() += 1;
        }
        if let Some(address) = address {
            *counts.addresses.entry(address).or_default() += 1;
        }
        Ok(Permit { admission: self.clone(), user, address, _lease: None })
    }

    #[cfg(test)]
    fn held(&self) -> (usize, usize) {
        let counts = self.0.lock();
        (counts.users.len(), counts.addresses.len())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.0.lock();
        if let Some(user) = &self.user {
            give_back(&mut counts.users, user);
        }
        if let Some(address) = &self.address {
            give_back(&mut counts.addresses, address);
        }
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::settings::limits::Limits;

    #[test]
    fn each_bound_refuses_by_its_own_name_and_nothing_stays() {
        let limits =
            LiveLimits::new(&Limits { streams_per_user: 2, streams_per_address: 3, ..Limits::default() });
        let admission = AdmissionControl::default();
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let ask = |user: &str| admission.count(&limits, Some(user.into()), Some(address));
        let held = [ask("a"), ask("a"), ask("b")];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(ask("a").err(), Some(Over::User));
        assert_eq!(ask("b").err(), Some(Over::Address));
        assert_eq!(admission.held(), (2, 1));
        drop(held);
        assert_eq!(admission.held(), (0, 0));
    }
}
