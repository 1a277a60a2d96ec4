//! What a message says about itself, in the event's `data`: so a receiver needs no memory shared with the sender.

use std::io::Write;

/// Times are microseconds after the run's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// 1 for a session's first message.
    pub number: u64,
    /// When it should have been sent.
    pub due_us: u64,
    /// When it was.
    pub sent_us: u64,
}

/// An array keeps its order through any JSON library; an object's keys may not.
const OPENING: &[u8] = b"\"data\":[";

impl Mark {
    pub fn write(self, out: &mut Vec<u8>) {
        // Writing into a Vec cannot fail.
        let _ = write!(out, "\"data\":[{},{},{}]", self.number, self.due_us, self.sent_us);
    }

    /// The mark in an event's JSON. It stands near the end, so the search begins there.
    pub fn find(json: &[u8]) -> Option<Mark> {
        let at = json.windows(OPENING.len()).rposition(|window| window == OPENING)?;
        let mut rest = json.get(at + OPENING.len()..)?;
        let number = number(&mut rest, b',')?;
        let due_us = self::number(&mut rest, b',')?;
        let sent_us = self::number(&mut rest, b']')?;
        Some(Mark { number, due_us, sent_us })
    }
}

/// Digits up to `end`, which is taken too.
fn number(rest: &mut &[u8], end: u8) -> Option<u64> {
    let mut value: u64 = 0;
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            _ if *byte == end && index > 0 => {
                *rest = &rest[index + 1..];
                return Some(value);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_again() {
        let mark = Mark { number: 7, due_us: 1_000_000, sent_us: 1_000_042 };
        let mut json = b"{\"id\":\"a-1\",\"message\":\"\\\"data\\\":[1]\",".to_vec();
        mark.write(&mut json);
        json.extend_from_slice(b",\"at\":1}");
        assert_eq!(Mark::find(&json), Some(mark));
        for bad in [
            "",
            "{}",
            "\"data\":[",
            "\"data\":[1,2]",
            "\"data\":[1,2,x]",
            "\"data\":[,,]",
            "\"data\":[1,2,99999999999999999999]",
        ] {
            assert_eq!(Mark::find(bad.as_bytes()), None, "{bad}");
        }
    }
}
