//! The names that travel: sessions, epochs, events.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Names one session: 1 to 128 of `A-Z a-z 0-9 . _ ~ -`.
///
/// The alphabet is RFC 3986's unreserved characters, so an id needs no escaping in a path, a Redis
/// key, a log line or an SSE field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(Box<str>);

impl SessionId {
    pub const MAX: usize = 128;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The session by which a node probes itself: nobody else may use it, and nothing of it is counted as traffic.
    pub fn probe(node: &str) -> Option<SessionId> {
        format!("{PROBE}{node}").parse().ok()
    }

    pub fn is_probe(&self) -> bool {
        self.0.starts_with(PROBE)
    }
}

const PROBE: &str = "~probe.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")]
pub struct BadSessionId;

impl FromStr for SessionId {
    type Err = BadSessionId;

    fn from_str(text: &str) -> Result<Self, BadSessionId> {
        if is_id(text) { Ok(SessionId(text.into())) } else { Err(BadSessionId) }
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    // "." and ".." are path segments with a meaning of their own: a proxy would fold them away.
    let folds = text == "." || text == "..";
    (1..=SessionId::MAX).contains(&text.len()) && text.bytes().all(allowed) && !folds
}

impl TryFrom<String> for SessionId {
    type Error = BadSessionId;
    fn try_from(text: String) -> Result<Self, BadSessionId> {
        if is_id(&text) { Ok(SessionId(text.into())) } else { Err(BadSessionId) }
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a session's history. It changes when events could have been lost (a restart without
/// Redis, a Redis that came back empty), so that an old position is recognised instead of misread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    /// No session has it. A follower with this epoch has been sent nothing, because the session had not begun.
    pub const NONE: Epoch = Epoch(0);

    /// The next one after `self`, the last that was given: named by the clock (Unix microseconds), so that a process that
    /// starts anew repeats none, and never the same or a lower one, whatever the clock does.
    pub fn next(self, now_us: i64) -> Epoch {
        Epoch(u64::try_from(now_us).unwrap_or(0).max(self.0 + 1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// Where one event stands in its session: `epoch-seq`, as in `id:` and `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    pub epoch: Epoch,
    /// 1 for the first event; 0 stands before it.
    pub seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event id is <epoch in hex>-<sequence number>")]
pub struct BadEventId;

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let (epoch, seq) = text.split_once('-').ok_or(BadEventId)?;
        // `from_str_radix` and `parse` take a leading '+', which no id of ours ever had.
        if epoch.starts_with('+') || seq.starts_with('+') {
            return Err(BadEventId);
        }
        let epoch = Epoch(u64::from_str_radix(epoch, 16).map_err(|_| BadEventId)?);
        let seq = seq.parse().map_err(|_| BadEventId)?;
        Ok(EventId { epoch, seq })
    }
}

impl EventId {
    /// Longest as text: 16 digits, a hyphen, 20 digits.
    const LONGEST: usize = 37;

    /// Calls `with` with the id as text. It stands twice in every event, and formatting it the usual way costs as much as
    /// the rest of the event.
    pub fn with_text<T>(self, with: impl FnOnce(&str) -> T) -> T {
        let mut text = [0; Self::LONGEST];
        let mut from = Self::LONGEST;
        let mut put = |digit: u64| {
            from -= 1;
            text[from] = b"0123456789abcdef-"[digit as usize];
        };
        digits::<10>(self.seq, &mut put);
        put(16);
        digits::<16>(self.epoch.0, &mut put);
        with(std::str::from_utf8(&text[from..]).unwrap_or_default())
    }
}

/// The last one first.
fn digits<const BASE: u64>(mut number: u64, mut put: impl FnMut(u64)) {
    loop {
        put(number % BASE);
        number /= BASE;
        if number == 0 {
            break;
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| out.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_checked_where_they_enter() {
        let check = |text: &str, good: bool| {
            assert_eq!(text.parse::<SessionId>().is_ok(), good, "{text:?}");
        };
        check("a", true);
        check("Job_7.part~2-b", true);
        check(&"x".repeat(128), true);
        check(&"x".repeat(129), false);
        check("", false);
        check("a b", false);
        check("a/b", false);
        check("a\nid: 1", false);
        check("é", false);
        check("..", false);
        check("...", true);
    }

    #[test]
    fn an_epoch_is_never_given_twice() {
        let check = |last: u64, now: i64, expected: u64| {
            assert_eq!(Epoch(last).next(now), Epoch(expected), "{last} {now}");
        };
        check(0, 1_700_000_000_000_000, 1_700_000_000_000_000);
        check(5, 9, 9);
        // The clock stands, was put back, or shows nothing sensible.
        check(9, 9, 10);
        check(9, 3, 10);
        check(0, 0, 1);
        check(0, -7, 1);
    }

    #[test]
    fn event_ids_read_back_what_they_write() {
        let id = EventId { epoch: Epoch(0x19ab), seq: 42 };
        assert_eq!(id.to_string(), "19ab-42");
        assert_eq!("19ab-42".parse(), Ok(id));
        for id in [
            EventId { epoch: Epoch(0), seq: 0 },
            EventId { epoch: Epoch(10), seq: 10 },
            EventId { epoch: Epoch(u64::MAX), seq: u64::MAX },
        ] {
            assert_eq!(id.to_string(), format!("{}-{}", id.epoch, id.seq));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for absurd in
            ["", "-", "1-", "-1", "zz-1", "1-1-1", "1--1", "+1-1", "1-+1", "1-99999999999999999999999"]
        {
            assert_eq!(absurd.parse::<EventId>(), Err(BadEventId), "{absurd:?}");
        }
    }
}
