//! `/load-tests/{id}`: one run. Its targets, its course, all its figures, and the command that repeats it.

use super::{load_tests::verdict, missing::answer_with};
use crate::{
    api,
    charts::{run::RunCharts, trend::change_words},
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
        options::RunOptions,
    },
    text::{
        number::{brief, fixed},
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use streamgauge_core::{
    load_test::{self, Finding, Kept, Outcome, Row, Step, Verdict},
    metric::kpi::thousands,
};

#[component]
pub fn LoadTestPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id")?.parse::<i64>().ok());
    let title = id.map_or_else(|| "No such load test".into(), |id| format!("Load test {id}"));
    let page = waiting(move || {
        // What is no number names no run.
        let read = id.map(api::load_tests::find);
        async move {
            let found = match read {
                Some(read) => read.await,
                None => Ok(None),
            };
            match found {
                Ok(Some(kept)) => view! { <Run kept /> }.into_any(),
                Ok(None) => view! { <NoRun /> }.into_any(),
                Err(failure) => view! {
                    <header class="top"><h1>"Load test"</h1></header>
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    view! {
        <Title text=title />
        <Frame>
            <Suspense fallback=Loading>{page}</Suspense>
        </Frame>
    }
    .into_any()
}

#[component]
fn Run(kept: Kept) -> impl IntoView {
    let compared = compared(&kept);
    let Kept { row, outcome, .. } = kept;
    let warning = |words: String| view! { <p class="notice warning">{words}</p> };
    let warnings = outcome.warnings().into_iter().map(warning).collect_view();
    view! {
        {heading(&row, &outcome)}
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
    .into_any()
}

fn heading(row: &Row, outcome: &Outcome) -> impl IntoView + use<> {
    let at = row.started_at / 1_000;
    view! {
        <header class="top">
            <div>
                <p class="back"><a href="/load-tests">"Load tests"</a></p>
                <h1>{row.title.clone()}</h1>
                <p class="legend">
                    <span>{row.scenario.clone()}" "<RunOptions options=&row.options /></span>
                    <span><time datetime=time::iso(at)>{Zone::Utc.moment(at)}" UTC"</time></span>
                    <span>{format!("ran {}", time::span(i64::try_from(outcome.figures.seconds).unwrap_or(0)))}</span>
                    <span>{format!("against {}", outcome.against())}</span>
                    <span>{format!("kept by {}, v{}", row.node, row.server_version)}</span>
                </p>
            </div>
            {verdict(row)}
        </header>
    }
}

/// p95 against the run of the same load before it.
fn compared(kept: &Kept) -> impl IntoView + use<> {
    let before = kept.before.as_ref()?;
    let (class, words) = change_words(kept.change());
    let p95 = before.p95().map_or_else(String::new, |ms| format!(" ({} ms)", brief(ms)));
    Some(view! {
        <span>
            "p95 "<span class=class>{words}</span>": "
            <a href=format!("/load-tests/{}", before.id)>{format!("run {}", before.id)}</a>
            {p95}
        </span>
    })
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

#[component]
fn NoRun() -> impl IntoView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <h1>"No such load test"</h1>
        <p>"It never was, or it is older than the newest 500, which are kept. See the "<a href="/load-tests">"list"</a>"."</p>
    }
    .into_any()
}
