//! What every stream lives by, and what may be turned while the server runs.

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
pub struct Knobs(Arc<[AtomicU32; Knob::ALL.len()]>);

impl Knobs {
    pub fn new(limits: &Limits) -> Knobs {
        let knobs = Knobs(Arc::new(std::array::from_fn(|_| AtomicU32::new(0))));
        knobs.set(limits);
        knobs
    }

    pub fn get(&self, knob: Knob) -> u32 {
        self.0[knob as usize].load(Relaxed)
    }

    pub fn set(&self, limits: &Limits) {
        for &knob in Knob::ALL {
            self.0[knob as usize].store(limits.get(knob), Relaxed);
        }
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
