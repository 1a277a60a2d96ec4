//! A line scanner for event streams. It looks at each line where it lies in the read buffer and keeps only what the
//! event turned out to be; bytes are copied only for a line that a read has cut in two.

use super::mark::Mark;
use streamgauge_core::session::ids::EventId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Or no name at all, as other servers send theirs.
    #[default]
    Status,
    End,
    Ping,
    Gap,
    Idle,
    Reconnect,
    /// A name that this tool does not know.
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    pub id: Option<EventId>,
    pub mark: Option<Mark>,
    /// An `end` says that the session was completed.
    pub completed: bool,
}

/// A line longer than this is nothing of ours: a status event has at most 8 kB of data, which JSON may escape.
const MOST: usize = 128 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of the event stream is longer than 128 kB")]
pub struct TooLong;

#[derive(Default)]
pub struct Scanner {
    /// The beginning of a line that goes on in the next read. Given back when it is empty: ten thousand idle streams
    /// must not each keep a buffer.
    held: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The latest `retry:`, ms.
    pub retry_ms: Option<u32>,
}

impl Scanner {
    pub fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(Event)) -> Result<(), TooLong> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if self.held.is_empty() {
                self.line(line, &mut tell);
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(line);
                self.line(&held, &mut tell);
            }
            rest = after;
        }
        if !rest.is_empty() {
            self.held.extend_from_slice(rest);
        }
        if self.held.len() > MOST { Err(TooLong) } else { Ok(()) }
    }

    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Event)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                tell(event);
            }
        } else if let Some(data) = field(line, b"data:") {
            self.has_data = true;
            self.event.mark = Mark::find(data);
            if self.event.kind == Kind::End {
                const COMPLETED: &[u8] = b"\"state\":\"completed\"";
                self.event.completed = data.windows(COMPLETED.len()).any(|window| window == COMPLETED);
            }
        } else if let Some(name) = field(line, b"event:") {
            self.event.kind = match name {
                b"status" => Kind::Status,
                b"end" => Kind::End,
                b"ping" => Kind::Ping,
                b"gap" => Kind::Gap,
                b"idle" => Kind::Idle,
                b"reconnect" => Kind::Reconnect,
                _ => Kind::Other,
            };
        } else if let Some(id) = field(line, b"id:") {
            self.event.id = text(id).and_then(|id| id.parse().ok());
        } else if let Some(retry) = field(line, b"retry:") {
            self.retry_ms = text(retry).and_then(|ms| ms.parse().ok()).or(self.retry_ms);
        }
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge_core::session::{
        frame,
        status::{Draft, RawDraft, StatusEvent},
    };

    /// What a server sends, made by the server's own framing.
    fn wire() -> String {
        let status = |json: &str, id: &str| {
            let draft = Draft::check(serde_json::from_str::<RawDraft>(json).expect("JSON")).expect("a draft");
            frame::status(&StatusEvent::new(
                id.parse().expect("an id"),
                "s".parse().expect("an id"),
                draft,
                9,
            ))
        };
        [
            frame::retry(1_700),
            frame::ping(5, 15_000),
            status(r#"{"stage":"load","progress":1,"message":"é\n\"data\":[","data":[1,20,30]}"#, "a1-1"),
            ": a comment\n\n".into(),
            frame::gap(&"s".parse().expect("an id"), frame::GapReason::Evicted, None),
            status(r#"{"stage":"load","progress":2,"data":[4,50,60]}"#, "a1-4"),
            frame::idle(1),
            frame::reconnect(900),
            status(r#"{"stage":"load","progress":100,"state":"completed"}"#, "a1-5"),
        ]
        .concat()
    }

    fn events(parts: &[&[u8]]) -> (Vec<Event>, Option<u32>) {
        let (mut scanner, mut got) = (Scanner::default(), Vec::new());
        for part in parts {
            scanner.push(part, |event| got.push(event)).expect("short lines");
        }
        assert_eq!(scanner.held.capacity(), 0, "nothing is kept");
        (got, scanner.retry_ms)
    }

    #[test]
    fn the_servers_own_frames_are_understood() {
        let (events, retry) = events(&[wire().as_bytes()]);
        let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
        use Kind::{End, Gap, Idle, Ping, Reconnect, Status};
        assert_eq!(kinds, [Ping, Status, Gap, Status, Idle, Reconnect, End]);
        assert_eq!(events[1].mark, Some(Mark { number: 1, due_us: 20, sent_us: 30 }));
        assert_eq!(events[3].id, "a1-4".parse().ok());
        assert!(events[6].completed && !events[3].completed);
        assert_eq!(retry, Some(900));
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert_eq!(Scanner::default().push(&vec![b'x'; MOST + 1], |_| ()), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(cuts in prop::collection::vec(0usize..900, 0..12)) {
            let wire = wire();
            let wire = wire.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).chain([0, wire.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&parts), events(&[wire]));
        }
    }
}
