//! A chart with title, legend, plots, caption and table.

use super::{
    axis::{Scale, marks},
    cursor::Cursor,
    ink::Ink,
    plot::{Field, Layer, paths, view_box, x},
    table::Figures,
};
use crate::{
    components::bound::text,
    text::{html::escape, number::tick, time::Zone, zone},
};
use leptos::prelude::*;
use std::{fmt::Write, sync::Arc};
use streamgauge_core::{
    metric::{point::Point, range::Range, table::Metric},
    page::{
        annotation::Annotation,
        board::{Overview, Watched},
    },
};

/// What the charts of a page show: the same window for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub range: Range,
    /// Time of the first and of the last point that fit, Unix seconds.
    pub from: i64,
    pub to: i64,
    /// From one point to the next, seconds.
    pub step: i64,
    pub points: Arc<Vec<Point>>,
    /// Those of the range before, moved under this one.
    pub before: Arc<Vec<Point>>,
    pub flags: Arc<Vec<Annotation>>,
    pub watched: Arc<Vec<Watched>>,
    /// Of the address behind its range: a zoom keeps whose figures these are.
    pub whose: String,
    pub deliveries: u64,
    pub polling_baseline: f64,
}

impl Window {
    pub fn of(board: &Overview) -> Window {
        let range = board.view.range;
        let shift = board.to - board.from;
        let moved = |point: &Point| Point { at: point.at + shift, ..*point };
        let query = board.view.query();
        Window {
            range,
            from: board.from,
            to: board.to - board.step,
            step: board.step,
            points: Arc::new(board.points.clone()),
            before: Arc::new(board.before.iter().map(moved).collect()),
            flags: Arc::new(board.annotations.clone()),
            watched: Arc::new(board.watched.clone()),
            whose: query.find('&').map_or("", |at| &query[at..]).to_owned(),
            deliveries: board.deliveries,
            polling_baseline: board.polling_baseline,
        }
    }

    /// As they are shown.
    pub fn values(&self, metric: Metric) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(move |point| point.shown(metric))
    }

    pub fn highest(&self, metric: Metric) -> f64 {
        self.values(metric).fold(0.0, f64::max)
    }

    pub fn newest(&self, metric: Metric) -> Option<f64> {
        self.points.iter().rev().find_map(|point| point.shown(metric))
    }

    /// Steps with a figure, and all steps.
    pub fn measured(&self, metric: Metric) -> (usize, i64) {
        (self.values(metric).count(), self.steps())
    }

    pub fn steps(&self) -> i64 {
        (self.to - self.from) / self.step + 1
    }

    /// The address of what lies between two moments.
    pub fn zoomed(&self, one: i64, other: i64) -> String {
        let (from, to) = (one.min(other), one.max(other) + self.step);
        format!("/?range={from}-{to}{}", self.whose)
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
    /// Whose line of the range before is drawn along, where the view compares.
    pub headline: Metric,
    /// Words at a level: at the right end inside the plot.
    pub notes: fn(&Window) -> Vec<(f64, String, &'static str)>,
    /// Not shown where nothing is measured: not every server has what it is about.
    pub may_lack: bool,
}

impl Plot {
    pub fn is_shown(&self, window: &Window) -> bool {
        !self.may_lack || window.newest(self.headline).is_some()
    }
}

/// A metric in the table and in the cursor's read-out.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub unit: &'static str,
    pub metric: Metric,
    pub text: fn(f64) -> String,
}

