//! Every metric of the range in one table: value, samples, formula.

use crate::text::number::{brief, fixed};
use leptos::prelude::*;
use streamgauge_core::{
    metric::{
        kpi::thousands,
        numbers::Basis,
        table::{Entry, Unit},
    },
    page::panels::Panels,
};

pub fn numbers(panels: &Panels) -> AnyView {
    let known = panels.numbers.iter().filter(|entry| entry.value.is_some()).count();
    let rows = panels.numbers.iter().map(row).collect_view();
    view! {
        <section class="panel numbers" id="numbers" aria-labelledby="numbers-title">
            <header>
                <h2 id="numbers-title">"All metrics"</h2>
                <p class="legend">
                    {format!("{}; {known} of {} have enough data", panels.view.range.in_words(), panels.numbers.len())}
                </p>
            </header>
            <details class="figures">
                <summary>"Value, samples and formula of each"</summary>
                <table class="stack">
                    <thead>
                        <tr>
                            <th scope="col">"Metric"</th>
                            <th scope="col" class="num">"Value"</th>
                            <th scope="col" class="num">"Samples"</th>
                            <th scope="col">"Formula"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        </section>
    }
    .into_any()
}

fn row(entry: &Entry) -> impl IntoView + use<> {
    let Entry { metric, value, samples, basis } = *entry;
    let unit = metric.unit();
    let value = match value {
        None => format!("not enough data below {}", thousands(metric.floor())),
        // Close to a hundred the decimals matter.
        Some(percent) if unit == Unit::Percent => format!("{} %", fixed(percent, 2)),
        Some(value) => format!("{} {}", brief(value), unit.shown()),
    };
    let basis = match basis {
        Some(Basis::Modelled) => "; modelled",
        Some(Basis::Measured) => "; measured",
        None => "",
    };
    let class = if entry.value.is_some() { "num" } else { "num mut" };
    view! {
        <tr>
            <th scope="row">{metric.title()}</th>
            <td data-label="Value" class=class>{value}</td>
            <td data-label="Samples" class="num">{format!("{} {}", thousands(samples), metric.samples())}</td>
            <td data-label="Formula" class="formula">{format!("{}{basis}", one_style(metric.formula()))}</td>
        </tr>
    }
}

/// Some formulas begin as sentences and some do not: all with a capital, none with a full stop.
fn one_style(formula: &str) -> String {
    let mut rest = formula.trim_end_matches('.').chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
