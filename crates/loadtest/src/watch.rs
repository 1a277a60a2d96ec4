//! The server's memory and CPU during a run, and what they come to.

use crate::host::{self, Usage};
use streamgauge_core::load_test::ServerFigures;

/// CPU peaks are means over this long: a single second is mostly noise.
const PEAK_SECONDS: f64 = 10.0;

/// Deliveries under which the server's other work hides what one costs.
const DELIVERIES: u64 = 10_000;

/// Streams under which the server's other memory hides what one weighs, to the kB.
const WEIGHED: u32 = 1_000;

/// A session's history fills for ten minutes, by default, and grows no more: what is held only then is to stay the same.
const SETTLES: f64 = 600.0;
/// Held for less than this after that, a change is hardly more than noise.
const DRIFT_SECONDS: f64 = 1_200.0;

pub struct Watch {
    pid: i32,
    cores: u32,
    baseline: Option<u64>,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Seconds after the start.
    at: f64,
    streams: u32,
    delivered: u64,
    usage: Usage,
}

/// What one more sample says about the time since the one before.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    pub usage: Usage,
    /// CPU seconds, and in how many seconds they were used.
    pub cpu: Option<(f64, f64)>,
}

impl Watch {
    /// Reads the memory before the first stream. `None`: the process cannot be read.
    pub fn begin(pid: i32) -> Option<Watch> {
        let baseline = host::read(pid, true)?;
        Some(Watch { pid, cores: host::cores(), baseline: baseline.pss, samples: Vec::new() })
    }

    pub fn sample(&mut self, at: f64, streams: u32, delivered: u64, with_pss: bool) -> Option<Since> {
        let usage = host::read(self.pid, with_pss)?;
        let before = self.samples.last().copied();
        self.samples.push(Sample { at, streams, delivered, usage });
        let cpu = before.map(|before| (usage.cpu_seconds - before.usage.cpu_seconds, at - before.at));
        Some(Since { usage, cpu })
    }

    /// `start`, `end`: between which messages were due, seconds after the start. `together`: whether all streams were
    /// open and silent at `start`, and open until `end`.
    pub fn figures(&self, start: f64, end: f64, together: bool) -> ServerFigures {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let with_pss = || self.samples.iter().filter_map(|s| Some((s, s.usage.pss?)));
        // A server that gives back what an earlier load took says nothing about this one.
        let growth = |pss: u64| Some(pss.checked_sub(self.baseline?).filter(|grown| *grown > 0)? as f64);
        let most = self.samples.iter().map(|sample| sample.streams).max().unwrap_or(0);
        // The last sample with the most streams: what they cost after a while, and not only at first.
        let at_peak = with_pss().rfind(|(sample, _)| sample.streams >= most / 10 * 9 && sample.streams > 0);
        let silent = with_pss()
            .rfind(|(sample, _)| together && most >= WEIGHED && sample.at <= start && sample.streams == most);
        let loaded: Vec<&Sample> = self.samples.iter().filter(|s| (start..=end).contains(&s.at)).collect();
        let (mean, a_delivery) = match (loaded.first(), loaded.last()) {
            (Some(first), Some(last)) if last.at > first.at => {
                let cpu = last.usage.cpu_seconds - first.usage.cpu_seconds;
                let delivered = last.delivered.saturating_sub(first.delivered);
                (
                    Some(cpu / (last.at - first.at) * 100.0),
                    (delivered >= DELIVERIES).then(|| cpu * 1e6 / delivered as f64),
                )
            }
            _ => (None, None),
        };
        ServerFigures {
            pid: self.pid,
            cores: self.cores,
            baseline_mb: self.baseline.map(mb),
            peak_pss_mb: with_pss().map(|(_, pss)| pss).max().map(mb),
            peak_rss_mb: self.samples.iter().map(|s| s.usage.rss).max().map(mb),
            mb_per_100_streams: at_peak
                .and_then(|(sample, pss)| Some(growth(pss)? / 1e6 / f64::from(sample.streams) * 100.0)),
            memory_streams: at_peak.map_or(0, |(sample, _)| u64::from(sample.streams)),
            idle_stream_kb: silent
                .and_then(|(s, pss)| Some(growth(pss)? / 1e3 / f64::from(s.streams.max(1)))),
            cpu_peak_percent: self.peak().map(|cores| cores * 100.0 / f64::from(self.cores)),
            cpu_mean_core_percent: mean,
            cpu_seconds_measured: self.samples.len() as u64,
            memory_drift_percent: self.drift(most).filter(|_| together && most >= WEIGHED),
            // Where followers come and go all the time, most CPU is not for deliveries.
            cpu_us_per_delivery: a_delivery.filter(|_| together),
        }
    }

