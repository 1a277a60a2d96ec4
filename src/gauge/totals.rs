//! Everything since the process started, for those who make rates of it themselves.

use parking_lot::Mutex;
use streamgauge_core::metric::{
    export::{Family, counters, distributions},
    measure::sample::Sample,
};

pub struct Totals(Mutex<Sample>);

impl Default for Totals {
    fn default() -> Totals {
        Totals(Mutex::new(Sample::new("", 0, 0)))
    }
}

impl Totals {
    /// One second of everything.
    pub fn add(&self, tick: &Sample) {
        self.0.lock().merge(tick);
    }

    /// As of the last tick, all of one moment, so that what adds up adds up here too.
    pub fn families(&self) -> Vec<Family> {
        let total = self.0.lock();
        counters(&total.counters).chain(distributions(&total)).collect()
    }
}
