//! Every number's one definition: its formula here, its unit and source in the doc comment.
//!
//! Each formula answers `None` when its denominator is empty: "not enough data" is a state of its own,
//! never a zero. Rates and reductions are percent (0 to 100), times are milliseconds.

use serde::{Deserialize, Serialize};

/// Deliveries under which a percentile is not shown: a p95 of fewer than 20 values is just their maximum.
pub const PERCENTILE_FLOOR: u64 = 20;
/// Operations under which an error rate is not judged: one failure in 100 would read as ten times the limit.
pub const RATE_FLOOR: u64 = 100;
/// Followed session time under which a cohort is not compared, seconds.
pub const COHORT_FLOOR_SECONDS: u64 = 60;

/// Probes under which an uptime is not told: a minute of them.
pub const PROBE_FLOOR: u64 = 6;
/// Streams, open on average, under which memory is not divided by them: what a process takes and gives back by itself
/// is as much.
pub const MEMORY_FLOOR: u64 = 100;

/// Whether the polling side of a comparison was counted in the control group or computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    Measured,
    Modelled,
}

impl Basis {
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Modelled => "modelled",
        }
    }
}

/// What one cohort cost, counted on the wire (heads included) while its sessions were followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CohortCost {
    pub requests: u64,
    /// Request and response bytes together.
    pub bytes: u64,
    /// Time for which sessions of the cohort had a follower, seconds, summed over sessions.
    pub session_seconds: u64,
}

impl CohortCost {
    pub fn requests_per_hour(self) -> Option<f64> {
        ratio(self.requests as f64 * 3_600.0, self.session_seconds)
    }

    pub fn bytes_per_hour(self) -> Option<f64> {
        ratio(self.bytes as f64 * 3_600.0, self.session_seconds)
    }

    fn is_comparable(self) -> bool {
        self.session_seconds >= COHORT_FLOOR_SECONDS
    }
}

/// Streaming against polling, each per followed session hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduction {
    pub polling: f64,
    pub streaming: f64,
    pub basis: Basis,
}

impl Reduction {
    /// 1 - streaming / polling, percent. Negative when streaming costs more, which short sessions do.
    pub fn percent(self) -> Option<f64> {
        (self.polling > 0.0).then(|| (1.0 - self.streaming / self.polling) * 100.0)
    }
}

/// Requests per session hour, both cohorts. Without a control group: one poll per interval ("modelled").
pub fn request_reduction(stream: CohortCost, poll: CohortCost, poll_interval_ms: u32) -> Option<Reduction> {
    if !stream.is_comparable() {
        return None;
    }
    let streaming = stream.requests_per_hour()?;
    if poll.is_comparable() {
        let polling = poll.requests_per_hour()?;
        return Some(Reduction { polling, streaming, basis: Basis::Measured });
    }
    let polling = 3_600_000.0 / f64::from(poll_interval_ms.max(1));
    Some(Reduction { polling, streaming, basis: Basis::Modelled })
}

/// Bytes per session hour, both cohorts. Without a control group: polls per hour times `bytes_per_poll`, the mean of the polls that were seen.
pub fn bandwidth_reduction(
    stream: CohortCost,
    poll: CohortCost,
    poll_interval_ms: u32,
    bytes_per_poll: Option<f64>,
) -> Option<Reduction> {
    if !stream.is_comparable() {
        return None;
    }
    let streaming = stream.bytes_per_hour()?;
    if poll.is_comparable() {
        let polling = poll.bytes_per_hour()?;
        return Some(Reduction { polling, streaming, basis: Basis::Measured });
    }
    let polling = 3_600_000.0 / f64::from(poll_interval_ms.max(1)) * bytes_per_poll?;
    Some(Reduction { polling, streaming, basis: Basis::Modelled })
}