    /// Mean PSS in the last quarter of the time with `most` streams, once that has settled, over that in its first quarter,
    /// percent more.
    fn drift(&self, most: u32) -> Option<f64> {
        let held: Vec<&Sample> = self.samples.iter().filter(|sample| sample.streams == most).collect();
        let (from, to) = (held.first()?.at + SETTLES, held.last()?.at);
        let quarter = (to - from) / 4.0;
        let mean = |from: f64, to: f64| {
            let within = held.iter().filter(|sample| (from..=to).contains(&sample.at));
            let pss: Vec<f64> = within.filter_map(|sample| Some(sample.usage.pss? as f64)).collect();
            (!pss.is_empty()).then(|| pss.iter().sum::<f64>() / pss.len() as f64)
        };
        if to - from < DRIFT_SECONDS {
            return None;
        }
        let (first, last) = (mean(from, from + quarter)?, mean(to - quarter, to)?);
        (first > 0.0).then(|| (last / first - 1.0) * 100.0)
    }

    /// Cores used in the busiest 10 s, or in the whole of a shorter run.
    fn peak(&self) -> Option<f64> {
        let whole = self.samples.last()?.at - self.samples.first()?.at;
        let width = PEAK_SECONDS.min(whole);
        let windows = self.samples.iter().filter_map(|first| {
            let last =
                self.samples.iter().find(|last| last.at - first.at >= width - 0.5 && last.at > first.at)?;
            Some((last.usage.cpu_seconds - first.usage.cpu_seconds) / (last.at - first.at))
        });
        windows.reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_the_right_samples() {
        let sample = |at: u32, streams, cpu_seconds| Sample {
            at: f64::from(at),
            streams,
            delivered: u64::from(at) * 1_000,
            usage: Usage { cpu_seconds, rss: 1, pss: Some(50_000_000 + u64::from(streams) * 10_000) },
        };
        // 20 s opening, then 20 s at half a core.
        let samples =
            (0..40).map(|at| sample(at, (at * 100).min(2_000), f64::from(at.max(20) - 20) * 0.5)).collect();
        let watch = Watch { pid: 1, cores: 2, baseline: Some(50_000_000), samples };
        let figures = watch.figures(20.0, 39.0, true);
        assert_eq!((figures.mb_per_100_streams, figures.memory_streams), (Some(1.0), 2_000));
        assert_eq!((figures.idle_stream_kb, figures.cpu_peak_percent), (Some(10.0), Some(25.0)));
        assert_eq!((figures.cpu_mean_core_percent, figures.cpu_us_per_delivery), (Some(50.0), Some(500.0)));
    }

    #[test]
    fn drift_is_the_last_quarter_against_the_first() {
        // 10 s opening, then held for `seconds`; `pss` in MB of a second since all were open, read each other second.
        fn drift(streams: u32, seconds: u32, together: bool, pss: fn(u32) -> u32) -> Option<f64> {
            let sample = |at: u32| Sample {
                at: f64::from(at),
                streams: if at < 10 { streams / 10 * at } else { streams },
                delivered: 0,
                usage: Usage {
                    cpu_seconds: 0.0,
                    rss: 1,
                    pss: at.is_multiple_of(2).then(|| u64::from(pss(at.saturating_sub(10))) * 1_000_000),
                },
            };
            let samples = (0..=10 + seconds).map(sample).collect();
            let watch = Watch { pid: 1, cores: 2, baseline: Some(1), samples };
            watch.figures(12.0, f64::from(10 + seconds), together).memory_drift_percent
        }
        let flat = |_| 50;
        let check = |got: Option<f64>, expected: Option<f64>| {
            let near = got.zip(expected).is_some_and(|(got, expected)| (got - expected).abs() < 1e-9);
            assert!(near || got.is_none() && expected.is_none(), "{got:?}, not {expected:?}");
        };
        check(drift(1_000, 1_800, true, flat), Some(0.0));
        check(drift(1_000, 1_800, true, |second| if second < 1_400 { 50 } else { 51 }), Some(2.0));
        check(drift(1_000, 1_800, true, |second| if second <= 1_000 { 50 } else { 40 }), Some(-20.0));
        // What happens before it settles, or rises and falls between the two quarters, is no drift.
        check(drift(1_000, 1_800, true, |second| if second < 600 { 30 } else { 50 }), Some(0.0));
        check(
            drift(1_000, 1_800, true, |second| if (902..1_498).contains(&second) { 90 } else { 50 }),
            Some(0.0),
        );
        check(drift(1_000, 1_799, true, flat), None);
        check(drift(990, 1_800, true, flat), None);
        check(drift(1_000, 1_800, false, flat), None);
    }
}
