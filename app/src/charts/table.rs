//! The figures under a chart, as text: for who cannot or will not read a drawing.

use super::figure::{Column, Window};
use crate::{
    components::bound::text,
    text::{time::Zone, zone},
};
use leptos::prelude::*;
use std::fmt::Write;

/// About so many rows whatever the range.
const ROWS: i64 = 24;

/// At times that do not move as the window does.
#[component]
pub fn Figures(
    title: &'static str,
    window: Memo<Window>,
    columns: StoredValue<Vec<Column>>,
) -> impl IntoView {
    let zone = zone::reader();
    let head = move || columns.with_value(|columns| window.with(|window| head(window, columns, zone.get())));
    let rows = move || columns.with_value(|columns| window.with(|window| rows(window, columns, zone.get())));
    view! {
        <details class="figures">
            <summary>"Table"<span class="sr">" of "{title}</span></summary>
            <div class="scroll" tabindex="0" role="region" aria-label=format!("Figures of {title}")>
                <table>
                    <thead inner_html=text(head)></thead>
                    <tbody inner_html=text(rows)></tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

/// Those with a figure, and the first in any case: not every server has what each is about.
fn shown<'a>(window: &Window, columns: &'a [Column]) -> Vec<&'a Column> {
    let has = |index, column: &Column| index == 0 || window.newest(column.metric).is_some();
    columns
        .iter()
        .enumerate()
        .filter(|(index, column)| has(*index, column))
        .map(|(_, column)| column)
        .collect()
}

fn head(window: &Window, columns: &[Column], zone: Zone) -> String {
    let mut html = format!("<tr><th scope=\"col\">Time{}</th>", zone.suffix());
    for Column { name, unit, .. } in shown(window, columns) {
        let comma = if unit.is_empty() { "" } else { "," };
        let _ = write!(html, "<th scope=\"col\" class=\"num\">{name}{comma}{unit}</th>");
    }
    html + "</tr>"
}

fn rows(window: &Window, columns: &[Column], zone: Zone) -> String {
    let step = window.step;
    let every = step * (window.steps() / ROWS).max(1);
    let time = |at| match step {
        ..60 => zone.clock(at),
        60..3_600 => zone.minute(at),
        3_600..86_400 => format!("{}, {}", zone.day(at), zone.minute(at)),
        _ => zone.day(at),
    };
    let columns = shown(window, columns);
    let mut html = String::new();
    for point in window.points.iter().filter(|point| point.at.rem_euclid(every) == 0) {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", time(point.at));
        for column in &columns {
            let cell = point.shown(column.metric).map_or_else(|| "\u{2013}".into(), column.text);
            let _ = write!(html, "<td class=\"num\">{cell}</td>");
        }
        html.push_str("</tr>");
    }
    html
}
