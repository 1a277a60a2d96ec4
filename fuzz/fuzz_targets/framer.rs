//! Whatever a publisher says comes out as one frame with one event, as a client reads it by the specification.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamgauge_core::{
    frame,
    ids::{Epoch, EventId},
    status::{Draft, RawDraft, StatusEvent},
};

/// Events as the specification of Server-Sent Events has them: lines end with CR, LF or both.
fn read(stream: &str) -> Vec<(String, String, String)> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut id, mut name, mut data) = (Vec::new(), String::new(), String::new(), None::<String>);
    for line in stream.split('\n') {
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((id.clone(), std::mem::take(&mut name), data));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = value.into(),
            "event" => name = value.into(),
            "data" => data = Some(data.map_or(value.into(), |before| before + "\n" + value)),
            _ => {}
        }
    }
    events
}

fuzz_target!(|body: &[u8]| {
    let Ok(raw) = serde_json::from_slice::<RawDraft>(body) else { return };
    let Ok(draft) = Draft::check(raw) else { return };
    let (Ok(session), id) = ("job-1".parse(), EventId { epoch: Epoch(0xa1), seq: 7 }) else { return };
    let event = StatusEvent::new(id, session, draft, 1_000);
    let events = read(&frame::status(&event));
    let name = if event.state.has_ended() { "end" } else { "status" };
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].0.as_str(), events[0].1.as_str()), ("a1-7", name));
    let told: StatusEvent = serde_json::from_str(&events[0].2).expect("what a client reads");
    assert_eq!(told, event);
});
