//! What waits for a follower that no reactor holds: until it is parked, or for as long as its stream is a body.
//!
//! While a stream is being opened its follower is not slow: all events published meanwhile wait, up to [`OPENING`]. Once
//! its body is first polled, the queue is bounded in bytes and progress is conflated, as for a parked socket that blocks.

use super::message::Message;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use streamgauge_core::session::conflation::conflate;

/// Events that may wait for a stream that is being opened: as many as a history holds that is caught up with at once, and
/// as many live ones. Past that its subscription is lost, and it resumes from history. All followers share them.
pub const OPENING: usize = 512;
/// Bytes: past this, progress is conflated.
pub const SOFT: usize = 32 * 1024;
/// Bytes: past this, after conflation, the follower is too slow.
pub const HARD: usize = 64 * 1024;

/// The hub's end. When it is dropped, the stream ends after the queued events.
pub struct Sender(Arc<Mutex<State>>);

/// The follower's end.
pub struct Receiver(Arc<Mutex<State>>);

struct State {
    waiting: VecDeque<Arc<Message>>,
    /// Of the last ones, that came since the follower began to read: how many, and their bytes.
    counted: usize,
    bytes: usize,
    reads: bool,
    sends: bool,
    receives: bool,
    waker: Option<Waker>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// It waits; this many before it were merged into newer updates.
    Waits {
        conflated: u64,
    },
    /// The follower is too slow: the queue is closed. This many were merged before that.
    Slow {
        conflated: u64,
    },
    Gone,
}

pub fn queue() -> (Sender, Receiver) {
    let state = State {
        waiting: VecDeque::new(),
        counted: 0,
        bytes: 0,
        reads: false,
        sends: true,
        receives: true,
        waker: None,
    };
    let state = Arc::new(Mutex::new(state));
    (Sender(state.clone()), Receiver(state))
}

impl Sender {
    pub fn send(&self, message: &Arc<Message>) -> Sent {
        let mut state = self.0.lock();
        if !state.receives {
            return Sent::Gone;
        }
        let mut conflated = 0;
        if state.reads {
            if state.bytes + message.frame.len() > SOFT {
                conflated = state.conflate(message);
            }
            if state.bytes + message.frame.len() > HARD && state.counted > 0 {
                return Sent::Slow { conflated };
            }
            state.counted += 1;
            state.bytes += message.frame.len();
        } else if state.waiting.len() >= OPENING {
            return Sent::Slow { conflated };
        }
        state.waiting.push_back(message.clone());
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Sent::Waits { conflated }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.sends = false;
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }
}

impl Receiver {
    /// `None`: the hub has removed the subscription, and the queue is empty.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        let mut state = self.0.lock();
        state.reads = true;
        match state.take() {
            Some(message) => Poll::Ready(Some(message)),
            None if !state.sends => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next queued event.
    pub fn next(&mut self) -> Option<Arc<Message>> {
        self.0.lock().take()
    }

    /// Closes the queue. Returns how many events waited.
    pub fn close(&mut self) -> u64 {
        let mut state = self.0.lock();
        state.receives = false;
        std::mem::take(&mut state.waiting).len() as u64
    }

    /// The hub has removed the subscription.
    pub fn is_over(&self) -> bool {
        !self.0.lock().sends
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.lock().receives = false;
    }
}

impl State {
    fn take(&mut self) -> Option<Arc<Message>> {
        let message = self.waiting.pop_front()?;
        if self.waiting.len() < self.counted {
            self.counted -= 1;
            self.bytes -= message.frame.len();
        }
        Some(message)
    }

