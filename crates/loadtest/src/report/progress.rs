//! A line now and then while a test runs.

use crate::{run::Progress, scenario::span::clock};
use std::time::Duration;
use streamgauge_core::metric::kpi::thousands;

/// Ten lines or so for a short test, one a minute for a long one.
pub struct Lines {
    next: Duration,
    /// Since the last line.
    since: Option<Box<crate::tally::Tally>>,
    seconds: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { next: Duration::ZERO, since: None, seconds: 0 }
    }
}

impl Lines {
    /// The line to print, when it is time for one.
    pub fn line(&mut self, progress: &Progress) -> Option<String> {
        let since = self.since.get_or_insert_default();
        since.merge(&progress.second);
        self.seconds += 1;
        if progress.at < self.next {
            return None;
        }
        let every = (progress.of / 12).clamp(Duration::from_secs(2), Duration::from_secs(60));
        self.next = progress.at + every - Duration::from_millis(500);
        let since = self.since.take().unwrap_or_default();
        let seconds = std::mem::take(&mut self.seconds).max(1);
        let p95 = since.latency.ms(95.0).map_or_else(|| "–".into(), |ms| format!("{ms:.1} ms"));
        let missing = progress.total.skipped.saturating_sub(progress.total.out_of_order);
        let rate = progress.rate.map_or_else(String::new, |rate| format!("  step {rate:.0} messages/s"));
        Some(format!(
            "{} of {}  {} streams  {} messages/s  {} deliveries/s  p95 {p95}  missing {}  failed {}{rate}",
            clock(progress.at),
            clock(progress.of),
            thousands(progress.open.into()),
            thousands(since.counts.sent / seconds),
            thousands(since.counts.delivered / seconds),
            thousands(missing),
            thousands(progress.total.connect_failed + progress.total.publish_failed + progress.total.cut),
        ))
    }
}
