//! What a run came to: the JSON document, and what the reports and the server are given.

use crate::{
    judge::{Finding, Verdict},
    limit::Step,
    tally::{Counts, Tally, Times},
    timeline::Point,
};
use serde::Serialize;

/// A histogram, read.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Summary {
    pub samples: u64,
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub p999_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

impl From<&Times> for Summary {
    fn from(times: &Times) -> Summary {
        Summary {
            samples: times.count(),
            p50_ms: times.ms(50.0),
            p90_ms: times.ms(90.0),
            p95_ms: times.ms(95.0),
            p99_ms: times.ms(99.0),
            p999_ms: times.ms(99.9),
            max_ms: times.ms(100.0),
        }
    }
}

/// What the server's process used. Its database is a process of its own, and not in here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerFigures {
    pub pid: i32,
    /// Of this machine.
    pub cores: u32,
    /// PSS before the first stream.
    pub baseline_mb: Option<f64>,
    pub peak_pss_mb: Option<f64>,
    pub peak_rss_mb: Option<f64>,
    /// Growth of PSS from the baseline to the peak of streams, their sessions included.
    pub mb_per_100_streams: Option<f64>,
    /// How many streams that was measured with.
    pub memory_streams: u64,
    /// The same for one stream while all were open and nothing was said yet, kB.
    pub idle_stream_kb: Option<f64>,
    /// Busiest 10 s, percent of all cores of the machine.
    pub cpu_peak_percent: Option<f64>,
    /// Over the time in which messages were sent, percent of one core.
    pub cpu_mean_core_percent: Option<f64>,
    pub cpu_seconds_measured: u64,
    /// CPU time from the first message to the last, over deliveries, µs.
    pub cpu_us_per_delivery: Option<f64>,
}

/// What the load tool itself cost, and whether it kept up.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ToolFigures {
    pub threads: u32,
    /// Percent of one core.
    pub cpu_mean_core_percent: f64,
    /// How late it was without the server's doing.
    pub lag: Summary,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    pub streams_asked: u32,
    pub sessions_asked: u32,
    pub peak_streams: u32,
    /// Length of the run.
    pub seconds: u64,
    pub counts: Counts,
    /// From due to arrival, over all deliveries.
    pub latency: Summary,
    /// From really sent to arrival.
    pub latency_sent: Summary,
    /// From due until the last follower of the session had it.
    pub last_delivery: Summary,
    /// From due to the answer's head.
    pub connect: Summary,
    pub connect_began: Summary,
    pub answer: Summary,
    pub server: Option<ServerFigures>,
    pub tool: ToolFigures,
    /// Of a step-wise scenario.
    pub steps: Vec<Step>,
}

impl Figures {
    pub fn of(tally: &Tally) -> Figures {
        Figures {
            counts: tally.counts,
            latency: (&tally.latency).into(),
            latency_sent: (&tally.latency_sent).into(),
            last_delivery: (&tally.last_delivery).into(),
            connect: (&tally.connect).into(),
            connect_began: (&tally.connect_began).into(),
            answer: (&tally.answer).into(),
            ..Figures::default()
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Of this document's shape.
    pub version: u32,
    pub scenario: String,
    pub title: String,
    pub url: String,
    pub time_scale: f64,
    /// Unix ms.
    pub started_at: i64,
    pub interrupted: bool,
    /// No target was missed. Says nothing about those that were not measured.
    pub passed: bool,
    pub findings: Vec<Finding>,
    pub figures: Figures,
    pub timeline: Vec<Point>,
}

impl Outcome {
    /// What a reader must know before believing the figures.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let (tool, counts) = (&self.figures.tool, &self.figures.counts);
        if self.interrupted {
            warnings.push("The run was interrupted; the figures are of what was measured until then.".into());
        }
        if let Some(late) = tool.lag.p95_ms.filter(|ms| *ms > 10.0) {
            warnings.push(format!(
                "The load tool itself was late (p95 {late:.0} ms): this machine is too small for this load and the server together. Latencies include it."
            ));
        }
        if counts.held_back > 0 {
            warnings.push(format!(
                "{} messages left late, because the server had not answered those before. Latency counts from when they were due.",
                streamgauge_core::kpi::thousands(counts.held_back)
            ));
        }
        if counts.connect_refused > 0 {
            warnings.push(format!(
                "{} streams were refused by a limit (429 or 503). Refusals are no errors, and no streams.",
                streamgauge_core::kpi::thousands(counts.connect_refused)
            ));
        }
        warnings
    }

    pub fn missed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count()
    }
}
