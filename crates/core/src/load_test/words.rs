//! A run in words: the same in the terminal, in the HTML file and on the page.

use super::{Finding, Outcome, Summary, Verdict};
use crate::metric::kpi::thousands;

/// The name of that figure, and of its target.
pub const MEMORY_DRIFT: &str = "Memory, last quarter against first";

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::NotEnoughData => "not enough data",
            Verdict::NotMeasured => "not measured",
        }
    }
}

impl Finding {
    /// The measured value with its unit, or a dash.
    pub fn shown(&self) -> String {
        let Some(value) = self.measured else { return "–".into() };
        format!("{} {}", amount(value), self.unit).trim_end().to_owned()
    }
}

/// As many digits as a reader has use for.
fn amount(value: f64) -> String {
    match value {
        _ if value >= 999.95 => thousands(value.round() as u64),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value.abs() < 0.9995 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
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
                thousands(counts.held_back)
            ));
        }
        if counts.connect_refused > 0 {
            warnings.push(format!(
                "{} streams were refused by a limit (429 or 503). Refusals are no errors, and no streams.",
                thousands(counts.connect_refused)
            ));
        }
        warnings
    }
}

/// Rows of the second table: what was measured beside the targets.
pub fn figures(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let figures = &outcome.figures;
    let counts = &figures.counts;
    let mut rows = vec![
        ("Latency from when a message was due", times(&figures.latency)),
        ("Latency from when it was sent", times(&figures.latency_sent)),
        ("Time to a session's last follower", times(&figures.last_delivery)),
        ("Connect from when a stream was due", times(&figures.connect)),
        ("Connect from its first packet", times(&figures.connect_began)),
        ("Answer to a publisher", times(&figures.answer)),
        ("Response in the busiest 10 s", times(&figures.response_at_peak)),
        (
            "Streams",
            format!(
                "{} at the peak, {} established, {} refused, {} failed, {} cut, {} idle, {} told to reconnect",
                thousands(figures.peak_streams.into()),
                thousands(counts.established),
                thousands(counts.connect_refused),
                thousands(counts.connect_failed),
                thousands(counts.cut),
                thousands(counts.closed_idle),
                thousands(counts.closed_reconnect)
            ),
        ),
        (
            "Messages",
            format!(
                "{} sent, {} accepted, {} refused, {} failed, {} left late",
                thousands(counts.sent),
                thousands(counts.accepted),
                thousands(counts.publish_refused),
                thousands(counts.publish_failed),
                thousands(counts.held_back)
            ),
        ),
        (
            "Deliveries",
            format!(
                "{}, {} lost, {} repeated, {} out of order, {} gaps that announced {} missing",
                thousands(counts.delivered),
                thousands(counts.lost),
                thousands(counts.repeated),
                thousands(counts.out_of_order),
                thousands(counts.gaps),
                thousands(counts.announced_missing)
            ),
        ),
        ("Ends", format!("{} told, {} missing", thousands(counts.ended), thousands(counts.end_missing))),
    ];
    if let Some(server) = &figures.server {
        let mb = |value: Option<f64>| value.map_or_else(|| "–".into(), |mb| format!("{mb:.1} MB"));
        let memory = format!(
            "PSS {} before, {} at the most; RSS {} at the most",
            mb(server.baseline_mb),
            mb(server.peak_pss_mb),
            mb(server.peak_rss_mb)
        );
        rows.push(("Server memory", memory));
        if let Some(kb) = server.idle_stream_kb {
            rows.push((
                "Memory of an idle stream",
                format!("{kb:.2} kB of PSS, its share of a session included"),
            ));
        }
        if let Some(percent) = server.memory_drift_percent {
            rows.push((MEMORY_DRIFT, signed_percent(percent)));
        }
        let cpu =
            server.cpu_mean_core_percent.map_or_else(|| "–".into(), |cpu| format!("{cpu:.1} % of a core"));
        let each =
            server.cpu_us_per_delivery.map_or_else(String::new, |us| format!(", {us:.1} µs a delivery"));
        rows.push(("Server CPU while messages were sent", cpu + &each));
    }
    let tool = &figures.tool;
    let lag = tool.lag.p95_ms.map_or_else(|| "–".into(), |ms| format!("{ms:.2} ms"));
    rows.push((
        "This tool",
        format!(
            "{:.1} % of a core, {} threads, late by p95 {lag} of its own",
            tool.cpu_mean_core_percent, tool.threads
        ),
    ));
    rows
}

/// `+0.8 %`. What rounds to nothing is `+0.0 %`, from either side.
fn signed_percent(percent: f64) -> String {
    let tenths = (percent * 10.0).round() / 10.0;
    format!("{:+.1} %", tenths + 0.0)
}

fn times(summary: &Summary) -> String {
    match (summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.max_ms) {
        (Some(p50), Some(p95), Some(p99), Some(max)) => {
            let n = thousands(summary.samples);
            let [p50, p95, p99, max] = [p50, p95, p99, max].map(ms);
            format!("p50 {p50}, p95 {p95}, p99 {p99}, max {max} ms (n = {n})")
        }
        _ => "–".into(),
    }
}

fn ms(value: f64) -> String {
    if value >= 1_000.0 { thousands(value.round() as u64) } else { format!("{value:.2}") }
}

/// How the run ended, in a few words.
pub fn verdict(outcome: &Outcome) -> String {
    let state = match outcome.missed() {
        0 if outcome.passed => "no target missed".to_owned(),
        1 => "1 target missed".to_owned(),
        missed => format!("{missed} targets missed"),
    };
    if outcome.interrupted { format!("interrupted; {state}") } else { state }
}

#[cfg(test)]
mod tests {
    use super::{super::check::tests::whole, *};

    #[test]
    fn what_rounds_up_is_shown_as_what_it_becomes() {
        let shown = [0.0, 0.0451, 0.9994, 0.99996, 1.04, 50.0, 999.94, 999.96, 12_345.6].map(amount);
        assert_eq!(shown, ["0", "0.045", "0.999", "1.0", "1.0", "50", "999.9", "1,000", "12,346"]);
    }

    #[test]
    fn drift_is_shown_with_its_sign_where_it_was_measured() {
        let check = |percent, expected: Option<&str>| {
            let mut outcome = whole();
            outcome.figures.server.as_mut().expect("local").memory_drift_percent = percent;
            let shown = figures(&outcome).into_iter().find(|(name, _)| *name == MEMORY_DRIFT);
            assert_eq!(shown.map(|(_, value)| value).as_deref(), expected, "{percent:?}");
        };
        check(Some(0.83), Some("+0.8 %"));
        check(Some(-2.0), Some("-2.0 %"));
        check(Some(-0.04), Some("+0.0 %"));
        check(None, None);
    }
}