    /// Drops progress that a later event of the same stage replaces; `next` is the latest. Changes of stage, `gap` and
    /// `end` stay, and so do events that waited before the follower began to read.
    fn conflate(&mut self, next: &Message) -> u64 {
        let State { waiting, counted, bytes, .. } = self;
        let fixed = waiting.len() - *counted;
        conflate(
            waiting,
            fixed,
            Some(next.stage),
            |message| message.waiting(),
            |message| {
                *counted -= 1;
                *bytes -= message.frame.len();
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use streamgauge_core::session::ids::{Epoch, EventId};

    fn message(seq: u64, stage: u64, must: bool, bytes: usize) -> Arc<Message> {
        let (frame, chunk) = (Bytes::from(vec![b'x'; bytes]), Bytes::new());
        let id = EventId { epoch: Epoch(1), seq };
        Arc::new(Message { id, frame, chunk, ends: false, stage, must, accepted_us: None })
    }

    fn begin(receiver: &mut Receiver) {
        assert!(receiver.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    fn left(receiver: &mut Receiver) -> Vec<u64> {
        std::iter::from_fn(|| receiver.next()).map(|message| message.id.seq).collect()
    }

    #[test]
    fn what_comes_while_a_stream_opens_waits_whole() {
        let (sender, mut receiver) = queue();
        for seq in 1..=OPENING as u64 {
            assert_eq!(sender.send(&message(seq, 1, false, 8_000)), Sent::Waits { conflated: 0 });
        }
        assert_eq!(sender.send(&message(0, 1, false, 1)), Sent::Slow { conflated: 0 });
        drop(sender);
        assert_eq!(left(&mut receiver), (1..=OPENING as u64).collect::<Vec<_>>());
        assert!(receiver.is_over());
    }

    #[test]
    fn who_reads_slowly_gets_the_latest_of_each_stage() {
        let (sender, mut receiver) = queue();
        begin(&mut receiver);
        let mut conflated = 0;
        for seq in 1..=40 {
            match sender.send(&message(seq, seq / 20, seq == 7, 4_000)) {
                Sent::Waits { conflated: more } => conflated += more,
                other => panic!("{other:?}"),
            }
        }
        let left = left(&mut receiver);
        assert!(left.contains(&7) && left.contains(&19) && left.ends_with(&[40]), "{left:?}");
        assert_eq!(left.len() as u64 + conflated, 40);
    }

    #[test]
    fn who_reads_nothing_of_many_stages_is_too_slow() {
        let (sender, mut receiver) = queue();
        begin(&mut receiver);
        let sent: Vec<Sent> = (1..=17).map(|seq| sender.send(&message(seq, seq, false, 4_000))).collect();
        assert!(sent[..16].iter().all(|sent| *sent == Sent::Waits { conflated: 0 }), "{sent:?}");
        assert_eq!(sent[16], Sent::Slow { conflated: 0 });
        drop(receiver);
        assert_eq!(sender.send(&message(18, 1, false, 1)), Sent::Gone);
    }

    proptest! {
        /// However it is read: in order, each that must come, the last of each run of a stage, and never more than is allowed.
        #[test]
        fn what_is_missing_was_progress(events in prop::collection::vec((0u64..3, any::<bool>(), 1usize..9_000, 0usize..3), 1..120)) {
            let (sender, mut receiver) = queue();
            begin(&mut receiver);
            let (mut read, mut conflated, mut due) = (Vec::new(), 0, 0);
            for (seq, (stage, must, bytes, reads)) in (1..).zip(&events) {
                match sender.send(&message(seq, *stage, *must, *bytes)) {
                    Sent::Waits { conflated: more } => conflated += more,
                    Sent::Slow { conflated: more } => { conflated += more; break }
                    Sent::Gone => unreachable!(),
                }
                due = seq;
                prop_assert!(sender.0.lock().bytes <= HARD.max(*bytes));
                read.extend((0..*reads).filter_map(|_| receiver.next()).map(|message| message.id.seq));
            }
            read.extend(left(&mut receiver));
            prop_assert!(read.is_sorted());
            prop_assert_eq!(read.len() as u64 + conflated, due);
            for (seq, (stage, must, ..)) in (1u64..=due).zip(&events) {
                let last = events.get(seq as usize).is_none_or(|(next, ..)| next != stage);
                prop_assert!(!(*must || last) || read.contains(&seq), "{} of {:?}", seq, read);
            }
            let state = sender.0.lock();
            prop_assert_eq!((state.counted, state.bytes), (0, 0));
        }
    }
}
