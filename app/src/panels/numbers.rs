//! Every number of the range in one table: value, what it rests on, how it comes about.

use crate::text::number::{brief, fixed};
use leptos::prelude::*;
use streamgauge_core::{
    metric::{kpi::thousands, ledger::Entry, numbers::Basis},
    page::panels::Panels,
};

pub fn numbers(panels: &Panels) -> AnyView {
    let told = panels.numbers.iter().filter(|entry| entry.value.is_some()).count();
    let rows = panels.numbers.iter().map(row).collect_view();
    view! {
        <section class="panel numbers" id="numbers" aria-labelledby="numbers-title">
            <header>
                <h2 id="numbers-title">"Every number"</h2>
                <p class="legend">
                    {format!("{}; {told} of {} have enough data", panels.view.range.in_words(), panels.numbers.len())}
                </p>
            </header>
            <details class="figures">
                <summary>"Value, samples and formula of each"</summary>
                <table class="stack">
                    <thead>
                        <tr>
                            <th scope="col">"Number"</th>
                            <th scope="col" class="num">"Value"</th>
                            <th scope="col" class="num">"Rests on"</th>
                            <th scope="col">"How it comes about"</th>
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
    let Entry { number, value, samples, basis } = *entry;
    let unit = number.unit();
    let value = match value {
        None => format!("not enough data below {}", thousands(number.floor())),
        // Close to a hundred the decimals are what is to be told.
        Some(percent) if unit == "%" => format!("{} %", fixed(percent, 2)),
        Some(value) => format!("{} {unit}", brief(value)),
    };
    let basis = match basis {
        Some(Basis::Modelled) => "; modelled",
        Some(Basis::Measured) => "; measured",
        None => "",
    };
    let class = if entry.value.is_some() { "num" } else { "num mut" };
    view! {
        <tr>
            <th scope="row">{number.title()}</th>
            <td data-label="Value" class=class>{value}</td>
            <td data-label="Rests on" class="num">{format!("{} {}", thousands(samples), number.sample_unit())}</td>
            <td data-label="How it comes about" class="formula">{format!("{}{basis}", number.formula())}</td>
        </tr>
    }
}
