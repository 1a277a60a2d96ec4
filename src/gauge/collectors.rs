//! The four collectors of the epic: each adds one second of what it knows to the tick.

use super::{Polled, process::memory_limit};
use crate::{measure::Recorder, stream::Hub};
use procfs::WithCurrentSystemInfo;
use streamgauge_core::{
    metric::measure::{counters::Counter, sample::Sample},
    settings::limits::Limit,
};

/// Connections: how many streams are open, and may be. Their beginnings and ends are counted where they happen.
pub struct ConnectionCollector {
    pub hub: Hub,
}

/// Messages: whatever the recorder counted since the last second.
pub struct MessageCollector {
    pub recorder: Recorder,
}

/// Resources: memory and CPU of this process.
#[derive(Default)]
pub struct ResourceCollector {
    /// CPU time used until the last second, µs.
    used: Option<u64>,
    /// Resident bytes when there was no stream last.
    unused: Option<u64>,
    /// What the process may use, bytes, and how many seconds ago that was asked: it hardly ever changes.
    limit: Option<u64>,
    asked: u32,
}

/// How often the limit of memory is asked for, seconds.
const LIMIT_EVERY: u32 = 10;

/// Business: for how long which cohort was followed.
pub struct BusinessCollector {
    pub polled: Polled,
    pub hub: Hub,
    pub poll_interval_ms: u32,
}

impl ConnectionCollector {
    /// Answers the streams that are open.
    pub fn collect(&self, tick: &mut Sample) -> u64 {
        let open = self.hub.followed();
        tick.counters.add(Counter::StreamSeconds, open);
        tick.counters.add(Counter::MaxConnectionsSum, self.hub.limits().get(Limit::MaxConnections).into());
        open
    }
}

impl MessageCollector {
    pub fn collect(&self, tick: &mut Sample) {
        self.recorder.collect(tick);
    }
}

impl ResourceCollector {
    /// Answers resident bytes, and the CPU used since the last second in percent of one core. Where there is no
    /// /proc, both are zero. `streams`: open ones.
    pub fn collect(&mut self, tick: &mut Sample, streams: u64) -> (u64, f64) {
        let Ok(stat) = procfs::process::Process::myself().and_then(|process| process.stat()) else {
            return (0, 0.0);
        };
        let resident = stat.rss_bytes().get();
        let ticks = stat.utime + stat.stime;
        let used = ticks * 1_000_000 / procfs::ticks_per_second().max(1);
        let micros = used - self.used.replace(used).unwrap_or(used).min(used);
        if streams == 0 {
            self.unused = Some(resident);
        }
        tick.counters.add(Counter::MemorySum, resident);
        tick.counters.add(Counter::UnusedMemorySum, *self.unused.get_or_insert(resident));
        tick.counters.add(Counter::CpuMicros, micros);
        if self.asked.is_multiple_of(LIMIT_EVERY) {
            self.limit = memory_limit();
        }
        self.asked = self.asked.wrapping_add(1);
        tick.counters.add(Counter::MemoryLimitSum, self.limit.unwrap_or(0));
        (resident, micros as f64 / 10_000.0)
    }
}

impl BusinessCollector {
    /// Answers the sessions that are followed by polling. `now`: Unix milliseconds.
    pub fn collect(&self, tick: &mut Sample, now: i64) -> u64 {
        self.polled.tick(&self.hub, self.hub.recorder().journal(), tick, now, self.poll_interval_ms)
    }
}
