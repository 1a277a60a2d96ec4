//! One status event, framed once for all its followers.

use bytes::{Bytes, BytesMut};
use streamgauge_core::session::{
    conflation::Waiting, frame, frame::GapReason, ids::EventId, status::StatusEvent,
};

/// What ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[derive(Debug)]
pub struct Message {
    pub id: EventId,
    /// The event as text. A slice of `chunk`.
    pub frame: Bytes,
    /// The same as a chunk of an HTTP/1.1 body, for sockets that are written without hyper; with the body's end
    /// behind it when the event ends its session.
    pub chunk: Bytes,
    pub ends: bool,
    /// A hash of the stage: of several progress events of one stage, only the latest matters.
    pub stage: u64,
    /// It is more than progress, so it must reach every follower.
    pub must: bool,
    /// When a node accepted it from its publisher, Unix microseconds. `None` for snapshots and
    /// replays, whose age says nothing about delivery.
    pub accepted_us: Option<i64>,
}

impl Message {
    pub fn live(event: &StatusEvent, accepted_us: i64) -> Message {
        Message { accepted_us: Some(accepted_us), ..Message::again(event) }
    }

    /// A snapshot or a replay.
    pub fn again(event: &StatusEvent) -> Message {
        Message::of(event, &frame::status(event), event.state.has_ended())
    }

    /// A snapshot after events that are no longer in the history.
    pub fn after_gap(event: &StatusEvent, reason: GapReason) -> Message {
        let text = frame::gap(&event.session, reason, Some(event.id)) + &frame::status(event);
        Message::of(event, &text, true)
    }

    /// As the conflation rule sees it.
    pub fn waiting(&self) -> Waiting {
        Waiting::Event { stage: self.stage, must: self.must }
    }

    fn of(event: &StatusEvent, text: &str, must: bool) -> Message {
        let ends = event.state.has_ended();
        let mut chunk = chunk(text.as_bytes());
        let head = chunk.len() - text.len() - CRLF.len();
        if ends {
            chunk.extend_from_slice(LAST_CHUNK);
        }
        let chunk = chunk.freeze();
        let frame = chunk.slice(head..head + text.len());
        Message { id: event.id, frame, chunk, ends, stage: stage(&event.stage), must, accepted_us: None }
    }
}

const CRLF: &[u8] = b"\r\n";

/// `text` as one chunk of a chunked body.
pub fn chunk(text: &[u8]) -> BytesMut {
    let mut chunk = BytesMut::with_capacity(text.len() + 24);
    let length = text.len();
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    chunk.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[length >> (4 * digit) & 15]));
    chunk.extend_from_slice(CRLF);
    chunk.extend_from_slice(text);
    chunk.extend_from_slice(CRLF);
    chunk
}

/// FNV-1a. If two stages of a session had the same hash (1 in 2^64), a slow reader would miss a stage change.
fn stage(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::session::{
        ids::Epoch,
        status::{Draft, State},
    };

    fn message(state: State) -> Message {
        let draft = Draft { state, stage: "upload".into(), progress: 7, message: None, data: None };
        let id = EventId { epoch: Epoch(1), seq: 2 };
        Message::again(&StatusEvent::new(id, "job".parse().expect("an id"), draft, 5))
    }

    #[test]
    fn the_chunk_is_the_frame_and_its_length() {
        let running = message(State::Running);
        let length = format!("{:x}\r\n", running.frame.len());
        assert_eq!(running.chunk, [length.as_bytes(), &running.frame, b"\r\n"].concat());
        let ended = message(State::Completed);
        assert!(ended.ends && ended.must && ended.chunk.ends_with(b"\n\n\r\n0\r\n\r\n"));
        assert!(ended.frame.ends_with(b"}\n\n"));
        for length in [0, 1, 15, 16, 255, 256, 65_535, 65_536] {
            let text = vec![b'x'; length];
            let expected = [format!("{length:x}\r\n").as_bytes(), &text, b"\r\n"].concat();
            assert_eq!(chunk(&text), expected, "{length}");
        }
    }
}
