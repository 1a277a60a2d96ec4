//! The run over time, in at most 200 slots, which as JSON fit into a request of 64 kB: short runs by the second, long ones coarser. Slots are merged, never averaged.

use crate::{host::Usage, tally::Times};
use streamgauge_core::load_test::Point;

const MOST: usize = 200;

#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Seconds a slot stands for.
    width: u64,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    latency: Times,
    delivered: u64,
    sent: u64,
    /// Most that were open at once, each thread by its own.
    open: Vec<u32>,
    pss: Option<u64>,
    rss: Option<u64>,
    /// Server CPU, seconds, and the seconds in which they were used.
    cpu: (f64, f64),
}

impl Timeline {
    fn slot(&mut self, second: u64) -> &mut Slot {
        self.width = self.width.max(1);
        while second / self.width >= MOST as u64 {
            self.slots = self
                .slots
                .chunks(2)
                .map(|pair| pair.iter().cloned().reduce(Slot::merged).unwrap_or_default())
                .collect();
            self.width *= 2;
        }
        let index = (second / self.width) as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Slot::default);
        }
        &mut self.slots[index]
    }

    pub fn load(
        &mut self,
        second: u64,
        thread: usize,
        latency: &Times,
        delivered: u64,
        sent: u64,
        open: u32,
    ) {
        let slot = self.slot(second);
        slot.latency.merge(latency);
        slot.delivered += delivered;
        slot.sent += sent;
        if slot.open.len() <= thread {
            slot.open.resize(thread + 1, 0);
        }
        slot.open[thread] = slot.open[thread].max(open);
    }

    pub fn usage(&mut self, second: u64, usage: Usage, cpu: Option<(f64, f64)>) {
        let slot = self.slot(second);
        slot.rss = Some(usage.rss);
        slot.pss = usage.pss.or(slot.pss);
        if let Some((used, seconds)) = cpu {
            slot.cpu = (slot.cpu.0 + used, slot.cpu.1 + seconds);
        }
    }

    pub fn points(&self) -> Vec<Point> {
        let mb = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1e6);
        let width = self.width.max(1);
        (0u64..)
            .zip(&self.slots)
            .map(|(index, slot)| Point {
                at_s: index * width,
                p50_ms: slot.latency.ms(50.0),
                p95_ms: slot.latency.ms(95.0),
                p99_ms: slot.latency.ms(99.0),
                streams: slot.open.iter().sum(),
                deliveries_per_second: slot.delivered as f64 / width as f64,
                messages_per_second: slot.sent as f64 / width as f64,
                pss_mb: mb(slot.pss),
                rss_mb: mb(slot.rss),
                cpu_percent: (slot.cpu.1 > 0.0).then(|| slot.cpu.0 / slot.cpu.1 * 100.0),
            })
            .collect()
    }
}

impl Slot {
    fn merged(mut self, later: Slot) -> Slot {
        self.latency.merge(&later.latency);
        let threads = self.open.len().max(later.open.len());
        let most = |thread| self.open.get(thread).max(later.open.get(thread)).copied().unwrap_or(0);
        let open = (0..threads).map(most).collect();
        Slot {
            latency: self.latency,
            delivered: self.delivered + later.delivered,
            sent: self.sent + later.sent,
            open,
            pss: later.pss.or(self.pss),
            rss: later.rss.or(self.rss),
            cpu: (self.cpu.0 + later.cpu.0, self.cpu.1 + later.cpu.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_loses_no_count() {
        let mut timeline = Timeline::default();
        let mut latency = Times::default();
        latency.record(5_000);
        for second in 0..1_000 {
            timeline.load(second, 1, &latency, 10, 2, second as u32);
        }
        let points = timeline.points();
        assert!(points.len() <= MOST && points[1].at_s == 8, "{}", points[1].at_s);
        let delivered: f64 = points.iter().map(|point| point.deliveries_per_second * 8.0).sum();
        assert_eq!((delivered, points[124].streams), (10_000.0, 999));
        assert_eq!(points[0].deliveries_per_second, 10.0);
    }
}
