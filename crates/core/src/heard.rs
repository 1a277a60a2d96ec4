//! What a node does with a message that it hears of a session, told from its position in that session alone.

use crate::{history::Held, ids::EventId, status::StatusEvent};

/// The latest event that a node has passed on to its followers.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub id: EventId,
    /// `None` before the first event.
    pub event: Option<StatusEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one: pass it on.
    Next,
    /// The session began anew: pass it on, with a gap before it.
    NewEpoch,
    /// Passed on already.
    Repetition,
    /// Not what should come here. Only the history can tell what was missed, or that it was lost.
    ReadHistory,
}

impl Position {
    pub fn hear(&self, event: &StatusEvent) -> Verdict {
        let (at, id) = (self.event.as_ref().map(|event| event.at), event.id);
        if id.epoch.0 > self.id.epoch.0 {
            return Verdict::NewEpoch;
        }
        if id.epoch == self.id.epoch && id.seq == self.id.seq + 1 {
            return Verdict::Next;
        }
        if id.epoch == self.id.epoch && id.seq > self.id.seq {
            return Verdict::ReadHistory;
        }
        // A number that was passed on already, under an event accepted later than all of those: a replica that lacked
        // the latest events took over, and numbers are given a second time.
        if at.is_some_and(|at| event.at > at) { Verdict::ReadHistory } else { Verdict::Repetition }
    }

    /// Whether the history is another one than that which led here, although it goes by the same epoch.
    pub fn contradicts(&self, held: &Held) -> bool {
        if held.epoch != self.id.epoch {
            return false;
        }
        let same_place = held.events.iter().chain(&held.current).find(|event| event.id == self.id);
        let other_event = same_place.zip(self.event.as_ref()).is_some_and(|(theirs, ours)| theirs != ours);
        held.top < self.id.seq || other_event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::Epoch,
        status::{Draft, State},
    };

    fn event(epoch: u64, seq: u64, at: i64) -> StatusEvent {
        let draft =
            Draft { state: State::Running, stage: "s".into(), progress: 1, message: None, data: None };
        StatusEvent::new(EventId { epoch: Epoch(epoch), seq }, "job".parse().expect("an id"), draft, at)
    }

    fn at(epoch: u64, seq: u64, ms: i64) -> Position {
        let event = event(epoch, seq, ms);
        Position { id: event.id, event: Some(event) }
    }

    #[test]
    fn only_the_next_event_is_passed_on_as_it_is() {
        let check =
            |heard: StatusEvent, expected| assert_eq!(at(5, 7, 100).hear(&heard), expected, "{heard:?}");
        check(event(5, 8, 110), Verdict::Next);
        check(event(5, 7, 100), Verdict::Repetition);
        check(event(5, 3, 60), Verdict::Repetition);
        check(event(5, 9, 120), Verdict::ReadHistory);
        check(event(6, 3, 120), Verdict::NewEpoch);
        // Late, of an epoch that is over.
        check(event(4, 9, 50), Verdict::Repetition);
        // Numbers that are given again.
        check(event(5, 7, 130), Verdict::ReadHistory);
        check(event(5, 6, 130), Verdict::ReadHistory);
        check(event(4, 1, 130), Verdict::ReadHistory);
        let none_yet = Position { id: EventId { epoch: Epoch(5), seq: 0 }, event: None };
        assert_eq!(none_yet.hear(&event(5, 1, 1)), Verdict::Next);
    }

    #[test]
    fn a_history_that_lost_what_was_passed_on_is_another_one() {
        let held = |epoch, seqs: &[(u64, i64)]| {
            let mut held = Held::new(Epoch(epoch));
            seqs.iter().for_each(|&(seq, at)| held.push(event(epoch, seq, at), Default::default()));
            held
        };
        let check = |held: Held, expected| assert_eq!(at(5, 2, 20).contradicts(&held), expected, "{held:?}");
        check(held(5, &[(1, 10), (2, 20)]), false);
        check(held(5, &[(1, 10), (2, 20), (3, 30)]), false);
        check(held(5, &[(3, 30)]), false);
        check(held(6, &[(1, 10)]), false);
        check(held(5, &[(1, 10)]), true);
        check(held(5, &[(1, 10), (2, 25)]), true);
        check(held(5, &[(1, 10), (2, 25), (3, 30)]), true);
    }
}
