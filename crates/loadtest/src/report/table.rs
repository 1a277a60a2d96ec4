//! The table in the terminal.

use std::fmt::Write;
use streamgauge_core::{
    load_test::{Outcome, figures, verdict},
    metric::kpi::thousands,
};

pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ =
        writeln!(text, "\n{} against {}, {} s\n", outcome.title, outcome.against(), outcome.figures.seconds);
    let _ = writeln!(text, "{:<34} {:<29} {:<18} {:<17} note", "", "target", "measured", "verdict");
    for finding in &outcome.findings {
        let samples = format!("n = {} {}", thousands(finding.samples), finding.samples_of);
        let note = finding.note.as_ref().map_or(samples.clone(), |note| {
            if finding.measured.is_some() { format!("{samples}; {note}") } else { note.clone() }
        });
        let (shown, words) = (finding.shown(), finding.verdict.words());
        let _ = writeln!(text, "{:<34} {:<29} {shown:<18} {words:<17} {note}", finding.name, finding.target);
    }
    let _ = writeln!(text);
    for (name, value) in figures(outcome) {
        let _ = writeln!(text, "{name:<37} {value}");
    }
    for step in &outcome.figures.steps {
        let p95 = step.p95_ms.map_or_else(|| "–".into(), |ms| format!("{ms:.1} ms"));
        let state = step.why.clone().unwrap_or_else(|| "held".into());
        let _ = writeln!(
            text,
            "step {:>8.0} messages/s  {:>9.0} deliveries/s  p95 {p95:<10} {state}",
            step.messages_per_second, step.deliveries_per_second
        );
    }
    for warning in outcome.warnings() {
        let _ = writeln!(text, "\nNote: {warning}");
    }
    let _ = writeln!(text, "\n{}", verdict(outcome));
    text
}
