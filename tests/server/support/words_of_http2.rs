//! Frames of HTTP/2, for clients that no library would be.

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_OF_STREAM_AND_HEAD: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Asks for the path over a new connection, and gives its answer no room.
pub fn asks(path: &str) -> Vec<u8> {
    let text = |name: u8, value: &str| [&[name, value.len() as u8], value.as_bytes()].concat();
    // `:method GET`, `:scheme http`, then path and authority in words.
    let head = [vec![0x82, 0x86], text(0x04, path), text(0x01, "localhost")].concat();
    let hello = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // SETTINGS_INITIAL_WINDOW_SIZE = 0.
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(HEADERS, END_OF_STREAM_AND_HEAD, 1, &head),
    ];
    hello.concat()
}

/// Whether a frame with this head wants an answer.
pub fn is_ping(head: &[u8; 9]) -> bool {
    head[3] == PING && head[4] & ACK == 0
}

pub fn pong(payload: &[u8]) -> Vec<u8> {
    frame(PING, ACK, 0, payload)
}
