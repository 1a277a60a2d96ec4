//! Whatever a publisher says, and whatever numbers the server has, comes out as one frame with one event each, as a
//! client reads it by the specification.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use streamgauge_core::session::{
    frame::{self, GapReason},
    ids::{Epoch, EventId, SessionId},
    status::{Draft, RawDraft, StatusEvent},
};

#[derive(Debug, PartialEq)]
struct Event {
    /// The last one that the stream named: it stays.
    id: String,
    name: String,
    data: String,
}

/// Events, and each `retry`, as the specification of Server-Sent Events has them: lines end with CR, LF or both.
fn read(stream: &str) -> (Vec<Event>, Vec<u32>) {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut retries) = (Vec::new(), Vec::new());
    let (mut id, mut name, mut data) = (String::new(), String::new(), None::<String>);
    // What has no blank line behind it is no event yet.
    for line in stream.split_terminator('\n') {
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            events.extend(data.take().map(|data| Event { id: id.clone(), name, data }));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = value.into(),
            "event" => name = value.into(),
            "data" => data = Some(data.map_or(value.into(), |before| before + "\n" + value)),
            "retry" => retries.push(value.parse().expect("digits")),
            _ => panic!("no such field: {line}"),
        }
    }
    (events, retries)
}

/// One event with this name and data, alone and between two others.
fn check(frame: &str, name: &str, data: Option<&Value>, retry: Option<u32>) {
    let around = frame::ping(0, 0);
    let (alone, (among, retries)) = (read(frame), read(&[&around, frame, &around].concat()));
    assert_eq!((alone.1, retries), (Vec::from_iter(retry), Vec::from_iter(retry)));
    assert_eq!((alone.0.len(), among.len()), (usize::from(data.is_some()), 2 + alone.0.len()));
    if let (Some(data), [event]) = (data, &alone.0[..]) {
        assert_eq!(event, &among[1]);
        assert_eq!((event.id.as_str(), event.name.as_str()), ("", name));
        assert_eq!(&serde_json::from_str::<Value>(&event.data).expect("what a client reads"), data);
    }
}

fn numbers(body: &[u8]) {
    let mut bytes = [0; 8];
    let length = body.len().min(8);
    bytes[..length].copy_from_slice(&body[..length]);
    let (at, long, short) =
        (i64::from_le_bytes(bytes), u64::from_le_bytes(bytes), u64::from_le_bytes(bytes) as u32);
    check(&frame::retry(short), "", None, Some(short));
    check(&frame::ping(at, short), "ping", Some(&json!({ "at": at, "heartbeat_ms": short })), None);
    check(&frame::tick(short, at), "tick", Some(&json!({ "n": short, "at": at })), None);
    check(&frame::idle(long), "idle", Some(&json!({ "after_ms": long })), None);
    check(&frame::reconnect(short), "reconnect", Some(&json!({ "in_ms": short })), Some(short));
    let Some(session) = std::str::from_utf8(body).ok().and_then(|text| text.parse::<SessionId>().ok()) else {
        return;
    };
    for reason in [GapReason::Unknown, GapReason::Evicted, GapReason::Epoch] {
        for at in [None, Some(EventId { epoch: Epoch(long), seq: long })] {
            let data = json!({
                "session": session.to_string(), "reason": reason.as_str(), "resumes_at": at.map(|at| at.to_string())
            });
            check(&frame::gap(&session, reason, at), "gap", Some(&data), None);
        }
    }
}

fuzz_target!(|body: &[u8]| {
    numbers(body);
    let Ok(raw) = serde_json::from_slice::<RawDraft>(body) else { return };
    let Ok(draft) = Draft::check(raw) else { return };
    let (Ok(session), id) = ("job-1".parse(), EventId { epoch: Epoch(0xa1), seq: 7 }) else { return };
    let event = StatusEvent::new(id, session, draft, 1_000);
    let (events, _) = read(&frame::status(&event));
    let name = if event.state.has_ended() { "end" } else { "status" };
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].id.as_str(), events[0].name.as_str()), ("a1-7", name));
    let told: StatusEvent = serde_json::from_str(&events[0].data).expect("what a client reads");
    assert_eq!(told, event);
});
