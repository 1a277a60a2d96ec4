//! The bounded history of one session, and what a follower is owed when it connects.

use crate::session::{
    frame::GapReason,
    ids::{Epoch, EventId},
    status::StatusEvent,
};
use std::{collections::VecDeque, sync::Arc};

/// How much of a session is kept: whichever bound is met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    pub events: usize,
    pub age_ms: i64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        HistoryLimits { events: 256, age_ms: 600_000 }
    }
}

/// What is held of one session: its latest event, and an unbroken run of events that ends with it.
#[derive(Clone, Debug)]
pub struct SessionHistory {
    pub epoch: Epoch,
    /// Sequence number of the latest event; 0 before the first.
    pub top: u64,
    pub current: Option<Arc<StatusEvent>>,
    /// Ascending and without holes; the last one is number `top`. May be empty.
    pub events: VecDeque<Arc<StatusEvent>>,
}

impl SessionHistory {
    pub fn new(epoch: Epoch) -> SessionHistory {
        SessionHistory { epoch, top: 0, current: None, events: VecDeque::new() }
    }

    /// Of a session that nobody has published to yet: its first event is number 1 of an epoch that nobody knows.
    pub fn not_begun() -> SessionHistory {
        SessionHistory::new(Epoch::NONE)
    }

    pub fn has_begun(&self) -> bool {
        self.epoch != Epoch::NONE
    }

    /// Of a session that ended, and of which only its last event is left.
    pub fn of_outcome(last: Arc<StatusEvent>) -> SessionHistory {
        let EventId { epoch, seq } = last.id;
        SessionHistory { epoch, top: seq, current: Some(last), events: VecDeque::new() }
    }

    /// Appends the next event and drops what exceeds the limits. The latest event always stays. Returns the weight
    /// of what was dropped.
    pub fn push(&mut self, event: Arc<StatusEvent>, limits: HistoryLimits) -> usize {
        self.top = event.id.seq;
        self.current = Some(event.clone());
        let oldest_allowed = event.at - limits.age_ms;
        self.events.push_back(event);
        let mut gone = 0;
        while self.events.len() > limits.events.max(1)
            || self.events.front().is_some_and(|first| first.at < oldest_allowed)
        {
            gone += self.events.pop_front().map_or(0, |first| first.weight());
        }
        gone
    }

    pub fn has_ended(&self) -> bool {
        self.current.as_ref().is_some_and(|event| event.state.has_ended())
    }

    /// The events after `seq`, if none of them was let go.
    fn after(&self, seq: u64) -> Option<Vec<Arc<StatusEvent>>> {
        let missing = self.top.checked_sub(seq)?;
        let missing = usize::try_from(missing).ok().filter(|&count| count <= self.events.len())?;
        Some(self.events.iter().skip(self.events.len() - missing).cloned().collect())
    }
}

/// What a client says about its position when it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It says nothing. `insists`: it asked for an event stream by name (`Accept`), as every
    /// EventSource does, so it wants the outcome even of a session that has ended.
    Newcomer { insists: bool },
    /// It saw this event last.
    Resume(EventId),
    /// It sent a `Last-Event-ID` that is not an event id.
    Unreadable,
}

/// How a stream begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening {
    /// Nothing will ever come: answer 204, which stops an EventSource.
    Over,
    Stream {
        gap: Option<GapReason>,
        /// A snapshot, or what was missed; ends with the final event if the session has ended.
        first: Vec<Arc<StatusEvent>>,
        /// Live events up to and including this one are already covered.
        position: EventId,
    },
}

