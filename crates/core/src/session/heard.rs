//! What a node does with a message that it hears of a session, told from its position in that session alone.

use crate::session::{
    frame::GapReason,
    history::{Ask, Opening, SessionHistory, open},
    ids::{Epoch, EventId},
    status::StatusEvent,
};
use std::sync::Arc;

/// The latest event that a node has passed on to its followers.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub id: EventId,
    /// `None` before the first event.
    pub event: Option<Arc<StatusEvent>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one: pass it on.
    Next,
    /// The session began anew: pass it on, with a gap before it.
    NewEpoch,
    /// Passed on already, or not to be passed on yet.
    Nothing,
    /// Not what should come here. Only the history can tell what was missed, or that it was lost.
    ReadHistory,
}

/// What a follower's reading of the history is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The follower begins with it: all that comes after it is passed on.
    Good,
    /// The same, but something passed by: the node reads the history too.
    ReadHistory,
    /// It ends before the reading with which this node began, and nobody passes on what lies between: read again.
    TooOld,
}

/// Where a node stands in one session. Its followers join first and read the history second, several at a time; it
/// begins with the first one's reading, and passes on what comes after that.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// `None` until the first reading.
    position: Option<Position>,
    /// Where the first reading ended.
    begun: Option<EventId>,
    /// Something came, or may have, before the first reading.
    stirred: bool,
}

impl Cursor {
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// What to do with a message; it counts as done.
    pub fn hear(&mut self, event: &Arc<StatusEvent>) -> Verdict {
        let Some(position) = &mut self.position else {
            // Nobody is told anything yet, so nothing comes late.
            self.stirred = true;
            return Verdict::Nothing;
        };
        let verdict = position.hear(event);
        if matches!(verdict, Verdict::Next | Verdict::NewEpoch) {
            *position = Position { id: event.id, event: Some(event.clone()) };
        }
        verdict
    }

    /// Messages may have passed by unheard. `true`: read the history; else the first reading leads to that.
    pub fn miss(&mut self) -> bool {
        self.stirred |= self.position.is_none();
        self.position.is_some()
    }

    /// A follower has read the history. `remembered`: where this node stood in the session a while ago.
    pub fn read(&mut self, held: &SessionHistory, remembered: Option<Position>) -> Reading {
        let top = EventId { epoch: held.epoch, seq: held.top };
        let begun = *self.begun.get_or_insert(top);
        let first = self.position.is_none();
        let position = self.position.get_or_insert_with(|| {
            // A follower that waits for the session's beginning asks for no gap: nothing that was before counts.
            let of_another = remembered.filter(|before| held.has_begun() && before.contradicts(held));
            of_another.unwrap_or_else(|| Position { id: top, event: held.current.clone() })
        });
        if (top.epoch.0, top.seq) < (begun.epoch.0, begun.seq) {
            return Reading::TooOld;
        }
        let passed_by = first && std::mem::take(&mut self.stirred);
        if passed_by || position.contradicts(held) { Reading::ReadHistory } else { Reading::Good }
    }

    /// The node itself has read the history: what it passes on now, and the gap before that.
    pub fn catch_up(&mut self, held: SessionHistory) -> (Option<GapReason>, Vec<Arc<StatusEvent>>) {
        let Some(here) = self.position.as_ref().map(|position| position.id) else {
            return (None, Vec::new());
        };
        if (held.epoch.0, held.top) <= (here.epoch.0, here.seq) {
            return (None, Vec::new());
        }
        // The followers wait for the session's beginning: to them its first event is the next one.
        let here = if here.epoch == Epoch::NONE { EventId { epoch: held.epoch, seq: 0 } } else { here };
        let Opening::Stream { gap, first, position } = open(&held, Ask::Resume(here)) else {
            return (None, Vec::new());
        };
        self.position = Some(Position { id: position, event: held.current });
        (gap, first)
    }

    /// Nobody follows any more: where it stood. The next follower begins anew.
    pub fn rest(&mut self) -> Option<Position> {
        std::mem::take(self).position.filter(Position::has_begun)
    }
}

impl Position {
    /// `false`: nobody has published to the session yet, and its followers wait for that.
    pub fn has_begun(&self) -> bool {
        self.id.epoch != Epoch::NONE
    }

