//! A load test's result: its targets, its course, all its figures, and the command that repeats it. The run's page on the
//! server and the file that the tool writes are both made of it.

use super::options::RunOptions;
use crate::{
    charts::run::RunCharts,
    text::{
        number::{brief, count, fixed},
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use streamgauge_core::{
    load_test::{self, Finding, Outcome, Row, Step, Verdict},
    metric::kpi::thousands,
};

/// `back` stands above the title, `by` behind what the run was.
pub fn heading(row: &Row, outcome: &Outcome, back: AnyView, by: AnyView) -> impl IntoView + use<> {
    let at = row.started_at / 1_000;
    view! {
        <header class="top">
            <div>
                {back}
                <h1>{row.title.clone()}</h1>
                <p class="legend">
                    <span>{row.scenario.clone()}" "<RunOptions options=&row.options /></span>
                    <span><time datetime=time::iso(at)>{Zone::Utc.moment(at)}" UTC"</time></span>
                    <span>{format!("took {}", time::span(i64::try_from(outcome.figures.seconds).unwrap_or(0)))}</span>
                    <span>{format!("against {}", outcome.against())}</span>
                    {by}
                </p>
            </div>
            {verdict(row)}
        </header>
    }
}

/// `compared`: with the run before it.
pub fn result(outcome: &Outcome, compared: AnyView) -> impl IntoView + use<> {
    let warning = |words: String| view! { <p class="notice warning">{words}</p> };
    let warnings = outcome.warnings().into_iter().map(warning).collect_view();
    view! {
        <div class="notices">{warnings}</div>
        <section class="panel findings" aria-labelledby="targets">
            <header>
                <h2 id="targets">"Targets"</h2>
                <p class="legend">{compared}</p>
            </header>
            <Findings findings=outcome.findings.clone() />
        </section>
        <RunCharts points=outcome.timeline.clone() deliveries=outcome.figures.latency.samples />
        {steps(&outcome.figures.steps)}
        <section class="panel measured" aria-labelledby="figures">
            <header><h2 id="figures">"Figures"</h2></header>
            <Figures outcome=outcome.clone() />
        </section>
        <section class="panel repeat" aria-labelledby="repeat">
            <header><h2 id="repeat">"Run it again"</h2></header>
            <pre tabindex="0" role="region" aria-label="Command"><code>{outcome.command()}</code></pre>
        </section>
    }
}

/// In words, and the colour agrees.
pub fn verdict(row: &Row) -> impl IntoView + use<> {
    let missed = || count(row.missed.into(), "target missed", "targets missed");
    let (class, words) = match (row.interrupted, row.passed, row.unjudged) {
        (true, true, _) => ("state unknown", "interrupted".to_owned()),
        (true, false, _) => ("state critical", format!("interrupted, {}", missed())),
        (false, false, _) => ("state critical", missed()),
        (false, true, 0) => ("state", "all targets met".into()),
        (false, true, unjudged) => ("state", format!("none missed, {unjudged} not judged")),
    };
    view! { <span class=class>{words}</span> }
}

#[component]
fn Findings(findings: Vec<Finding>) -> impl IntoView {
    let row = |finding: Finding| {
        let class = match finding.verdict {
            Verdict::Pass => "state",
            Verdict::Fail => "state critical",
            Verdict::NotEnoughData | Verdict::NotMeasured => "state unknown",
        };
        let n =
            finding.measured.map(|_| format!("n = {} {}", thousands(finding.samples), finding.samples_of));
        let basis = [n, finding.note.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        view! {
            <tr>
                <th scope="row">{finding.name.clone()}</th>
                <td data-label="Target">{finding.target.clone()}</td>
                <td data-label="Measured" class="num">{finding.shown()}</td>
                <td data-label="Verdict"><span class=class>{finding.verdict.words().to_lowercase()}</span></td>
                <td data-label="Basis" class="mut basis">{basis}</td>
            </tr>
        }
    };
    view! {
        <table class="stack">
            <thead>
                <tr>
                    <th scope="col">"Metric"</th>
                    <th scope="col">"Target"</th>
                    <th scope="col" class="num">"Measured"</th>
                    <th scope="col">"Verdict"</th>
                    <th scope="col">"Basis"</th>
                </tr>
            </thead>
            <tbody>{findings.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Figures(outcome: Outcome) -> impl IntoView {
    let row = |(name, value): (&'static str, String)| {
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td>{value}</td>
            </tr>
        }
    };
    view! { <table><tbody>{load_test::figures(&outcome).into_iter().map(row).collect_view()}</tbody></table> }
        .into_any()
}

/// Of a scenario that goes faster until something gives.
fn steps(steps: &[Step]) -> impl IntoView + use<> {
    let row = |step: &Step| {
        let ms =
            |value: Option<f64>| value.map_or_else(|| "\u{2013}".into(), |ms| format!("{} ms", brief(ms)));
        let (class, words) = match &step.why {
            _ if step.held => ("state", "held".to_owned()),
            why => ("state critical", why.clone().unwrap_or_else(|| "not held".into())),
        };
        view! {
            <tr>
                <th scope="row" class="num">{format!("{} /s", fixed(step.messages_per_second, 0))}</th>
                <td data-label="Deliveries/s" class="num">{fixed(step.deliveries_per_second, 0)}</td>
                <td data-label="p95" class="num">{ms(step.p95_ms)}</td>
                <td data-label="p99" class="num">{ms(step.p99_ms)}</td>
                <td data-label="Deliveries" class="num">{thousands(step.samples)}</td>
                <td data-label="Held"><span class=class>{words}</span></td>
            </tr>
        }
    };
    (!steps.is_empty()).then(|| {
        view! {
            <section class="panel" aria-labelledby="steps">
                <header><h2 id="steps">"Steps"</h2></header>
                <table class="stack">
                    <thead>
                        <tr>
                            <th scope="col" class="num">"Messages"</th>
                            <th scope="col" class="num">"Deliveries/s"</th>
                            <th scope="col" class="num">"p95"</th>
                            <th scope="col" class="num">"p99"</th>
                            <th scope="col" class="num">"Deliveries"</th>
                            <th scope="col">"Held"</th>
                        </tr>
                    </thead>
                    <tbody>{steps.iter().map(row).collect_view()}</tbody>
                </table>
            </section>
        }
    })
}