/// Decides how a stream begins. Register for live events **before** reading `held`: what arrives
/// meanwhile is then in the queue, and `position` tells what of it is a repetition.
pub fn open(held: &SessionHistory, ask: Ask) -> Opening {
    let position = EventId { epoch: held.epoch, seq: held.top };
    let snapshot = || held.current.iter().cloned().collect();
    let from_snapshot = |gap| Opening::Stream { gap, first: snapshot(), position };
    match ask {
        Ask::Newcomer { insists: false } if held.has_ended() => Opening::Over,
        Ask::Newcomer { .. } => from_snapshot(None),
        Ask::Unreadable => from_snapshot(Some(GapReason::Unknown)),
        Ask::Resume(id) if id.epoch != held.epoch => from_snapshot(Some(GapReason::Epoch)),
        Ask::Resume(id) if id.seq > held.top => from_snapshot(Some(GapReason::Unknown)),
        Ask::Resume(id) if id.seq == held.top && held.has_ended() => Opening::Over,
        Ask::Resume(id) => match held.after(id.seq) {
            Some(first) => Opening::Stream { gap: None, first, position },
            None => from_snapshot(Some(GapReason::Evicted)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::status::{Draft, State};
    use proptest::prelude::*;

    const EPOCH: Epoch = Epoch(9);

    fn event(seq: u64, state: State) -> Arc<StatusEvent> {
        let draft = Draft { state, stage: "s".into(), progress: 1, message: None, data: None };
        let id = EventId { epoch: EPOCH, seq };
        Arc::new(StatusEvent::new(id, "job".parse().expect("an id"), draft, seq as i64 * 1_000))
    }

    fn held(count: u64, limits: HistoryLimits, ended: bool) -> SessionHistory {
        let mut held = SessionHistory::new(EPOCH);
        for seq in 1..=count {
            let state = if ended && seq == count { State::Completed } else { State::Running };
            held.push(event(seq, state), limits);
        }
        held
    }

    /// The expectation as text: `over`, or `gap? first-seqs`.
    fn check(held: &SessionHistory, ask: Ask, expected: &str) {
        let got = match open(held, ask) {
            Opening::Over => "over".to_owned(),
            Opening::Stream { gap, first, position } => {
                assert_eq!(position.seq, held.top);
                let seqs: Vec<u64> = first.iter().map(|event| event.id.seq).collect();
                gap.map_or(String::new(), |gap| format!("{gap:?} ")) + &format!("{seqs:?}")
            }
        };
        assert_eq!(got, expected, "{ask:?}");
    }

    #[test]
    fn a_stream_begins_where_the_follower_stands() {
        let resume = |epoch, seq| Ask::Resume(EventId { epoch: Epoch(epoch), seq });
        let newcomer = Ask::Newcomer { insists: false };
        let four = HistoryLimits { events: 4, age_ms: 1_000_000 };

        let empty = held(0, four, false);
        check(&empty, newcomer, "[]");
        check(&empty, resume(9, 0), "[]");

        // A session that has not begun: a newcomer waits for the first event, and a position is of a life before.
        let not_begun = SessionHistory::not_begun();
        check(&not_begun, newcomer, "[]");
        check(&not_begun, Ask::Newcomer { insists: true }, "[]");
        check(&not_begun, resume(9, 3), "Epoch []");
        check(&not_begun, Ask::Unreadable, "Unknown []");

        let running = held(10, four, false);
        check(&running, newcomer, "[10]");
        check(&running, resume(9, 10), "[]");
        check(&running, resume(9, 9), "[10]");
        check(&running, resume(9, 6), "[7, 8, 9, 10]");
        check(&running, resume(9, 5), "Evicted [10]");
        check(&running, resume(9, 11), "Unknown [10]");
        check(&running, resume(8, 9), "Epoch [10]");
        check(&running, Ask::Unreadable, "Unknown [10]");

        let ended = held(10, four, true);
        check(&ended, newcomer, "over");
        check(&ended, Ask::Newcomer { insists: true }, "[10]");
        check(&ended, resume(9, 10), "over");
        check(&ended, resume(9, 8), "[9, 10]");
        check(&ended, resume(9, 1), "Evicted [10]");
        check(&ended, resume(8, 10), "Epoch [10]");

        let outcome = SessionHistory::of_outcome(event(10, State::Completed));
        check(&outcome, newcomer, "over");
        check(&outcome, Ask::Newcomer { insists: true }, "[10]");
        check(&outcome, resume(9, 10), "over");
        check(&outcome, resume(9, 8), "Evicted [10]");
    }

    #[test]
    fn old_events_are_let_go_but_never_the_latest() {
        let limits = HistoryLimits { events: 100, age_ms: 2_500 };
        let held = held(10, limits, false);
        assert_eq!(held.events.iter().map(|e| e.id.seq).collect::<Vec<_>>(), [8, 9, 10]);
    }

    #[test]
    fn what_goes_is_weighed() {
        let mut held = held(3, HistoryLimits::default(), false);
        let one = event(4, State::Running).weight();
        assert_eq!(held.push(event(4, State::Running), HistoryLimits::default()), 0);
        let latest = HistoryLimits { events: 1, ..HistoryLimits::default() };
        assert_eq!(held.push(event(5, State::Running), latest), 4 * one);
    }

    proptest! {
        /// However a follower is cut and resumes, it sees each event once and in order, or is told of the gap.
        #[test]
        fn any_cuts_every_event_once(cuts in prop::collection::vec(0u64..12, 0..20), keep in 1usize..20) {
            let limits = HistoryLimits { events: keep, age_ms: i64::MAX / 2 };
            let mut held = SessionHistory::new(EPOCH);
            let (mut seen, mut told_of_gap) = (0u64, false);
            for burst in cuts {
                for _ in 0..burst {
                    held.push(event(held.top + 1, State::Running), limits);
                }
                let ask = Ask::Resume(EventId { epoch: EPOCH, seq: seen });
                let Opening::Stream { gap, first, position } = open(&held, ask) else {
                    return Err(TestCaseError::fail("the session runs"));
                };
                told_of_gap |= gap.is_some();
                for event in first {
                    prop_assert!(event.id.seq > seen);
                    prop_assert!(gap.is_some() || event.id.seq == seen + 1);
                    seen = event.id.seq;
                }
                prop_assert_eq!(seen, position.seq);
                prop_assert_eq!(seen, held.top);
            }
            prop_assert!(keep < 12 || !told_of_gap);
        }

        /// A follower joins the hub, then reads the history, then takes what was queued. Wherever publishes fall among
        /// these three, and wherever it is cut, it sees each event once and in order.
        #[test]
        fn whatever_comes_while_it_connects_every_event_once(
            rounds in prop::collection::vec((0u64..6, 0u64..6, 0u64..6, 0usize..8), 1..20),
        ) {
            let limits = HistoryLimits { events: 1_000, age_ms: i64::MAX / 2 };
            let mut held = SessionHistory::new(EPOCH);
            let mut seen = 0u64;
            for (away, joining, live, taken) in rounds {
                let publish = |held: &mut SessionHistory, count| {
                    let from = held.top;
                    (0..count).for_each(|_| _ = held.push(event(held.top + 1, State::Running), limits));
                    from + 1..=held.top
                };
                publish(&mut held, away);
                // Joined: from here on everything is queued. The history is read only after some of it.
                let mut queue: VecDeque<u64> = publish(&mut held, joining).collect();
                let ask = Ask::Resume(EventId { epoch: EPOCH, seq: seen });
                let Opening::Stream { gap: None, first, position } = open(&held, ask) else {
                    return Err(TestCaseError::fail("history holds everything"));
                };
                queue.extend(publish(&mut held, live));
                for event in first {
                    prop_assert_eq!(event.id.seq, seen + 1);
                    seen = event.id.seq;
                }
                prop_assert_eq!(seen, position.seq);
                // Cut after some of the queue.
                for seq in queue.into_iter().take(taken).filter(|&seq| seq > position.seq) {
                    prop_assert_eq!(seq, seen + 1);
                    seen = seq;
                }
            }
        }
    }
}