/// A line of the legend: the key's class, and what it stands for.
pub type Key = (&'static str, String);

/// What one chart shows.
pub struct Chart {
    /// Its place in the page's address.
    pub id: &'static str,
    pub title: &'static str,
    pub plots: Vec<Plot>,
    pub columns: Vec<Column>,
    /// The legend.
    pub keys: fn(&Window) -> Vec<Key>,
    /// Unit, window and sample count.
    pub caption: fn(&Window) -> String,
    /// The chart in one sentence.
    pub summary: fn(&Window) -> String,
}

#[component]
pub fn Figure(chart: Chart, window: Memo<Window>) -> impl IntoView {
    let Chart { id, title, plots, columns, keys, caption, summary } = chart;
    let zone = zone::reader();
    let cursor = Cursor::of_page();
    let columns = StoredValue::new(columns);
    let read_out = move || match cursor.at.get() {
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
    let press = move |event| window.with_untracked(|window| cursor.press(&event, window));
    // In the browser overview.js keeps it at what the address asks for.
    #[cfg(feature = "ssr")]
    let export = window.with_untracked(|window| {
        format!("/api/admin/charts/{id}.svg?range={}{}", window.range.as_str(), window.whose)
    });
    #[cfg(not(feature = "ssr"))]
    let export = format!("/api/admin/charts/{id}.svg");
    view! {
        <figure class="panel chart" id=id>
            <header>
                <h2>{title}</h2>
                <p class="legend" inner_html=text(legend)></p>
            </header>
            <div class="plots" role="img" tabindex="0" aria-label=text(move || window.with(summary)) on:keydown=press>
                {plots.into_iter().map(|plot| view! { <Drawn plot window cursor /> }).collect_view()}
                <svg class="times" height="18" inner_html=text(times)></svg>
            </div>
            <figcaption class="cap">{text(read_out)}</figcaption>
            <div class="under">
                <Figures title window columns />
                <a class="export" rel="external" download="" href=export>"SVG"<span class="sr">" of "{title}</span></a>
            </div>
        </figure>
    }
    .into_any()
}

#[component]
fn Drawn(plot: Plot, window: Memo<Window>, cursor: Cursor) -> impl IntoView {
    let Plot { height, name, scale, layers, headline, notes, .. } = plot;
    let field =
        move |window: &Window| Field { from: window.from, to: window.to, height, scale: scale(window) };
    let ticks = move || window.with(|window| tick_texts(&field(window)));
    let lines = move || {
        window.with(|window| {
            let before = [Layer::Line(Ink::Before, headline)];
            let mut lines = paths(&field(window), &window.points, &layers(window));
            if !window.before.is_empty() {
                lines.push_str(&paths(&field(window), &window.before, &before));
            }
            lines
        })
    };
    let words = move || {
        window.with(|window| {
            let mut words = alerts(&field(window), headline, &window.watched);
            words.push_str(&flags(&field(window), &window.flags));
            words.push_str(&note_texts(&field(window), notes(window)));
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
        let Some(at) = cursor.at.get() else { return String::new() };
        let place = |at| window.with(|window| x(&field(window), at));
        let x = place(at);
        let mut mark =
            format!("<line class=\"cursor\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"{height}\"/>");
        if let Some(from) = cursor.from.get() {
            let (left, right) = (place(from.min(at)), place(from.max(at)));
            let width = right - left;
            let _ = write!(
                mark,
                "<rect class=\"zoom\" x=\"{left:.2}%\" width=\"{width:.2}%\" y=\"0\" height=\"{height}\"/>"
            );
        }
        mark
    };
    let follow = move |event| window.with_untracked(|window| cursor.follow(&event, window));
    let grasp = move |event| window.with_untracked(|window| cursor.grasp(&event, window));
    let release = move |_| window.with_untracked(|window| cursor.release(window));
    view! {
        <div class="part" hidden=move || window.with(|window| !plot.is_shown(window))>
            {(!name.is_empty()).then(|| view! { <p class="name">{name}</p> })}
            <div class="plot">
                <svg class="ticks" height=height inner_html=text(ticks)></svg>
                <svg class="field" height=height on:pointerdown=grasp on:pointermove=follow on:pointerup=release on:pointerleave=move |_| cursor.leave()>
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
        </div>
    }
    .into_any()
}

/// When rules that watch this metric fired, and their levels where the scale holds them.
fn alerts(field: &Field, metric: Metric, watched: &[Watched]) -> String {
    let mut svg = String::new();
    for rule in watched {
        let mut numbers = rule.iter().map(|number| number.unwrap_or_default());
        let (Some(place), Some(level)) = (numbers.next(), numbers.next()) else { continue };
        // By its place: names would bring those of all metrics into the WASM.
        if place as usize != metric as usize {
            continue;
        }
        while let (Some(from), Some(to)) = (numbers.next(), numbers.next()) {
            let (left, right) = (x(field, field.from.max(from as i64)), x(field, field.to.min(to as i64)));
            if right > left {
                let _ = write!(
                    svg,
                    "<rect class=\"area fire\" x=\"{left:.2}%\" width=\"{:.2}%\" y=\"0\" height=\"{}\">\
                     <title>an alert fired</title></rect>",
                    right - left,
                    field.height,
                );
            }
        }
        if field.scale.clamp(level) == level {
            let y = field.scale.y(level, field.height);
            let _ = write!(
                svg,
                "<line class=\"limit\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"note start\" x=\"4\" y=\"{:.1}\">alert {}</text>",
                above(y),
                tick(level),
            );
        }
    }
    svg
}

/// A flag at each annotation, with its words where a pointer rests on it; they stand in a list beside as well.
fn flags(field: &Field, flags: &[Annotation]) -> String {
    let mut svg = String::new();
    for flag in flags.iter().filter(|flag| (field.from..=field.to).contains(&flag.at)) {
        let x = x(field, flag.at);
        let words = escape(&flag.text);
        let _ = write!(
            svg,
            "<g class=\"flag {}\"><line x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"{}\"/>\
             <svg x=\"{x:.2}%\" width=\"10\" height=\"10\" overflow=\"visible\"><path d=\"M0 0h7l-2 3 2 3h-7z\"/></svg>\
             <title>{words}</title></g>",
            flag.kind.as_str(),
            field.height,
        );
    }
    svg
}

pub fn tick_texts(field: &Field) -> String {
    let mut svg = String::new();
    for (value, text) in field.scale.labels() {
        let y = field.scale.y(value, field.height) + 3.5;
        let _ = write!(svg, "<text class=\"tick\" x=\"100%\" y=\"{y:.1}\">{text}</text>");
    }
    svg
}

/// Where words about a level stand: above it, where there is room.
fn above(y: f64) -> f64 {
    if y < 14.0 { y + 12.0 } else { y - 5.0 }
}

/// `notes` hold words and numbers of ours alone: nothing in them needs escaping.
pub(super) fn note_texts(field: &Field, notes: Vec<(f64, String, &'static str)>) -> String {
    let mut svg = String::new();
    for (level, text, class) in notes {
        let y = field.scale.y(level, field.height);
        let y = above(y);
        let _ = write!(svg, "<text class=\"note {class}\" x=\"100%\" y=\"{y:.1}\">{text}</text>");
    }
    svg
}

fn time_marks(window: &Window, zone: Zone) -> String {
    let mut svg = String::new();
    for mark in marks(window.from, window.to, zone) {
        let class = if mark.minor { "tick mid minor" } else { "tick mid" };
        let _ = write!(svg, "<text class=\"{class}\" x=\"{:.2}%\" y=\"13\">{}</text>", mark.x, mark.text);
    }
    let end = window.to + window.step;
    let end = match window.range {
        range if range.is_live() => "now".into(),
        _ if window.to - window.from < 172_800 => zone.minute(end),
        _ => zone.date(end),
    };
    let _ = write!(svg, "<text class=\"tick\" x=\"100%\" y=\"13\">{end}</text>");
    svg
}

fn at_cursor(window: &Window, columns: &[Column], at: i64, zone: Zone) -> String {
    let when = match window.step {
        10 => zone.clock(at),
        _ => format!("{}, {}", zone.day(at), zone.minute(at)),
    };
    let point = window.points.iter().find(|point| point.at == at);
    let figures: Vec<String> = columns
        .iter()
        .filter_map(|column| {
            let value = point?.shown(column.metric)?;
            Some(format!("{} {}{}", column.name, (column.text)(value), column.unit))
        })
        .collect();
    let figures = if figures.is_empty() { "nothing measured".into() } else { figures.join(", ") };
    format!("{when}{}: {figures}", zone.suffix())
}
