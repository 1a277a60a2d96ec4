//! One number from several sources, how far they are apart, and every delivery accounted for.

use crate::text::number::{brief, count, fixed};
use leptos::prelude::*;
use streamgauge_core::{
    metric::{
        kpi::thousands,
        sources::{Account, Agreement, Pair, Tolerance},
    },
    page::panels::Panels,
};

pub fn sources(panels: &Panels) -> AnyView {
    let rows = panels.pairs.iter().map(row).collect_view();
    let differing = panels.pairs.iter().filter(|pair| pair.agreement() == Agreement::Drifts).count()
        + usize::from(panels.view.region.is_empty() && !panels.account.is_balanced());
    let (class, verdict) = match differing {
        0 => ("state", "sources agree".to_owned()),
        more => ("state critical", count(more as u64, "source disagrees", "sources disagree")),
    };
    view! {
        <section class="panel sources" id="sources" aria-labelledby="sources-title">
            <header>
                <h2 id="sources-title">"Data quality"</h2>
                <p class="legend">
                    <span>{panels.view.range.in_words()}</span>
                    <span class=class>{verdict}</span>
                </p>
            </header>
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">"Metric"</th>
                        <th scope="col">"One source"</th>
                        <th scope="col">"Another"</th>
                        <th scope="col" class="num">"Samples"</th>
                        <th scope="col" class="num">"Difference"</th>
                        <th scope="col" class="num">"Allowed"</th>
                        <th scope="col">"Verdict"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {account(panels.account, !panels.view.region.is_empty())}
        </section>
    }
    .into_any()
}

fn row(pair: &Pair) -> impl IntoView + use<> {
    let side = |(who, value): &(String, Option<f64>)| {
        let value =
            value.map_or_else(|| "\u{2013}".into(), |value| format!("{} {}", brief(value), pair.unit));
        format!("{who} {value}")
    };
    let apart = match (pair.tolerance, pair.percent(), pair.difference()) {
        (Tolerance::Percent(_), Some(percent), _) => format!("{} %", fixed(percent.abs(), 3)),
        (Tolerance::Within(_), _, Some(units)) => format!("{} {}", brief(units.abs()), pair.unit),
        _ => "\u{2013}".into(),
    };
    let tolerated = match pair.tolerance {
        Tolerance::Percent(percent) => format!("{} %", brief(percent)),
        Tolerance::Within(units) => format!("{} {}", brief(units), pair.unit),
    };
    // Bytes are counted, and not estimated from some of them.
    let samples = match pair.tolerance {
        Tolerance::Within(_) => format!("n = {}", thousands(pair.samples)),
        Tolerance::Percent(_) => "all".to_owned(),
    };
    let (class, words) = match pair.agreement() {
        Agreement::Agrees => ("state", "agree"),
        Agreement::Drifts => ("state critical", "disagree"),
        Agreement::NotEnoughData => ("state unknown", "not enough data"),
    };
    view! {
        <tr>
            <th scope="row">{pair.number.clone()}</th>
            <td data-label="One source">{side(&pair.first)}</td>
            <td data-label="Another">{side(&pair.second)}</td>
            <td data-label="Samples" class="num">{samples}</td>
            <td data-label="Difference" class="num">{apart}</td>
            <td data-label="Allowed" class="num">{tolerated}</td>
            <td data-label="Verdict"><span class=class>{words}</span></td>
        </tr>
    }
}

fn account(account: Account, of_region: bool) -> AnyView {
    if of_region {
        let words = format!(
            "{} delivered, {} dropped: slow connection. The other outcomes of deliveries are counted for all regions together.",
            thousands(account.delivered),
            thousands(account.dropped_slow),
        );
        return view! { <p class="mut">{words}</p> }.into_any();
    }
    let open = account.open();
    let rest = if account.is_balanced() {
        format!("{} in progress", thousands(open.unsigned_abs()))
    } else {
        format!("{} not accounted for", thousands(open.unsigned_abs()))
    };
    let words = format!(
        "{} events published, {} deliveries due: {} delivered, {} merged into a newer update, {} repeated (in the \
         snapshot already), {} dropped: slow connection, {} dropped: connection closed; {rest}.",
        thousands(account.published),
        thousands(account.due),
        thousands(account.delivered),
        thousands(account.conflated),
        thousands(account.repeated),
        thousands(account.dropped_slow),
        thousands(account.dropped_gone),
    );
    let class = if account.is_balanced() { "mut" } else { "bad" };
    view! { <p class=class>{words}</p> }.into_any()
}
