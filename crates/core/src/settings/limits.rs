//! How many streams, how often, how long: the settings that may change while a node runs.

pub use super::table::{Limit, Limits};

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: a host with one IPv6 address has all 2^64 of its network.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        address => address.to_canonical(),
    }
}

/// A value that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    #[error("{0:?} is no limit.")]
    Unknown(String),
    #[error("{} is {value}, but must be {}.", limit.name(), limit.allowed())]
    OutOfBounds { limit: Limit, value: String },
}

impl Limits {
    /// Takes over some of the numbers, all or none of them.
    pub fn change(&self, wishes: &serde_json::Map<String, serde_json::Value>) -> Result<Limits, BadLimit> {
        let mut changed = self.clone();
        for (name, value) in wishes {
            let limit = Limit::ALL.iter().find(|limit| limit.name() == name);
            let &limit = limit.ok_or_else(|| BadLimit::Unknown(name.clone()))?;
            let (least, most) = limit.bounds();
            // To JSON, 60.0 is the same number as 60.
            let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
            let number = value.as_u64().or_else(|| Some(whole()? as u64));
            let number = number.and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| (least..=most).contains(number));
            changed
                .put(limit, number.ok_or_else(|| BadLimit::OutOfBounds { limit, value: value.to_string() })?);
        }
        Ok(changed)
    }

    /// The limits that differ in `new`: their values here, and there.
    pub fn differences(&self, new: &Limits) -> (Values, Values) {
        let differing = || Limit::ALL.iter().filter(|&&limit| self.get(limit) != new.get(limit));
        let values = |limits: &Limits| {
            differing().map(|&limit| (limit.name().to_owned(), limits.get(limit).into())).collect()
        };
        (values(self), values(new))
    }
}

/// Limits by name.
pub type Values = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_with_its_network() {
        let check = |address: &str, expected: &str| {
            let address = network(address.parse().expect("an address"));
            assert_eq!(address.to_string(), expected);
        };
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }

    #[test]
    fn defaults_are_within_their_bounds_and_those_of_the_protocol() {
        let limits = Limits::default();
        for &limit in Limit::ALL {
            let (least, most) = limit.bounds();
            assert!((least..=most).contains(&limit.default()), "{}", limit.name());
            assert_eq!(limits.get(limit), limit.default());
        }
        assert_eq!((limits.max_connections, limits.streams_per_user_and_session), (10_000, 3));
        assert_eq!((limits.heartbeat_ms, limits.idle_close_ms, limits.batch_ms), (15_000, 300_000, 0));
        assert_eq!(limits.drain_window_ms, 20_000);
    }

    #[test]
    fn only_limits_that_differ_are_a_difference() {
        let old = Limits::default();
        let new = Limits { batch_ms: 250, heartbeat_ms: 100, ..Limits::default() };
        let (before, after) = old.differences(&new);
        let values = |values: Values| serde_json::Value::from(values);
        assert_eq!(values(before), serde_json::json!({"heartbeat_ms": 15_000, "batch_ms": 0}));
        assert_eq!(values(after), serde_json::json!({"heartbeat_ms": 100, "batch_ms": 250}));
        assert!(new.differences(&new).0.is_empty());
    }

    #[test]
    fn a_change_is_whole_or_not_at_all() {
        let check = |wishes: serde_json::Value, expected: Result<(u32, u32), &str>| {
            let changed = Limits::default().change(wishes.as_object().expect("an object"));
            let got = changed.map(|limits| (limits.batch_ms, limits.max_connections));
            assert_eq!(got.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{wishes}");
        };
        check(serde_json::json!({}), Ok((0, 10_000)));
        check(serde_json::json!({"batch_ms": 250, "max_connections": 5}), Ok((250, 5)));
        check(serde_json::json!({"batch_ms": 250.0}), Ok((250, 10_000)));
        check(
            serde_json::json!({"batch_ms": 2.5}),
            Err("batch_ms is 2.5, but must be a whole number from 0 to 1000."),
        );
        check(
            serde_json::json!({"batch_ms": 1001}),
            Err("batch_ms is 1001, but must be a whole number from 0 to 1000."),
        );
        check(
            serde_json::json!({"batch_ms": "9"}),
            Err("batch_ms is \"9\", but must be a whole number from 0 to 1000."),
        );
        check(serde_json::json!({"batch": 9}), Err("\"batch\" is no limit."));
    }
}
