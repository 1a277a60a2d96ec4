//! The figures under a chart, as text: for who cannot or will not read a drawing.

use super::figure::{Column, Window};
use crate::text::{time::Zone, zone};
use leptos::prelude::*;
use streamgauge_core::range::Range;

/// 24 rows whatever the range, at times that do not move as the window does.
#[component]
pub fn Figures(title: &'static str, window: Memo<Window>, columns: StoredValue<Vec<Column>>) -> impl IntoView {
    let zone = zone::reader();
    let rows = Memo::new(move |_| columns.with_value(|columns| window.with(|w| rows(w, columns, zone.get()))));
    let heads = columns.with_value(|columns| {
        let head = |column: &Column| {
            let unit = column.unit.trim();
            let name = if unit.is_empty() { column.name.to_owned() } else { format!("{}, {unit}", column.name) };
            view! { <th scope="col" class="num">{name}</th> }
        };
        columns.iter().map(head).collect_view()
    });
    let row = |(time, cells): (String, Vec<String>)| {
        let cells = cells.into_iter().map(|cell| view! { <td class="num">{cell}</td> }).collect_view();
        view! {
            <tr>
                <th scope="row">{time}</th>
                {cells}
            </tr>
        }
    };
    view! {
        <details class="figures">
            <summary>"Table"<span class="sr">" of "{title}</span></summary>
            <div class="scroll" tabindex="0" role="region" aria-label=format!("Figures of {title}")>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Time"{move || zone.get().suffix()}</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{move || rows.get().into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

fn rows(window: &Window, columns: &[Column], zone: Zone) -> Vec<(String, Vec<String>)> {
    let every = window.range.step()
        * match window.range {
            Range::Hour => 15,
            Range::Day => 12,
            Range::Week => 7,
        };
    let time = |at| match window.range {
        Range::Hour => zone.clock(at),
        Range::Day => zone.minute(at),
        Range::Week => format!("{}, {}", zone.day(at), zone.minute(at)),
    };
    let of_row = |point: &&_| -> Vec<String> {
        let cell = |column: &Column| (column.read)(point).map_or_else(|| "\u{2013}".into(), column.text);
        columns.iter().map(cell).collect()
    };
    let shown = window.points.iter().filter(|point| point.at.rem_euclid(every) == 0);
    shown.map(|point| (time(point.at), of_row(&point))).collect()
}