    fn hear(&self, event: &StatusEvent) -> Verdict {
        let (at, id) = (self.event.as_ref().map(|event| event.at), event.id);
        if !self.has_begun() {
            // Of those that wait nobody has missed anything: an event before this one is still in the history.
            return if id.seq == 1 { Verdict::Next } else { Verdict::ReadHistory };
        }
        if id.epoch.0 > self.id.epoch.0 {
            return Verdict::NewEpoch;
        }
        if id.epoch == self.id.epoch && id.seq == self.id.seq + 1 {
            return Verdict::Next;
        }
        if id.epoch == self.id.epoch && id.seq > self.id.seq {
            return Verdict::ReadHistory;
        }
        // An epoch is named by the clock. Where that was put back, a session that was forgotten begins anew under a lower
        // one: only the history tells that from a message that is late.
        if id.epoch != self.id.epoch {
            return Verdict::ReadHistory;
        }
        // A number that was passed on already, under an event accepted later than all of those: a replica that lacked
        // the latest events took over, and numbers are given a second time.
        if at.is_some_and(|at| event.at > at) { Verdict::ReadHistory } else { Verdict::Nothing }
    }

    /// Whether the history is another one than that which led here: it goes by the same epoch without what was passed
    /// on, or by one that was over.
    pub fn contradicts(&self, held: &SessionHistory) -> bool {
        if held.epoch != self.id.epoch {
            return held.epoch.0 < self.id.epoch.0;
        }
        let same_place = held.events.iter().chain(&held.current).find(|event| event.id == self.id);
        let other_event = same_place.zip(self.event.as_ref()).is_some_and(|(theirs, ours)| theirs != ours);
        held.top < self.id.seq || other_event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        history::HistoryLimits,
        status::{Draft, State},
    };
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn event(epoch: u64, seq: u64, at: i64) -> Arc<StatusEvent> {
        let draft =
            Draft { state: State::Running, stage: "s".into(), progress: 1, message: None, data: None };
        let id = EventId { epoch: Epoch(epoch), seq };
        Arc::new(StatusEvent::new(id, "job".parse().expect("an id"), draft, at))
    }

    fn at(epoch: u64, seq: u64, ms: i64) -> Position {
        let event = event(epoch, seq, ms);
        Position { id: event.id, event: Some(event) }
    }

    #[test]
    fn only_the_next_event_is_passed_on_as_it_is() {
        let check =
            |heard: Arc<StatusEvent>, expected| assert_eq!(at(5, 7, 100).hear(&heard), expected, "{heard:?}");
        check(event(5, 8, 110), Verdict::Next);
        check(event(5, 7, 100), Verdict::Nothing);
        check(event(5, 3, 60), Verdict::Nothing);
        check(event(5, 9, 120), Verdict::ReadHistory);
        check(event(6, 3, 120), Verdict::NewEpoch);
        // Late, of an epoch that is over; or the clock was put back. Nothing of it may be lost, so the history is asked.
        check(event(4, 9, 50), Verdict::ReadHistory);
        // Numbers that are given again.
        check(event(5, 7, 130), Verdict::ReadHistory);
        check(event(5, 6, 130), Verdict::ReadHistory);
        check(event(4, 1, 130), Verdict::ReadHistory);
        let none_yet = Position { id: EventId { epoch: Epoch(5), seq: 0 }, event: None };
        assert_eq!(none_yet.hear(&event(5, 1, 1)), Verdict::Next);
        let not_begun = Position { id: EventId { epoch: Epoch::NONE, seq: 0 }, event: None };
        assert_eq!(not_begun.hear(&event(5, 1, 1)), Verdict::Next);
        assert_eq!(not_begun.hear(&event(5, 2, 2)), Verdict::ReadHistory);
    }

