//! What a page saw, as the browser SDK tells it (docs/beacons.md). Anybody can send one, so nothing in it is believed
//! beyond its bounds, and none of its words becomes a label.

use crate::{
    session::{cohort::Cohort, ids::SessionId},
    text::{
        object::{self, Object},
        said::plainly,
    },
};
use serde::Deserialize;

/// Bytes of a whole beacon.
pub const LONGEST: usize = 4_096;
/// Latencies in one, and fallbacks.
const MOST_LATENCIES: usize = 64;
const MOST_FALLBACKS: usize = 16;
/// A day, ms: what took longer was no delivery.
const LONGEST_MS: u32 = 86_400_000;

/// Why a page turned to polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallbackReason {
    NoEventSource,
    ConnectFailed,
    Watchdog,
    Buffered,
    Refused,
    TooManyTabs,
}

/// How the last status came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Stream,
    Poll,
    None,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Fallback {
    pub reason: FallbackReason,
    /// Since the page began to follow, ms.
    pub at_ms: u32,
}

/// One beacon, within its bounds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Beacon {
    v: u8,
    pub session: SessionId,
    pub page: String,
    pub seq: u32,
    pub mode: Mode,
    #[serde(default)]
    pub first_update_ms: Option<u32>,
    #[serde(default)]
    pub latencies_ms: Vec<u32>,
    #[serde(default)]
    pub refreshes: u32,
    #[serde(default)]
    pub status_checks: u32,
    #[serde(default, deserialize_with = "object::list")]
    pub fallbacks: Vec<Fallback>,
}

/// The messages address developers who write their own client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBeacon {
    #[error("a beacon has at most {LONGEST} bytes")]
    TooLong,
    #[error("a beacon is a JSON object as docs/beacons.md says: {0}")]
    Shape(String),
    #[error("{0} is out of its range")]
    OutOfRange(&'static str),
}

impl Beacon {
    pub fn parse(body: &[u8]) -> Result<Beacon, BadBeacon> {
        if body.len() > LONGEST {
            return Err(BadBeacon::TooLong);
        }
        let Object(beacon) = serde_json::from_slice::<Object<Beacon>>(body)
            .map_err(|error| BadBeacon::Shape(plainly(error)))?;
        let page = beacon.page.bytes();
        let checks = [
            ("v", beacon.v == 1),
            (
                "page",
                (1..=64).contains(&page.len())
                    && beacon.page.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            ),
            ("seq", beacon.seq <= i32::MAX.unsigned_abs()),
            ("first_update_ms", beacon.first_update_ms.is_none_or(|ms| ms <= LONGEST_MS)),
            (
                "latencies_ms",
                beacon.latencies_ms.len() <= MOST_LATENCIES
                    && beacon.latencies_ms.iter().all(|&ms| ms <= LONGEST_MS),
            ),
            ("refreshes", beacon.refreshes <= 1),
            ("status_checks", beacon.status_checks <= 10_000),
            (
                "fallbacks",
                beacon.fallbacks.len() <= MOST_FALLBACKS
                    && beacon.fallbacks.iter().all(|fallback| fallback.at_ms <= i32::MAX.unsigned_abs()),
            ),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(BadBeacon::OutOfRange(field)),
            None => Ok(beacon),
        }
    }
}

impl Beacon {
    /// Of a session of the control group polling is no fallback.
    pub fn fallbacks_of(&self, cohort: Cohort) -> &[Fallback] {
        match cohort {
            Cohort::Stream => &self.fallbacks,
            Cohort::Poll => &[],
        }
    }
}

/// Which beacons of a page came: it numbers them, and the network may turn their order or repeat one.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    top: u32,
    /// Of the 64 up to `top`, the latest lowest.
    came: u64,
}

impl Numbers {
    pub fn first(seq: u32) -> Numbers {
        Numbers { top: seq, came: 1 }
    }

