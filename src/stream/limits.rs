//! The limits in force on this node, which may change while the server runs.

use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::settings::limits::{Limit, Limits};

/// The limits in force. Cloning shares them; a stream reads them when it needs them, so that a change counts at once.
#[derive(Clone)]
pub struct LiveLimits(Arc<Inner>);

struct Inner {
    values: [AtomicU32; Limit::ALL.len()],
    /// Held while a change is made, so that two at once do not undo each other.
    changing: Mutex<()>,
}

impl LiveLimits {
    pub fn new(limits: &Limits) -> LiveLimits {
        let live = LiveLimits(Arc::new(Inner {
            values: std::array::from_fn(|_| AtomicU32::new(0)),
            changing: Mutex::new(()),
        }));
        live.set(limits);
        live
    }

    pub fn get(&self, limit: Limit) -> u32 {
        self.0.values[limit as usize].load(Relaxed)
    }

    pub fn set(&self, limits: &Limits) {
        for &limit in Limit::ALL {
            self.0.values[limit as usize].store(limits.get(limit), Relaxed);
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
        for &limit in Limit::ALL {
            limits.put(limit, self.get(limit));
        }
        limits
    }

    pub fn heartbeat(&self) -> Duration {
        self.time(Limit::HeartbeatMs)
    }

    pub fn idle_close(&self) -> Duration {
        self.time(Limit::IdleCloseMs)
    }

    pub fn batch(&self) -> Duration {
        self.time(Limit::BatchMs)
    }

    fn time(&self, limit: Limit) -> Duration {
        Duration::from_millis(self.get(limit).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_at_once_do_not_undo_each_other() {
        let limits = LiveLimits::new(&Limits::default());
        let once_more = |old: &Limits| Ok::<_, ()>(Limits { batch_ms: old.batch_ms + 1, ..old.clone() });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| limits.change(once_more).map(drop).expect("no fault")));
            }
        });
        assert_eq!(limits.get(Limit::BatchMs), 800);
        assert_eq!(limits.change(|_| Err::<Limits, _>("no")), Err("no"));
        assert_eq!(limits.get(Limit::BatchMs), 800);
    }
}
