//! Where followers are: names that a proxy or a GeoIP file gives, few enough to be measured apart.

mod counts; // how many of each
mod place; // where a region lies on the map

pub use counts::Counts;
pub use place::{Place, place};

use std::{
    net::IpAddr,
    sync::{PoisonError, RwLock},
};

/// A follower's region as the hot path carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Region(u8);

/// Regions with a name of their own. Further names become [`Region::OTHER`], so that a client that sets the header
/// cannot fill the memory or the history.
pub const NAMED: usize = 32;

impl Region {
    /// Nobody said: measured with all others, and not apart.
    pub const UNKNOWN: Region = Region(0);
    pub const OTHER: Region = Region(NAMED as u8 + 1);
    /// Values that a region can have.
    pub const COUNT: usize = NAMED + 2;

    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The one with this [`Region::index`].
    pub fn at(index: usize) -> Region {
        Region(index.min(Region::COUNT - 1) as u8)
    }

    pub fn is_known(self) -> bool {
        self != Region::UNKNOWN
    }
}

/// A region's name as people read it: countries have their code in capitals.
pub fn shown_name(region: &str) -> String {
    if region.len() == 2 { region.to_ascii_uppercase() } else { region.to_owned() }
}

/// The names of this node's regions, in the order in which they came.
#[derive(Debug, Default)]
pub struct Regions(RwLock<Vec<String>>);

impl Regions {
    /// `name` as [`normal`] makes it.
    pub fn of(&self, name: &str) -> Region {
        let find = |names: &Vec<String>| names.iter().position(|known| known == name);
        let numbered = |index: usize| Region(index as u8 + 1);
        if let Some(index) = find(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return numbered(index);
        }
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match find(&names) {
            Some(index) => numbered(index),
            None if names.len() < NAMED => {
                names.push(name.to_owned());
                numbered(names.len() - 1)
            }
            None => Region::OTHER,
        }
    }

    /// All that have one, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort_unstable();
        names
    }

    /// `None` for the unknown.
    pub fn name(&self, region: Region) -> Option<String> {
        match region {
            Region::UNKNOWN => None,
            Region::OTHER => Some("other".into()),
            Region(number) => {
                let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
                names.get(usize::from(number) - 1).cloned()
            }
        }
    }
}

/// A region's name in small letters; `None` for what is none: 1 to 32 of `a-z 0-9 -`.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim();
    let good = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // What a proxy says where it does not know.
    let unknown = ["xx", "t1", "unknown", "zz"].iter().any(|word| text.eq_ignore_ascii_case(word));
    (good && !unknown).then(|| text.to_ascii_lowercase())
}

/// Addresses of one network, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(most), |prefix| prefix.trim().parse().ok())?;
        (prefix <= most).then_some(Network { address, prefix })
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
            IpAddr::V6(v6) => (u128::from(v6), 6),
        };
        let ((mine, family), (theirs, other)) = (bits(self.address), bits(address.to_canonical()));
        let mask = if self.prefix == 0 { 0 } else { u128::MAX << (128 - u32::from(self.prefix)) };
        family == other && mine & mask == theirs & mask
    }
}

/// The follower's own address: the last one in `X-Forwarded-For` that is not a trusted proxy. Any client could have
/// written what stands before it.
pub fn client_address(peer: IpAddr, forwarded: &str, proxies: &[Network]) -> IpAddr {
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.holds(address));
    let mut address = peer;
    for hop in forwarded.rsplit(',') {
        if !trusted(address) {
            break;
        }
        let Ok(before) = hop.trim().parse() else { break };
        address = before;
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_few() {
        let regions = Regions::default();
        let first = regions.of("eu-central");
        assert_eq!((regions.of("eu-central"), regions.name(first).as_deref()), (first, Some("eu-central")));
        for n in 0..40 {
            regions.of(&format!("r{n}"));
        }
        assert_eq!(regions.of("r39"), Region::OTHER);
        assert_eq!(regions.name(Region::OTHER).as_deref(), Some("other"));
        assert_eq!(regions.name(Region::UNKNOWN), None);
    }

    #[test]
    fn a_name_is_a_name() {
        assert_eq!(normal(" EU-Central "), Some("eu-central".into()));
        assert_eq!(normal("DE"), Some("de".into()));
        for bad in ["", "XX", "a b", "ü", "a\nb", &"a".repeat(33)] {
            assert_eq!(normal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_our_proxies_are_believed() {
        let proxies =
            ["127.0.0.0/8", "10.1.0.0/16", "::1"].map(|text| Network::parse(text).expect("a network"));
        let check = |peer: &str, forwarded, expected: &str| {
            let address = client_address(peer.parse().expect("an address"), forwarded, &proxies);
            assert_eq!(address.to_string(), expected, "{peer} said {forwarded:?}");
        };
        check("192.0.2.7", "203.0.113.9", "192.0.2.7");
        check("127.0.0.1", "203.0.113.9", "203.0.113.9");
        check("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9");
        check("::1", "", "::1");
        check("127.0.0.1", "garbage", "127.0.0.1");
        assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("here").is_none());
        assert!(Network::parse("0.0.0.0/0").expect("all").holds("192.0.2.1".parse().expect("an address")));
        assert!(proxies[0].holds("::ffff:127.0.0.1".parse().expect("an address")));
    }
}
