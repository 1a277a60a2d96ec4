//! `/load-tests`: the runs that are kept, newest first, and how each load's latency went from run to run. Rendered here
//! and never hydrated: nothing in it changes while it is read.

use crate::{
    api,
    charts::trend::TrendChart,
    components::{
        bound::waiting,
        empty::{Loading, NoLoadTests, Unreadable},
        frame::Frame,
        load_test::verdict,
        options::RunOptions,
    },
    text::{
        html::query_value,
        number::{brief, count},
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use streamgauge_core::{
    load_test::{KeptList, Row, Trend},
    metric::kpi::thousands,
};

#[component]
pub fn LoadTestsPage() -> impl IntoView {
    let scenario = use_query_map().with_untracked(|query| query.get("scenario"));
    let page = waiting(move || {
        let scenario = scenario.clone();
        let read = api::load_tests::list(scenario.clone());
        async move {
            match read.await {
                Ok(list) => view! { <List list scenario /> }.into_any(),
                Err(failure) => view! {
                    <header class="top"><h1>"Load tests"</h1></header>
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    view! {
        <Title text="Load tests" />
        <Frame>
            <Suspense fallback=Loading>{page}</Suspense>
        </Frame>
    }
    .into_any()
}

#[component]
fn List(list: KeptList, scenario: Option<String>) -> impl IntoView {
    let KeptList { rows, kept } = list;
    let of = scenario.as_deref().map_or_else(String::new, |scenario| format!(" of {scenario}"));
    let shown = rows.len() as u64;
    let newest =
        if shown < kept { format!(", the newest {} shown", thousands(shown)) } else { String::new() };
    let summary = format!("{} kept{of}{newest}", count(kept, "run", "runs"));
    let all = scenario.is_some().then(|| view! { <a href="/load-tests">"All scenarios"</a> });
    let trends = Trend::of_all(&rows).into_iter().map(|trend| view! { <TrendChart trend /> });
    let trends = trends.collect_view();
    let body = if rows.is_empty() {
        view! { <section class="panel"><NoLoadTests scenario /></section> }.into_any()
    } else {
        view! {
            <div class="row three">{trends}</div>
            <section class="panel runs" aria-labelledby="runs">
                <header>
                    <h2 id="runs">"Runs"</h2>
                    <p class="legend">"p95 in ms from when a message was due, of all deliveries; memory in MB a hundred streams"</p>
                </header>
                <Table rows />
            </section>
        }
        .into_any()
    };
    view! {
        <header class="top">
            <div>
                <h1>"Load tests"</h1>
                <p class="legend"><span>{summary}</span>{all}</p>
            </div>
        </header>
        {body}
    }
    .into_any()
}

#[component]
fn Table(rows: Vec<Row>) -> impl IntoView {
    let rows = rows.into_iter().map(|row| view! { <tr>{cells(&row)}</tr> }).collect_view();
    view! {
        <table class="stack">
            <thead>
                <tr>
                    <th scope="col">"Started, UTC"</th>
                    <th scope="col">"Scenario"</th>
                    <th scope="col">"Verdict"</th>
                    <th scope="col" class="num">"Streams"</th>
                    <th scope="col" class="num">"Deliveries"</th>
                    <th scope="col" class="num">"p95"</th>
                    <th scope="col" class="num">"Lost"</th>
                    <th scope="col" class="num">"Memory"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn cells(row: &Row) -> AnyView {
    let at = row.started_at / 1_000;
    let filter = format!("/load-tests?scenario={}", query_value(&row.scenario));
    let p95 = row.p95().map_or_else(|| "too few".into(), |ms| format!("{} ms", brief(ms)));
    let memory =
        row.memory_mb_per_100_streams.map_or_else(|| "\u{2013}".into(), |mb| format!("{} MB", brief(mb)));
    let lost = if row.lost > 0 { "num lost" } else { "num" };
    view! {
        <th scope="row">
            <a href=format!("/load-tests/{}", row.id)><time datetime=time::iso(at)>{Zone::Utc.moment(at)}</time></a>
        </th>
        <td data-label="Scenario"><span><a href=filter>{row.scenario.clone()}</a>" "<RunOptions options=&row.options /></span></td>
        <td data-label="Verdict">{verdict(row)}</td>
        <td data-label="Streams" class="num">{thousands(row.peak_streams.into())}</td>
        <td data-label="Deliveries" class="num">{thousands(row.deliveries)}</td>
        <td data-label="p95" class="num">{p95}</td>
        <td data-label="Lost" class=lost>{thousands(row.lost)}</td>
        <td data-label="Memory" class="num">{memory}</td>
    }
    .into_any()
}
