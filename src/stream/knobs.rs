//! What every stream lives by, and what may be turned while the server runs.

use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::settings::limits::{Knob, Limits};

/// The limits in force. Cloning shares them; a stream reads them when it needs them, so that a change counts at once.
#[derive(Clone)]
pub struct Knobs(Arc<Inner>);

struct Inner {
    values: [AtomicU32; Knob::ALL.len()],
    /// Held while a change is made, so that two at once do not undo each other.
    changing: Mutex<()>,
}

impl Knobs {
    pub fn new(limits: &Limits) -> Knobs {
        let knobs = Knobs(Arc::new(Inner {
            values: std::array::from_fn(|_| AtomicU32::new(0)),
            changing: Mutex::new(()),
        }));
        knobs.set(limits);
        knobs
    }

    pub fn get(&self, knob: Knob) -> u32 {
        self.0.values[knob as usize].load(Relaxed)
    }

    pub fn set(&self, limits: &Limits) {
        for &knob in Knob::ALL {
            self.0.values[knob as usize].store(limits.get(knob), Relaxed);
        }
    }

    /// Sets the limits to what `change` makes of those in force. Answers them as they were and as they are.
    pub fn change<E>(
        &self,
        change: impl FnOnce(&Limits) -> Result<Limits, E>,
    ) -> Result<(Limits, Limits), E> {
        let _one_at_a_time = self.0.changing.lock();
        let old = self.all();
        let new = change(&old)?;
        self.set(&new);
        Ok((old, new))
    }

    pub fn all(&self) -> Limits {
        let mut limits = Limits::default();
        for &knob in Knob::ALL {
            limits.put(knob, self.get(knob));
        }
        limits
    }

    pub fn heartbeat(&self) -> Duration {
        self.time(Knob::HeartbeatMs)
    }

    pub fn idle_close(&self) -> Duration {
        self.time(Knob::IdleCloseMs)
    }

    pub fn batch(&self) -> Duration {
        self.time(Knob::BatchMs)
    }

    fn time(&self, knob: Knob) -> Duration {
        Duration::from_millis(self.get(knob).into())
    }
}