    /// `false`: it came before, or so long ago that nobody knows.
    pub fn take(&mut self, seq: u32) -> bool {
        if seq > self.top {
            self.came = self.came.checked_shl(seq - self.top).unwrap_or(0) | 1;
            self.top = seq;
            return true;
        }
        let bit = 1_u64.checked_shl(self.top - seq).unwrap_or(0);
        let is_news = bit != 0 && self.came & bit == 0;
        self.came |= bit;
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn whole() -> Value {
        json!({
            "v": 1, "session": "tr-9f31", "page": "387-212-784", "seq": 0, "mode": "stream", "first_update_ms": 180,
            "latencies_ms": [12, 9, 31], "refreshes": 0, "status_checks": 1,
            "fallbacks": [{ "reason": "watchdog", "at_ms": 61204 }]
        })
    }

    fn check(change: &str, value: Value, expected: Result<(), &str>) {
        let mut beacon = whole();
        beacon[change] = value;
        let parsed = Beacon::parse(beacon.to_string().as_bytes()).map(drop);
        match (parsed, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(words)) if error.to_string().contains(words) => {}
            (got, _) => panic!("{change} of {beacon}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_beacon_is_taken_within_its_bounds_only() {
        let beacon = Beacon::parse(whole().to_string().as_bytes()).expect("a good one");
        assert_eq!(beacon.fallbacks, [Fallback { reason: FallbackReason::Watchdog, at_ms: 61_204 }]);
        assert_eq!((beacon.mode, beacon.first_update_ms), (Mode::Stream, Some(180)));
        check("first_update_ms", Value::Null, Ok(()));
        check("mode", json!("none"), Ok(()));
        check("v", json!(2), Err("v is out of its range"));
        check("page", json!(""), Err("page"));
        check("page", json!("a b"), Err("page"));
        check("page", json!("a".repeat(65)), Err("page"));
        check("seq", json!(-1), Err("JSON"));
        check("seq", json!(3_000_000_000_u32), Err("seq"));
        check("session", json!("a/b"), Err("JSON"));
        check("latencies_ms", json!(vec![1; 65]), Err("latencies_ms"));
        check("latencies_ms", json!([86_400_001]), Err("latencies_ms"));
        check("latencies_ms", json!([1.5]), Err("JSON"));
        check("refreshes", json!(2), Err("refreshes"));
        check("status_checks", json!(10_001), Err("status_checks"));
        check("fallbacks", json!([{ "reason": "boredom", "at_ms": 1 }]), Err("JSON"));
        check("fallbacks", json!([["watchdog", 1]]), Err("expected an object"));
        check("colour", json!("x".repeat(5_000)), Err("at most 4096 bytes"));
        check("mode", json!({ "\n": 1 }), Err("unknown variant ` `"));
        assert!(Beacon::parse(b"").is_err() && Beacon::parse(b"[]").is_err());
    }

    proptest! {
        /// However they come, each number within reach of the highest counts once.
        #[test]
        fn a_number_counts_once(seqs in prop::collection::vec(0_u32..60, 1..200)) {
            let mut numbers = Numbers::first(seqs[0]);
            let taken = 1 + seqs[1..].iter().filter(|&&seq| numbers.take(seq)).count();
            let all: std::collections::BTreeSet<u32> = seqs.iter().copied().collect();
            prop_assert_eq!(taken, all.len());
            prop_assert!(!numbers.take(seqs[0]));
            prop_assert!(numbers.take(5_000) && !numbers.take(4_900));
        }

        /// Whatever is sent, the answer is a beacon within its bounds or a sentence.
        #[test]
        fn nothing_breaks_the_parser(body in prop::collection::vec(any::<u8>(), 0..6_000)) {
            if let Ok(beacon) = Beacon::parse(&body) {
                prop_assert!(beacon.latencies_ms.len() <= MOST_LATENCIES);
            }
        }
    }
}