/// How old a poller's news is on average, ms: as the polls measured it, else half an interval plus one poll's own time ("modelled").
pub fn polling_staleness(
    measured_mean_ms: Option<f64>,
    poll_interval_ms: u32,
    poll_time_ms: f64,
) -> (f64, Basis) {
    match measured_mean_ms {
        Some(mean) => (mean, Basis::Measured),
        None => (f64::from(poll_interval_ms) / 2.0 + poll_time_ms, Basis::Modelled),
    }
}

/// 1 - delivery latency / polling staleness, percent.
pub fn latency_improvement(delivery_ms: f64, staleness_ms: f64) -> Option<f64> {
    (staleness_ms > 0.0).then(|| (1.0 - delivery_ms / staleness_ms) * 100.0)
}

/// (failed attempts + failed deliveries) / (attempts + deliveries due), percent.
///
/// Refusals by a limit and followers who left are no failures: both are counted apart and shown.
pub fn error_rate(failed_attempts: u64, failed_deliveries: u64, attempts: u64, due: u64) -> Option<f64> {
    ratio((failed_attempts + failed_deliveries) as f64 * 100.0, attempts + due)
}

/// Established / attempted, percent.
pub fn connection_success_rate(established: u64, attempts: u64) -> Option<f64> {
    ratio(established as f64 * 100.0, attempts)
}

/// Resident memory / the memory that may be used, percent.
pub fn memory_usage(resident: u64, limit: u64) -> Option<f64> {
    ratio(resident as f64 * 100.0, limit)
}

/// Completed / (completed + failed + abandoned), percent.
pub fn session_completion_rate(completed: u64, failed: u64, abandoned: u64) -> Option<f64> {
    ratio(completed as f64 * 100.0, completed + failed + abandoned)
}

/// Sessions with a fallback / sessions of the stream cohort, percent.
///
/// A session that falls back in a later window than it began in counts there, so a short window may show more than 100;
/// it is cut off at that.
pub fn fallback_activation_rate(fell_back: u64, sessions: u64) -> Option<f64> {
    ratio(fell_back as f64 * 100.0, sessions).map(|rate| rate.min(100.0))
}

/// Share of an error budget that is left, percent: 100 untouched, 0 spent, negative overspent.
pub fn budget_left(rate: f64, limit: f64) -> f64 {
    (1.0 - rate / limit) * 100.0
}

/// (resident now - resident at zero) / open streams, bytes. Sums over the same seconds will do for each.
pub fn memory_per_connection(resident: u64, at_zero: u64, streams: u64) -> Option<f64> {
    ratio(resident.saturating_sub(at_zero) as f64, streams)
}

