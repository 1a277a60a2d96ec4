//! Checks a document from outside. Only admins may post it, and still each value must be within its bounds, because it
//! is stored, sorted by, and shown.

use super::{Finding, Outcome, Point, Step, Summary, Verdict};
use crate::text::{is_label, object::Object};

/// Bytes of a whole document. A run of 200 points has about 50 kB.
pub const LONGEST: usize = 512 * 1024;
const MOST_POINTS: usize = 200;
const MOST_FINDINGS: usize = 64;
const MOST_STEPS: usize = 200;
/// Beyond any count or figure of a run, and exact in a `f64` as in a `bigint`.
const MOST: u64 = 1 << 53;
/// 31 December 9999, Unix ms: later is no date to PostgreSQL, nor to a reader.
const LATEST: i64 = 253_402_300_799_999;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOutcome {
    /// Not even JSON.
    #[error("The body is no JSON: {0}.")]
    Syntax(String),
    /// `field`: its path in the document, such as `figures.latency.p95_ms`.
    #[error("{field} {allowed}.")]
    Field { field: String, allowed: String },
}

impl BadOutcome {
    fn field(field: impl Into<String>, allowed: impl Into<String>) -> BadOutcome {
        BadOutcome::Field { field: field.into(), allowed: allowed.into() }
    }
}

type Checked = Result<(), BadOutcome>;

impl Outcome {
    /// Fields that this version does not know are left out.
    pub fn parse(body: &[u8]) -> Result<Outcome, BadOutcome> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let read: Result<Object<Outcome>, _> = serde_path_to_error::deserialize(&mut json);
        let Object(outcome) = read.map_err(|error| match error.inner().classify() {
            serde_json::error::Category::Data => BadOutcome::field(
                error.path().to_string(),
                format!("is not what it must be: {}", error.inner()),
            ),
            _ => BadOutcome::Syntax(error.inner().to_string()),
        })?;
        json.end().map_err(|error| BadOutcome::Syntax(error.to_string()))?;
        outcome.check()?;
        Ok(outcome)
    }

    fn check(&self) -> Checked {
        // First: what a later version means by its fields is not known here.
        holds("version", self.version == Outcome::VERSION, "must be 1")?;
        label("scenario", &self.scenario, 64)?;
        label("title", &self.title, 200)?;
        address("url", &self.url)?;
        holds("time_scale", self.time_scale > 0.0 && self.time_scale <= 100.0, "must be above 0, up to 100")?;
        holds(
            "started_at",
            (0..=LATEST).contains(&self.started_at),
            "must be Unix milliseconds until the year 9999",
        )?;
        self.check_changes()?;
        most("findings", self.findings.len(), MOST_FINDINGS)?;
        self.findings.iter().enumerate().try_for_each(|(n, finding)| check_finding(n, finding))?;
        let passed = self.missed() == 0;
        holds("passed", self.passed == passed, "must be true if and only if no finding is a fail")?;
        self.check_figures()?;
        most("timeline", self.timeline.len(), MOST_POINTS)?;
        self.timeline.iter().enumerate().try_for_each(|(n, point)| check_point(n, point))
    }

    fn check_changes(&self) -> Checked {
        let changes = &self.changes;
        changes.follow_url.as_ref().map_or(Ok(()), |url| address("changes.follow_url", url))?;
        numbers(
            "changes",
            &[
                ("rate", changes.rate),
                ("arrivals", changes.arrivals),
                ("duration_s", changes.duration_s),
                ("batch_ms", changes.batch_ms),
            ],
        )
    }

    fn check_figures(&self) -> Checked {
        let figures = &self.figures;
        count("figures.seconds", figures.seconds)?;
        figures
            .counts
            .each()
            .try_for_each(|(name, value)| count(&format!("figures.counts.{name}"), value))?;
        for (name, summary) in [
            ("latency", &figures.latency),
            ("latency_sent", &figures.latency_sent),
            ("last_delivery", &figures.last_delivery),
            ("connect", &figures.connect),
            ("connect_began", &figures.connect_began),
            ("answer", &figures.answer),
            ("response_at_peak", &figures.response_at_peak),
            ("tool.lag", &figures.tool.lag),
        ] {
            check_summary(&format!("figures.{name}"), summary)?;
        }
        numbers("figures.tool", &[("cpu_mean_core_percent", Some(figures.tool.cpu_mean_core_percent))])?;
        if let Some(server) = &figures.server {
            count("figures.server.memory_streams", server.memory_streams)?;
            count("figures.server.cpu_seconds_measured", server.cpu_seconds_measured)?;
            numbers(
                "figures.server",
                &[
                    ("baseline_mb", server.baseline_mb),
                    ("peak_pss_mb", server.peak_pss_mb),
                    ("peak_rss_mb", server.peak_rss_mb),
                    ("mb_per_100_streams", server.mb_per_100_streams),
                    ("idle_stream_kb", server.idle_stream_kb),
                    ("memory_drift_percent", server.memory_drift_percent),
                    ("cpu_peak_percent", server.cpu_peak_percent),
                    ("cpu_mean_core_percent", server.cpu_mean_core_percent),
                    ("cpu_us_per_delivery", server.cpu_us_per_delivery),
                ],
            )?;
        }
        most("figures.steps", figures.steps.len(), MOST_STEPS)?;
        figures.steps.iter().enumerate().try_for_each(|(n, step)| check_step(n, step))
    }

    /// Targets that were missed.
    pub fn missed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count()
    }

    /// Targets of which nothing can be said.
    pub fn unjudged(&self) -> usize {
        let unjudged = |verdict| matches!(verdict, Verdict::NotEnoughData | Verdict::NotMeasured);
        self.findings.iter().filter(|finding| unjudged(finding.verdict)).count()
    }
}