    #[test]
    fn those_that_wait_for_a_session_get_it_from_its_first_event_on() {
        let history = |from: u64, to: u64| {
            let mut held = SessionHistory::new(Epoch(5));
            let limits = HistoryLimits { events: (to - from + 1) as usize, ..Default::default() };
            (1..=to).for_each(|seq| _ = held.push(event(5, seq, seq as i64), limits));
            held
        };
        let waiting = || {
            let mut standing = Cursor::default();
            // Where the node stood in a life before means nothing to a follower that asked for no gap.
            assert_eq!(standing.read(&SessionHistory::not_begun(), Some(at(4, 9, 9))), Reading::Good);
            standing
        };
        let mut heard = waiting();
        assert_eq!(heard.hear(&event(5, 1, 1)), Verdict::Next);
        assert_eq!(heard.hear(&event(5, 2, 2)), Verdict::Next);

        let check = |held: SessionHistory, gap, expected: &[u64]| {
            let mut standing = waiting();
            assert_eq!(standing.hear(&event(5, held.top, held.top as i64)), Verdict::ReadHistory);
            let (told, events) = standing.catch_up(held);
            let events: Vec<u64> = events.iter().map(|event| event.id.seq).collect();
            assert_eq!((told, &events[..]), (gap, expected));
        };
        // Messages passed by while the connection was away.
        check(history(1, 3), None, &[1, 2, 3]);
        check(history(2, 3), Some(GapReason::Evicted), &[3]);

        // A message that comes before the first reading.
        let mut early = Cursor::default();
        assert_eq!(early.hear(&event(5, 1, 1)), Verdict::Nothing);
        assert_eq!(early.read(&SessionHistory::not_begun(), None), Reading::ReadHistory);
        assert_eq!(early.catch_up(history(1, 1)).1.len(), 1);

        // Nothing of a session that never began is remembered.
        assert_eq!(waiting().rest(), None);
    }

    #[test]
    fn a_history_that_lost_what_was_passed_on_is_another_one() {
        let held = |epoch, seqs: &[(u64, i64)]| {
            let mut held = SessionHistory::new(Epoch(epoch));
            seqs.iter().for_each(|&(seq, at)| _ = held.push(event(epoch, seq, at), Default::default()));
            held
        };
        let check = |held: SessionHistory, expected| {
            assert_eq!(at(5, 2, 20).contradicts(&held), expected, "{held:?}")
        };
        check(held(5, &[(1, 10), (2, 20)]), false);
        check(held(5, &[(1, 10), (2, 20), (3, 30)]), false);
        check(held(5, &[(3, 30)]), false);
        check(held(6, &[(1, 10)]), false);
        check(held(4, &[(1, 10)]), true);
        check(held(5, &[(1, 10)]), true);
        check(held(5, &[(1, 10), (2, 25)]), true);
        check(held(5, &[(1, 10), (2, 25), (3, 30)]), true);
    }

    /// One node, one session, Redis and the way in between, step by step.
    struct Scene {
        redis: SessionHistory,
        limits: HistoryLimits,
        standing: Cursor,
        /// Published and not heard yet.
        under_way: VecDeque<Arc<StatusEvent>>,
        /// The connection that hears was lost.
        cut: bool,
        behind: bool,
        /// The node reads the history, and this will be the answer.
        reading: Option<SessionHistory>,
        followers: Vec<Follower>,
    }

    #[derive(Default)]
    struct Follower {
        held: Option<SessionHistory>,
        /// What it was told last, once it was told anything.
        seen: Option<u64>,
        told_of_gap: bool,
        queue: VecDeque<(u64, bool)>,
    }

    impl Follower {
        /// As a stream does: what it has is a repetition, all else goes out.
        fn take(&mut self) {
            let Some(seen) = &mut self.seen else { return };
            for (seq, after_gap) in self.queue.drain(..).collect::<Vec<_>>() {
                if seq > *seen {
                    assert!(after_gap || seq == *seen + 1, "{seq} after {seen}");
                    self.told_of_gap |= after_gap;
                    *seen = seq;
                }
            }
        }
    }

    impl Scene {
        fn new(limits: HistoryLimits) -> Scene {
            let (redis, standing) = (SessionHistory::new(Epoch(5)), Cursor::default());
            let (under_way, followers) = Default::default();
            Scene { redis, limits, standing, under_way, cut: false, behind: false, reading: None, followers }
        }

        fn publish(&mut self) {
            let seq = self.redis.top + 1;
            let event = event(5, seq, seq as i64);
            self.redis.push(event.clone(), self.limits);
            if !self.cut && !self.followers.is_empty() {
                self.under_way.push_back(event);
            }
        }

        fn pass_on(&mut self, seq: u64, after_gap: bool) {
            self.followers.iter_mut().for_each(|one| one.queue.push_back((seq, after_gap)));
            self.followers.iter_mut().for_each(Follower::take);
        }

        fn hear(&mut self) {
            let Some(event) = self.under_way.pop_front() else { return };
            if self.followers.is_empty() {
                return;
            }
            match self.standing.hear(&event) {
                Verdict::Next => self.pass_on(event.id.seq, false),
                Verdict::Nothing => {}
                Verdict::ReadHistory => self.behind = true,
                Verdict::NewEpoch => panic!("there is one epoch"),
            }
        }

