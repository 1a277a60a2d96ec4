//! Places for self-tests: streams of no session, by which clients find out whether a proxy holds events back.

use super::{
    admission::{Over, Permit},
    hub::TestPlace,
    open::StreamContext,
};
use std::net::IpAddr;

/// A place among the node's streams, and among those of its address, until it is dropped.
pub struct SelfTest {
    _place: TestPlace,
    _permit: Option<Permit>,
}

impl SelfTest {
    pub fn admit(context: &StreamContext, address: Option<IpAddr>) -> Result<SelfTest, Over> {
        let place = context.hub.test().ok_or(Over::Node)?;
        let permit = context.admission.admit_address(context.hub.limits(), address)?;
        Ok(SelfTest { _place: place, _permit: permit })
    }
}