fn check_finding(n: usize, finding: &Finding) -> Checked {
    let at = |name: &str| format!("findings[{n}].{name}");
    label(&at("name"), &finding.name, 64)?;
    label(&at("target"), &finding.target, 100)?;
    // A count has no unit.
    if !finding.unit.is_empty() {
        label(&at("unit"), &finding.unit, 32)?;
    }
    label(&at("samples_of"), &finding.samples_of, 32)?;
    count(&at("samples"), finding.samples)?;
    numbers(&format!("findings[{n}]"), &[("measured", finding.measured)])?;
    finding.note.as_ref().map_or(Ok(()), |note| label(&at("note"), note, 300))
}

fn check_summary(path: &str, summary: &Summary) -> Checked {
    count(&format!("{path}.samples"), summary.samples)?;
    numbers(
        path,
        &[
            ("p50_ms", summary.p50_ms),
            ("p90_ms", summary.p90_ms),
            ("p95_ms", summary.p95_ms),
            ("p99_ms", summary.p99_ms),
            ("p999_ms", summary.p999_ms),
            ("max_ms", summary.max_ms),
        ],
    )
}

fn check_step(n: usize, step: &Step) -> Checked {
    let path = format!("figures.steps[{n}]");
    count(&format!("{path}.samples"), step.samples)?;
    numbers(
        &path,
        &[
            ("messages_per_second", Some(step.messages_per_second)),
            ("deliveries_per_second", Some(step.deliveries_per_second)),
            ("p95_ms", step.p95_ms),
            ("p99_ms", step.p99_ms),
        ],
    )?;
    step.why.as_ref().map_or(Ok(()), |why| label(&format!("{path}.why"), why, 300))
}

fn check_point(n: usize, point: &Point) -> Checked {
    let path = format!("timeline[{n}]");
    count(&format!("{path}.at_s"), point.at_s)?;
    numbers(
        &path,
        &[
            ("p50_ms", point.p50_ms),
            ("p95_ms", point.p95_ms),
            ("p99_ms", point.p99_ms),
            ("deliveries_per_second", Some(point.deliveries_per_second)),
            ("messages_per_second", Some(point.messages_per_second)),
            ("pss_mb", point.pss_mb),
            ("rss_mb", point.rss_mb),
            ("cpu_percent", point.cpu_percent),
        ],
    )
}

fn holds(field: &str, good: bool, allowed: &str) -> Checked {
    if good { Ok(()) } else { Err(BadOutcome::field(field, allowed)) }
}

fn label(field: &str, text: &str, longest: usize) -> Checked {
    let allowed =
        || format!("must have 1 to {longest} characters and no control or invisible formatting characters");
    if is_label(text, longest) { Ok(()) } else { Err(BadOutcome::field(field, allowed())) }
}