fn ratio(numerator: f64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator / denominator as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(requests: u64, bytes: u64, session_seconds: u64) -> CohortCost {
        CohortCost { requests, bytes, session_seconds }
    }

    #[test]
    fn reductions_say_what_they_rest_on() {
        // One 30-minute session a cohort, the epic's workload: 600 polls against one stream.
        let streaming = cost(1, 20_000, 1_800);
        let measured = request_reduction(streaming, cost(600, 300_000, 1_800), 3_000).expect("both cohorts");
        assert_eq!((measured.polling, measured.streaming, measured.basis), (1_200.0, 2.0, Basis::Measured));
        assert!((measured.percent().expect("polls") - 99.833).abs() < 0.001);

        let modelled = request_reduction(streaming, cost(0, 0, 0), 3_000).expect("modelled");
        assert_eq!((modelled.polling, modelled.basis), (1_200.0, Basis::Modelled));

        assert_eq!(
            request_reduction(cost(1, 1, 59), cost(600, 1, 1_800), 3_000),
            None,
            "too little streaming"
        );
        assert_eq!(
            bandwidth_reduction(streaming, cost(0, 0, 0), 3_000, None),
            None,
            "no poll was ever weighed"
        );
    }

    #[test]
    fn bytes_are_compared_by_the_session_hour() {
        let (streaming, polling) = (cost(1, 20_000, 1_800), cost(600, 300_000, 1_800));
        let measured = bandwidth_reduction(streaming, polling, 3_000, None).expect("both cohorts");
        let expected = Reduction { polling: 600_000.0, streaming: 40_000.0, basis: Basis::Measured };
        assert_eq!(measured, expected);
        // 3,600,000 ms an hour / 3,000 ms = 1,200 polls of 450 bytes.
        let modelled = bandwidth_reduction(streaming, cost(0, 0, 0), 3_000, Some(450.0)).expect("modelled");
        let expected = Reduction { polling: 540_000.0, streaming: 40_000.0, basis: Basis::Modelled };
        assert_eq!(modelled, expected);
        assert_eq!(bandwidth_reduction(cost(1, 1, 59), polling, 3_000, Some(450.0)), None);
    }

    #[test]
    fn a_cohort_counts_from_a_minute_on() {
        let basis = |seconds| {
            let polling = cost(20, 9_000, seconds);
            let (requests, bytes) = (
                request_reduction(cost(1, 1, 60), polling, 3_000).map(|reduction| reduction.basis),
                bandwidth_reduction(cost(1, 1, 60), polling, 3_000, Some(1.0))
                    .map(|reduction| reduction.basis),
            );
            assert_eq!(requests, bytes);
            requests
        };
        assert_eq!((basis(59), basis(60)), (Some(Basis::Modelled), Some(Basis::Measured)));
        assert_eq!(cost(0, 0, 0).requests_per_hour(), None);
        assert_eq!(
            (cost(6, 90, 1_800).requests_per_hour(), cost(6, 90, 1_800).bytes_per_hour()),
            (Some(12.0), Some(180.0))
        );
    }

    #[test]
    fn staleness_and_budgets_are_what_their_formulas_say() {
        assert_eq!(polling_staleness(Some(1_700.0), 3_000, 20.0), (1_700.0, Basis::Measured));
        assert_eq!(latency_improvement(15.0, 0.0), None);
        assert_eq!(latency_improvement(3_000.0, 1_500.0), Some(-100.0));
        assert_eq!(
            (budget_left(0.0, 0.1), budget_left(0.1, 0.1), budget_left(0.2, 0.1)),
            (100.0, 0.0, -100.0)
        );
        assert_eq!(memory_per_connection(1_200, 200, 5), Some(200.0));
        assert_eq!(error_rate(1, 2, 100, 200), Some(1.0));
        assert_eq!(session_completion_rate(1, 1, 2), Some(25.0));
        assert_eq!(connection_success_rate(39, 40), Some(97.5));
    }

    #[test]
    fn a_reduction_can_be_negative() {
        let short = Reduction { polling: 10.0, streaming: 40.0, basis: Basis::Measured };
        assert_eq!(short.percent(), Some(-300.0));
        assert_eq!(Reduction { polling: 0.0, ..short }.percent(), None);
    }

    #[test]
    fn nothing_divided_by_nothing_is_no_data() {
        assert_eq!(error_rate(0, 0, 0, 0), None);
        assert_eq!(error_rate(1, 1, 50, 150), Some(1.0));
        assert_eq!(connection_success_rate(0, 0), None);
        assert_eq!(session_completion_rate(3, 1, 0), Some(75.0));
        assert_eq!(fallback_activation_rate(1, 0), None);
        assert_eq!(fallback_activation_rate(3, 60), Some(5.0));
        assert_eq!(fallback_activation_rate(3, 2), Some(100.0));
        assert_eq!(memory_per_connection(100, 200, 0), None);
        assert_eq!(memory_per_connection(100, 200, 5), Some(0.0));
        assert_eq!(polling_staleness(None, 3_000, 20.0), (1_520.0, Basis::Modelled));
        assert_eq!(latency_improvement(15.2, 1_520.0), Some(99.0));
        assert_eq!(budget_left(0.021, 0.1).round(), 79.0);
    }
}