        fn join(&mut self) {
            if !self.cut {
                self.followers.push(Follower::default());
            }
        }

        fn leave(&mut self, which: usize) {
            if which < self.followers.len() {
                self.followers.remove(which);
            }
            if self.followers.is_empty() {
                self.standing.rest();
            }
        }

        fn read(&mut self, which: usize) {
            let Some(follower) = self.followers.get_mut(which) else { return };
            if follower.seen.is_none() {
                follower.held.get_or_insert_with(|| self.redis.clone());
            }
        }

        /// The answer is there.
        fn begin(&mut self, which: usize) {
            let Some(follower) = self.followers.get_mut(which) else { return };
            let Some(held) = follower.held.take() else { return };
            match self.standing.read(&held, None) {
                Reading::TooOld => return,
                Reading::Good => {}
                Reading::ReadHistory => self.behind = true,
            }
            follower.seen = Some(held.top);
            follower.take();
        }

        fn read_on(&mut self) {
            if self.reading.is_none() && std::mem::take(&mut self.behind) {
                self.reading = Some(self.redis.clone());
            }
        }

        fn catch_up(&mut self) {
            let Some(held) = self.reading.take() else { return };
            if self.followers.is_empty() {
                return;
            }
            let (gap, events) = self.standing.catch_up(held);
            events.iter().for_each(|event| self.pass_on(event.id.seq, gap.is_some()));
        }

        fn connect(&mut self) {
            if std::mem::take(&mut self.cut) && !self.followers.is_empty() {
                self.behind |= self.standing.miss();
            }
        }

        fn step(&mut self, what: u8, which: usize) {
            match what {
                0..4 => self.publish(),
                4..8 => self.hear(),
                8..10 => self.join(),
                10..13 => self.read(which),
                13..16 => self.begin(which),
                16 => self.read_on(),
                17 => self.catch_up(),
                18 => self.leave(which),
                19 => {
                    self.cut = true;
                    self.under_way.clear();
                }
                _ => self.connect(),
            }
        }

        /// All that is under way arrives.
        fn settle(&mut self) {
            self.connect();
            for _ in 0..4 {
                (0..self.followers.len()).for_each(|which| self.read(which));
                (0..self.followers.len()).for_each(|which| self.begin(which));
                while !self.under_way.is_empty() {
                    self.hear();
                }
                self.catch_up();
                self.read_on();
                self.catch_up();
            }
            for follower in &self.followers {
                assert_eq!(follower.seen, Some(self.redis.top));
            }
        }
    }

    const ALL: HistoryLimits = HistoryLimits { events: 1_000, age_ms: i64::MAX / 2 };

    #[test]
    fn a_reading_that_ends_before_the_first_one_is_not_begun_with() {
        let mut scene = Scene::new(ALL);
        scene.publish();
        scene.join();
        scene.join();
        scene.read(0);
        scene.publish();
        scene.read(1);
        // The later reading is answered first, and the message between the two is heard only now.
        scene.begin(1);
        scene.hear();
        scene.begin(0);
        assert_eq!(scene.followers[0].seen, None, "it reads again");
        scene.publish();
        scene.settle();
    }

    #[test]
    fn what_passes_by_before_the_first_reading_is_answered_is_told_after_it() {
        let mut scene = Scene::new(ALL);
        scene.join();
        scene.read(0);
        scene.publish();
        scene.step(19, 0);
        scene.connect();
        scene.publish();
        scene.hear();
        scene.begin(0);
        scene.settle();
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// In whatever order followers join, read, leave and are cut off, each gets every event after its snapshot,
        /// once and in order, and a gap only where history dropped events.
        #[test]
        fn every_event_is_delivered_once_after_any_resume(
            steps in prop::collection::vec((0u8..21, 0usize..4), 0..80),
            keep in prop::sample::select(vec![1_000usize, 1_000, 3]),
        ) {
            let mut scene = Scene::new(HistoryLimits { events: keep, ..ALL });
            steps.into_iter().for_each(|(what, which)| scene.step(what, which));
            scene.settle();
            prop_assert!(keep == 3 || scene.followers.iter().all(|follower| !follower.told_of_gap));
        }
    }
}
