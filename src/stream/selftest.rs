//! Places for self-tests: streams of no session, by which clients find out whether a proxy holds events back.

use super::{
    admission::{Over, Permit},
    hub::TestPlace,
    open::Door,
};
use std::net::IpAddr;

/// A place among the node's streams, and among those of its address, until it is dropped.
pub struct SelfTest {
    _place: TestPlace,
    _permit: Option<Permit>,
}

impl SelfTest {
    pub fn admit(door: &Door, address: Option<IpAddr>) -> Result<SelfTest, Over> {
        let place = door.hub.test().ok_or(Over::Node)?;
        let permit = door.admission.admit_address(door.hub.limits(), address)?;
        Ok(SelfTest { _place: place, _permit: permit })
    }
}