/// It is shown in a command, and never followed.
fn address(field: &str, url: &str) -> Checked {
    label(field, url, 200)?;
    let scheme = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    holds(field, scheme && url.is_ascii(), "must be an http:// URL of ASCII characters")
}

fn most(field: &str, length: usize, most: usize) -> Checked {
    if length <= most {
        Ok(())
    } else {
        Err(BadOutcome::field(field, format!("must have at most {most} entries")))
    }
}

fn count(field: &str, value: u64) -> Checked {
    if value <= MOST { Ok(()) } else { Err(BadOutcome::field(field, "must be at most 2^53")) }
}

/// Nothing that a run measures is negative but growth, which an earlier load's memory can hide, and drift.
fn numbers(path: &str, numbers: &[(&str, Option<f64>)]) -> Checked {
    let good = |value: f64| value.is_finite() && value.abs() <= MOST as f64;
    match numbers.iter().find(|(_, value)| value.is_some_and(|value| !good(value))) {
        Some((name, _)) => {
            Err(BadOutcome::field(format!("{path}.{name}"), "must be a number of at most 2^53"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn document() -> Value {
        let times = json!({ "samples": 1_000, "p50_ms": 4.0, "p95_ms": 9.0, "p99_ms": 12.0, "max_ms": 30.0 });
        json!({
            "version": 1, "scenario": "burst", "title": "Message Burst Test", "url": "http://127.0.0.1:3000",
            "time_scale": 1.0, "changes": {}, "started_at": 1_795_442_700_000_i64, "interrupted": false, "passed": true,
            "findings": [{
                "name": "Message delivery latency", "target": "< 100 ms p95", "measured": 9.0, "unit": "ms",
                "samples": 1_000, "samples_of": "deliveries", "verdict": "pass", "note": null
            }],
            "figures": {
                "streams_asked": 50, "sessions_asked": 50, "peak_streams": 50, "seconds": 12,
                "counts": { "delivered": 1_000, "lost": 0 },
                "latency": times, "latency_sent": times, "last_delivery": times, "connect": times,
                "connect_began": times, "answer": times,
                "server": { "pid": 7, "cores": 2, "mb_per_100_streams": 0.4, "memory_drift_percent": null, "cpu_peak_percent": 12.0 },
                "tool": { "threads": 1, "cpu_mean_core_percent": 3.0, "lag": times }
            },
            "timeline": [{
                "at_s": 0, "p50_ms": 4.0, "p95_ms": 9.0, "p99_ms": null, "streams": 50,
                "deliveries_per_second": 100.0, "messages_per_second": 100.0,
                "pss_mb": null, "rss_mb": null, "cpu_percent": null
            }]
        })
    }

    pub fn whole() -> Outcome {
        Outcome::parse(document().to_string().as_bytes()).expect("a good document")
    }

    /// Puts `value` at `pointer` and expects the complaint, if any, to name `field`.
    fn check(pointer: &str, value: Value, field: &str) {
        let mut document = document();
        *document.pointer_mut(pointer).expect(pointer) = value;
        let got = match Outcome::parse(document.to_string().as_bytes()) {
            Err(BadOutcome::Field { field, .. }) => field,
            Err(syntax) => panic!("{pointer}: {syntax}"),
            Ok(_) => String::new(),
        };
        assert_eq!(got, field, "{pointer}");
    }

    #[test]
    fn a_document_is_taken_within_its_bounds_only() {
        let good = "";
        check("/version", json!(2), "version");
        check("/scenario", json!(""), "scenario");
        check("/scenario", json!("a\u{0}b"), "scenario");
        check("/scenario", json!("a\u{202e}b"), "scenario");
        check("/scenario", json!("x".repeat(65)), "scenario");
        check("/scenario", json!(7), "scenario");
        check("/title", json!("<script>alert(1)</script>"), good);
        check("/url", json!("javascript:alert(1)"), "url");
        check("/url", json!("http://\u{fc}"), "url");
        check("/changes", json!({ "follow_url": "http://127.0.0.1:3001" }), good);
        check("/changes", json!({ "follow_url": "javascript:alert(1)" }), "changes.follow_url");
        check("/time_scale", json!(0), "time_scale");
        check("/time_scale", json!(101), "time_scale");
        check("/started_at", json!(-1), "started_at");
        check("/started_at", json!(LATEST + 1), "started_at");
        check("/passed", json!(false), "passed");
        check("/findings/0/verdict", json!("fail"), "passed");
        check("/findings/0/verdict", json!("maybe"), "findings[0].verdict");
        check("/findings/0/note", json!("x".repeat(301)), "findings[0].note");
        check("/findings/0/unit", json!(""), good);
        check("/findings/0/measured", json!(1e300), "findings[0].measured");
        check("/findings/0/samples", json!(-1), "findings[0].samples");
        check("/findings", json!(vec![document()["findings"][0].clone(); 64]), good);
        check("/findings", json!(vec![document()["findings"][0].clone(); 65]), "findings");
        check("/figures/counts/lost", json!(u64::MAX), "figures.counts.lost");
        check("/figures/counts/lost", json!(1.5), "figures.counts.lost");
        check("/figures/latency/p95_ms", json!("fast"), "figures.latency.p95_ms");
        check("/figures/latency/p95_ms", json!(1e17), "figures.latency.p95_ms");
        check("/figures/tool/lag/p95_ms", json!(1e17), "figures.tool.lag.p95_ms");
        check("/figures/server", Value::Null, good);
        check("/figures/tool", json!([1, 3.0, {}]), "figures.tool");
        check("/timeline/0", json!([0, 4, 9, null, 50, 1, 1, null, null, null]), "timeline[0]");
        check("/figures/server/mb_per_100_streams", json!(-0.1), good);
        check("/figures/server/cpu_peak_percent", json!(1e17), "figures.server.cpu_peak_percent");
        check("/figures/server/memory_drift_percent", json!(-0.4), good);
        check("/figures/server/memory_drift_percent", json!(1e17), "figures.server.memory_drift_percent");
        check("/figures/peak_streams", json!(5_000_000_000_u64), "figures.peak_streams");
        check("/timeline", json!([]), good);
        check("/timeline", json!(vec![document()["timeline"][0].clone(); 200]), good);
        check("/timeline", json!(vec![document()["timeline"][0].clone(); 201]), "timeline");
        check("/timeline/0/rss_mb", json!(1e17), "timeline[0].rss_mb");
    }

    #[test]
    fn what_an_older_tool_wrote_is_still_read() {
        let mut older = document();
        older.as_object_mut().expect("an object").remove("changes");
        let server = older["figures"]["server"].as_object_mut().expect("an object");
        server.remove("memory_drift_percent");
        assert_eq!(Outcome::parse(older.to_string().as_bytes()), Ok(whole()));
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_unknown_left_out() {
        let mut short = document();
        short["figures"].as_object_mut().expect("an object").remove("latency");
        let error = Outcome::parse(short.to_string().as_bytes()).expect_err("no latency").to_string();
        assert!(error.contains("figures") && error.contains("`latency`"), "{error}");

        let mut more = document();
        more["colour"] = json!("x".repeat(10_000));
        let kept = serde_json::to_string(&Outcome::parse(more.to_string().as_bytes()).expect("good"));
        assert!(!kept.expect("JSON").contains("colour"));
    }

    #[test]
    fn what_is_no_json_is_no_document() {
        for text in ["", "{", "[1e999]", "{}x", "\u{0}"] {
            assert!(Outcome::parse(text.as_bytes()).is_err(), "{text}");
        }
        let twice = format!("{0}{0}", document());
        assert!(matches!(Outcome::parse(twice.as_bytes()), Err(BadOutcome::Syntax(_))));
        let infinite = document().to_string().replace("12.0", "1e999");
        assert!(Outcome::parse(infinite.as_bytes()).is_err());
    }

    #[test]
    fn what_is_kept_is_what_was_sent() {
        let text = serde_json::to_string(&whole()).expect("JSON");
        assert_eq!(Outcome::parse(text.as_bytes()), Ok(whole()));
    }

    proptest! {
        /// Whatever is sent, the answer is a document or a sentence.
        #[test]
        fn nothing_breaks_the_parser(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = Outcome::parse(&body);
        }
    }
}
