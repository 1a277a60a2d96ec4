//! A chart with title, legend, plots, caption and table.

use super::{
    axis::{Scale, marks},
    cursor::Cursor,
    plot::{Field, Layer, Read, paths, view_box, x},
    table::Figures,
};
use crate::{
    components::bound::text,
    text::{time::Zone, zone},
};
use leptos::prelude::*;
use std::{fmt::Write, sync::Arc};
use streamgauge_core::{
    board::{Overview, Point},
    range::Range,
};

/// What the charts of a page show: the same window for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub range: Range,
    /// Time of the first and of the last point that fit, Unix seconds.
    pub from: i64,
    pub to: i64,
    pub points: Arc<Vec<Point>>,
    pub deliveries: u64,
    pub polling_baseline: f64,
}

impl Window {
    pub fn of(board: &Overview) -> Window {
        Window {
            range: board.range,
            from: board.from,
            to: board.to - board.range.step(),
            points: Arc::new(board.points.clone()),
            deliveries: board.deliveries,
            polling_baseline: board.polling_baseline,
        }
    }

    pub fn values(&self, read: Read) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(read)
    }

    pub fn highest(&self, read: Read) -> f64 {
        self.values(read).fold(0.0, f64::max)
    }

    pub fn newest(&self, read: Read) -> Option<f64> {
        self.points.iter().rev().find_map(read)
    }

    /// Steps with a figure, and all steps.
    pub fn measured(&self, read: Read) -> (usize, i64) {
        (self.values(read).count(), self.range.seconds() / self.range.step())
    }
}

/// One plot of a figure.
#[derive(Clone, Copy)]
pub struct Plot {
    /// CSS pixels.
    pub height: u32,
    /// Said above the plot where a figure has several.
    pub name: &'static str,
    pub scale: fn(&Window) -> Scale,
    pub layers: fn(&Window) -> Vec<Layer>,
    /// Words at a level: at the right end inside the plot.
    pub notes: fn(&Window) -> Vec<(f64, String, &'static str)>,
}

/// A figure of a point in the table and in the cursor's read-out.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub unit: &'static str,
    pub read: Read,
    pub text: fn(f64) -> String,
}

/// A line of the legend: the key's class, and what it stands for.
pub type Key = (&'static str, String);

#[component]
pub fn Figure(
    title: &'static str,
    window: Memo<Window>,
    plots: Vec<Plot>,
    columns: Vec<Column>,
    /// The legend.
    keys: fn(&Window) -> Vec<Key>,
    /// Unit, window and sample count.
    caption: fn(&Window) -> String,
    /// The chart in one sentence.
    summary: fn(&Window) -> String,
) -> impl IntoView {
    let zone = zone::reader();
    let cursor = Cursor::of_page();
    let columns = StoredValue::new(columns);
    let read_out = move || match cursor.0.get() {
        None => window.with(caption),
        Some(at) => {
            window.with(|window| columns.with_value(|columns| at_cursor(window, columns, at, zone.get())))
        }
    };
    let legend = move || {
        let key = |(class, words): Key| format!("<span class=\"k {class}\">{words}</span>");
        window.with(keys).into_iter().map(key).collect::<String>()
    };
    let times = move || window.with(|window| time_marks(window, zone.get()));
    view! {
        <figure class="panel chart">
            <header>
                <h2>{title}</h2>
                <p class="legend" inner_html=text(legend)></p>
            </header>
            <div class="plots" role="img" aria-label=text(move || window.with(summary))>
                {plots.into_iter().map(|plot| view! { <Drawn plot window cursor /> }).collect_view()}
                <svg class="times" height="18" inner_html=text(times)></svg>
            </div>
            <figcaption class="cap">{text(read_out)}</figcaption>
            <Figures title window columns />
        </figure>
    }
    .into_any()
}

#[component]
fn Drawn(plot: Plot, window: Memo<Window>, cursor: Cursor) -> impl IntoView {
    let Plot { height, name, scale, layers, notes } = plot;
    let field =
        move |window: &Window| Field { from: window.from, to: window.to, height, scale: scale(window) };
    let ticks = move || window.with(|window| tick_texts(&field(window)));
    let lines = move || window.with(|window| paths(&field(window), &window.points, &layers(window)));
    let words = move || {
        window.with(|window| {
            let mut words = note_texts(&field(window), notes(window));
            if layers(window).iter().all(|layer| layer.is_empty(&window.points)) {
                let _ = write!(
                    words,
                    "<text class=\"void\" x=\"50%\" y=\"{}\">nothing measured yet</text>",
                    height / 2
                );
            }
            words
        })
    };
    let mark = move || {
        let Some(at) = cursor.0.get() else { return String::new() };
        let x = window.with(|window| x(&field(window), at));
        format!("<line class=\"cursor\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"{height}\"/>")
    };
    let follow = move |event| {
        window.with_untracked(|window| cursor.follow(&event, window.from, window.to, window.range.step()));
    };
    view! {
        {(!name.is_empty()).then(|| view! { <p class="name">{name}</p> })}
        <div class="plot">
            <svg class="ticks" height=height inner_html=text(ticks)></svg>
            <svg class="field" height=height on:pointermove=follow on:pointerleave=move |_| cursor.leave()>
                <svg
                    viewBox=view_box(height)
                    width="100%"
                    height=height
                    preserveAspectRatio="none"
                    inner_html=text(lines)
                ></svg>
                <g inner_html=text(words)></g>
                <g inner_html=text(mark)></g>
            </svg>
        </div>
    }
    .into_any()
}

pub(super) fn tick_texts(field: &Field) -> String {
    let mut svg = String::new();
    for (value, text) in field.scale.labels() {
        let y = field.scale.y(value, field.height) + 3.5;
        let _ = write!(svg, "<text class=\"tick\" x=\"100%\" y=\"{y:.1}\">{text}</text>");
    }
    svg
}

/// `notes` hold words and numbers of ours alone: nothing in them needs escaping.
pub(super) fn note_texts(field: &Field, notes: Vec<(f64, String, &'static str)>) -> String {
    let mut svg = String::new();
    for (level, text, class) in notes {
        let y = (field.scale.y(level, field.height) - 5.0).max(9.0);
        let _ = write!(svg, "<text class=\"note {class}\" x=\"100%\" y=\"{y:.1}\">{text}</text>");
    }
    svg
}

fn time_marks(window: &Window, zone: Zone) -> String {
    let mut svg = String::new();
    for mark in marks(window.range, window.from, window.to, zone) {
        let class = if mark.minor { "tick mid minor" } else { "tick mid" };
        let _ = write!(svg, "<text class=\"{class}\" x=\"{:.2}%\" y=\"13\">{}</text>", mark.x, mark.text);
    }
    svg.push_str("<text class=\"tick\" x=\"100%\" y=\"13\">now</text>");
    svg
}

fn at_cursor(window: &Window, columns: &[Column], at: i64, zone: Zone) -> String {
    let when = match window.range {
        Range::Hour => zone.clock(at),
        _ => format!("{}, {}", zone.day(at), zone.minute(at)),
    };
    let point = window.points.iter().find(|point| point.at == at);
    let figures: Vec<String> = columns
        .iter()
        .filter_map(|column| {
            let value = (column.read)(point?)?;
            Some(format!("{} {}{}", column.name, (column.text)(value), column.unit))
        })
        .collect();
    let figures = if figures.is_empty() { "nothing measured".into() } else { figures.join(", ") };
    format!("{when}{}: {figures}", zone.suffix())
}
