//! Sessions that this node served a while ago. A Redis that came back empty knows nothing of them; a follower that
//! comes back must not hear that there is no such session, since an EventSource stops for good at that.

use std::collections::HashMap;
use streamgauge_core::session::{heard::Position, ids::SessionId};

/// Sessions in one of the table's parts: 10,240 a node, some 5 MB.
const MOST: usize = 160;

#[derive(Default)]
pub struct Memory(HashMap<SessionId, Remembered>);

struct Remembered {
    position: Position,
    /// By the steady clock, ms. Until then the session counts as running, event or not.
    until: i64,
}

impl Memory {
    /// A session that has ended is not remembered: nothing comes of it any more. `now`: by the steady clock, since its
    /// event's date would say nothing while somebody sets the other one.
    pub fn keep(&mut self, session: SessionId, position: Position, now: i64, abandon_after_ms: i64) {
        let ended = position.event.as_ref().is_some_and(|event| event.state.has_ended());
        if ended {
            return;
        }
        let until = now + abandon_after_ms;
        if self.0.len() >= MOST {
            self.0.retain(|_, kept| kept.until > now);
        }
        if self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, kept)| kept.until).map(|(session, _)| session.clone());
            oldest.and_then(|session| self.0.remove(&session));
        }
        self.0.insert(session, Remembered { position, until });
    }

    pub fn of(&self, session: &SessionId, now: i64) -> Option<&Position> {
        self.0.get(session).filter(|kept| kept.until > now).map(|kept| &kept.position)
    }

    pub fn forget(&mut self, session: &SessionId) -> Option<Position> {
        self.0.remove(session).map(|kept| kept.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::session::ids::{Epoch, EventId};

    #[test]
    fn it_is_bounded_in_number_and_in_time() {
        let mut memory = Memory::default();
        let position = Position { id: EventId { epoch: Epoch(1), seq: 0 }, event: None };
        let session = |n: i64| format!("job-{n}").parse::<SessionId>().expect("an id");
        for n in 0..=MOST as i64 {
            memory.keep(session(n), position.clone(), n, 10_000);
        }
        assert_eq!(memory.0.len(), MOST);
        assert!(memory.of(&session(0), 500).is_none(), "the oldest went");
        assert!(memory.of(&session(1), 500).is_some());
        assert!(memory.of(&session(1), 10_001).is_none(), "its time is over");
    }
}
