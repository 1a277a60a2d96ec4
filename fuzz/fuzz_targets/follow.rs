//! Whatever asks for a stream, and whatever its client says afterwards: one meaning, a bounded cost, and a beginning
//! that leaves nothing out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use streamgauge_core::session::{
    follow::{self, FORGIVEN, Following, Headers, MOST_SESSIONS, Said},
    history::{self, Ask, SessionHistory, HistoryLimits, Opening},
    ids::{Epoch, EventId},
    status::{Draft, State, StatusEvent},
};

static RUNS: LazyLock<SessionHistory> = LazyLock::new(|| held(false));
static ENDED: LazyLock<SessionHistory> = LazyLock::new(|| held(true));

/// Events 1 to 6, of which the last four are kept.
fn held(ended: bool) -> SessionHistory {
    let mut held = SessionHistory::new(Epoch(0xa1));
    for seq in 1..=6 {
        let state = if ended && seq == 6 { State::Completed } else { State::Running };
        let draft = Draft { state, stage: "s".into(), progress: 1, message: None, data: None };
        let id = EventId { epoch: Epoch(0xa1), seq };
        let event = StatusEvent::new(id, "job".parse().expect("an id"), draft, seq as i64);
        held.push(event.into(), HistoryLimits { events: 4, age_ms: 1_000 });
    }
    held
}

/// A stream begins with what is missing or with a gap, and stands where the history stands.
fn check(held: &SessionHistory, ask: Ask) {
    match history::open(held, ask) {
        Opening::Over => assert!(held.has_ended() && ask != Ask::Unreadable),
        Opening::Stream { gap, first, position } => {
            assert_eq!(position, EventId { epoch: held.epoch, seq: held.top });
            let next = match (gap, ask) {
                (None, Ask::Resume(id)) => id.seq + 1,
                _ => held.top,
            };
            let seqs: Vec<u64> = first.iter().map(|event| event.id.seq).collect();
            assert_eq!(seqs, (next..=held.top).collect::<Vec<_>>());
            assert!(matches!(ask, Ask::Newcomer { .. }) <= gap.is_none());
            assert!((ask == Ask::Unreadable) <= gap.is_some());
        }
    }
}

// A line each: the query, the two headers; the rest is what the client says after its request, in portions.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(4, |&byte| byte == b'\n');
    let query = lines.next().unwrap_or_default();
    let headers = Headers { last_event_id: lines.next(), accept: lines.next() };
    let address = [b"/api/v1/streams?", query].concat();
    if let Ok(uri) = http::Uri::try_from(&address[..]) {
        let query = uri.query().unwrap_or_default();
        if let Ok(sessions) = follow::sessions(query) {
            assert!((1..=MOST_SESSIONS).contains(&sessions.len()));
            assert!((1..sessions.len()).all(|n| !sessions[..n].contains(&sessions[n])));
        }
        if let Ok(Following { last_event_id, .. }) = serde_urlencoded::from_str(query) {
            for count in [1, 2, MOST_SESSIONS] {
                let asks = follow::asks(headers, last_event_id.as_deref(), count);
                assert_eq!(asks.len(), count);
                for ask in asks {
                    if let Ask::Resume(id) = ask {
                        assert_eq!(id.to_string().parse(), Ok(id));
                    }
                    check(&RUNS, ask);
                    check(&ENDED, ask);
                }
            }
        }
    }
    let (mut said, mut sum) = (Said::default(), 0);
    for portion in lines.next().unwrap_or_default() {
        let bytes = usize::from(*portion) * 16;
        sum += bytes;
        assert_eq!(said.more(bytes), sum <= FORGIVEN as usize);
    }
});
