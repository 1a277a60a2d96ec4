//! A metric with its threshold, and what a rule made of it: spans behind the line, flags over it, words at the data. Paths
//! lie in a box that stretches; text, flags and spans stand at percentages, so that text keeps its size at any width.

use super::words::{amount, level};
use crate::{
    charts::{
        axis::{Scale, marks},
        figure::tick_texts,
        ink::Ink,
        plot::{Field, Layer, paths, view_box, x},
    },
    text::{
        html::escape,
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    metric::{point::Point, table::Metric},
    page::alerts::BacktestValue,
};

/// Room above the plot for the words of spans and flags.
const HEAD: u32 = 38;
const HEIGHT: u32 = 236;
/// Rows of the table; more would not be read.
const ROWS: usize = 60;
/// Points carry a value for each metric of the table. This one is drawn as it is, whatever it stands for here.
const CARRIER: Metric = Metric::DeliveryLatencyP50;

/// A stretch of time behind the line.
pub struct Area {
    pub from: i64,
    pub to: i64,
    /// `pend`, `fire`, `rec`, `blind`, `hush`, `old`.
    pub class: &'static str,
    /// Words above it: a line in ink, and one in the area's own colour.
    pub head: Option<(String, String)>,
}

pub struct Flag {
    pub at: i64,
    pub text: String,
}

/// A level across the plot.
pub struct Line {
    pub level: f64,
    pub words: String,
    pub class: &'static str,
}

pub struct SpanChart<'a> {
    pub id: &'static str,
    pub title: String,
    pub unit: &'a str,
    /// Unix milliseconds.
    pub from: i64,
    pub to: i64,
    pub values: &'a [BacktestValue],
    pub below: bool,
    pub lines: Vec<Line>,
    pub areas: Vec<Area>,
    pub flags: Vec<Flag>,
    /// The chart in a sentence.
    pub said: String,
    pub caption: String,
    /// Mark the newest value with a dot.
    pub open: bool,
}

impl SpanChart<'_> {
    fn scale(&self) -> Scale {
        let values = || {
            let levels = self.lines.iter().map(|line| line.level);
            self.values.iter().filter_map(|value| value.value).chain(levels)
        };
        let (lowest, highest) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0_f64, f64::max));
        let limit = self.lines.first().map(|line| line.level);
        match limit {
            // Just below 100 %, where all of it happens.
            Some(_) if self.below && self.unit == "%" && lowest.is_finite() && highest <= 100.0 => {
                let room = Scale::linear(100.0 - lowest, false).high.min(100.0);
                let low = 100.0 - room;
                Scale { low, high: 100.0, logarithmic: false, ticks: vec![low, 100.0 - room / 2.0, 100.0] }
            }
            Some(limit) if limit > 0.0 && highest > limit * 12.0 => {
                let least = values().filter(|value| *value > 0.0).fold(limit / 10.0, f64::min);
                Scale::decades(least.max(limit / 100.0), highest)
            }
            _ => Scale::linear(highest * 1.06, false),
        }
    }

    pub fn is_logarithmic(&self) -> bool {
        self.scale().logarithmic
    }

    pub fn view(&self, legend: AnyView) -> AnyView {
        let field =
            Field { from: self.from / 1_000, to: self.to / 1_000, height: HEIGHT, scale: self.scale() };
        let point = |value: &BacktestValue| Point::hole(value.at / 1_000).with(CARRIER, value.value);
        let points: Vec<Point> = self.values.iter().map(point).collect();
        let line = paths(&field, &points, &[Layer::Line(Ink::Neutral, CARRIER)]);
        let places = |at: i64| x(&field, (at / 1_000).clamp(field.from, field.to));
        let all = HEAD + HEIGHT;
        view! {
            <figure class="chart spans" id=self.id aria-labelledby=format!("{}-title", self.id)>
                <header>
                    <h2 id=format!("{}-title", self.id)>{self.title.clone()}</h2>
                    {legend}
                </header>
                <div class="plots" role="img" aria-label=self.said.clone()>
                    <div class="plot">
                        <svg class="ticks" height=all><svg y=HEAD.to_string() overflow="visible" inner_html=tick_texts(&field)></svg></svg>
                        <svg class="field" height=all>
                            <g inner_html=self.behind(&places)></g>
                            <svg
                                y=HEAD.to_string()
                                viewBox=view_box(HEIGHT)
                                width="100%"
                                height=HEIGHT
                                preserveAspectRatio="none"
                                inner_html=line
                            ></svg>
                            <g inner_html=self.before(&field, &places)></g>
                        </svg>
                    </div>
                    <svg class="times" height="18" inner_html=self.times(&field)></svg>
                </div>
                <figcaption class="cap">{self.caption.clone()}</figcaption>
                {self.table()}
            </figure>
        }
        .into_any()
    }

    /// Areas, and their words.
    fn behind(&self, place: &impl Fn(i64) -> f64) -> String {
        let mut svg = String::new();
        // The last end of words, in percent: what would lie over them is left out, the table has it.
        let mut free = 0.0;
        for area in &self.areas {
            let (from, to) = (place(area.from), place(area.to));
            let width = (to - from).max(0.7);
            let from = from.min(100.0 - width);
            let class = area.class;
            let _ = write!(
                svg,
                "<rect class=\"area {class}\" x=\"{from:.2}%\" width=\"{width:.2}%\" y=\"{HEAD}\" height=\"{HEIGHT}\"/>"
            );
            if class == "fire" {
                let _ = write!(
                    svg,
                    "<rect class=\"lid\" x=\"{from:.2}%\" width=\"{width:.2}%\" y=\"{}\" height=\"4\"/>",
                    HEAD - 4
                );
            }
            let Some((first, second)) = &area.head else { continue };
            let middle = from + width / 2.0;
            if middle - 6.0 < free {
                continue;
            }
            free = middle + 6.0;
            let (at, anchor) = match middle {
                middle if middle > 88.0 => (100.0, "end"),
                middle if middle < 7.0 => (0.0, "start"),
                middle => (middle, "middle"),
            };
            let class = if class == "old" { "head minor" } else { "head" };
            let _ = write!(
                svg,
                "<text class=\"{class} first {anchor}\" x=\"{at:.2}%\" y=\"13\">{}</text>\
                 <text class=\"{class} second {anchor}\" x=\"{at:.2}%\" y=\"28\">{}</text>",
                escape(first),
                escape(second)
            );
        }
        svg
    }

    /// Levels, flags, and the dots with their figures.
    fn before(&self, field: &Field, place: &impl Fn(i64) -> f64) -> String {
        let mut svg = String::new();
        let bottom = HEAD + HEIGHT;
        let height = |value: f64| f64::from(HEAD) + field.scale.y(value, HEIGHT);
        let mut taken: Option<f64> = None;
        for line in &self.lines {
            let y = height(line.level);
            let class = line.class;
            // Two levels close to each other: the words of one above it, of the other below.
            let words = match taken {
                Some(other) if y >= other && y - other < 18.0 => y + 15.0,
                Some(other) if y < other && other - y < 18.0 => y - 6.0,
                _ if y < f64::from(HEAD) + 16.0 => y + 15.0,
                _ => y - 6.0,
            };
            taken = Some(y);
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"note start {class}\" x=\"6\" y=\"{words:.1}\">{}</text>",
                escape(&line.words)
            );
        }
        for flag in self.flags.iter().filter(|flag| (self.from..=self.to).contains(&flag.at)) {
            let at = place(flag.at);
            let (shift, anchor) = if at > 30.0 { (-6, "end") } else { (13, "start") };
            let _ = write!(
                svg,
                "<line class=\"flagline\" x1=\"{at:.2}%\" x2=\"{at:.2}%\" y1=\"{}\" y2=\"{bottom}\"/>\
                 <svg x=\"{at:.2}%\" y=\"{}\" overflow=\"visible\"><path class=\"flagmark\" d=\"M0 0h9l-2.6 3 2.6 3H0z\"/>\
                 <text class=\"minor {anchor}\" x=\"{shift}\" y=\"8\">{}</text></svg>",
                HEAD - 8,
                HEAD - 8,
                escape(&flag.text)
            );
        }
        if self.open {
            self.dots(&mut svg, place, &height);
        }
        svg
    }

    /// The newest value and the worst one.
    fn dots(&self, svg: &mut String, place: &impl Fn(i64) -> f64, height: &impl Fn(f64) -> f64) {
        let seen = || self.values.iter().filter_map(|value| Some((value.at, value.value?)));
        let worse = |one: &(i64, f64), other: &(i64, f64)| {
            if self.below { other.1.total_cmp(&one.1) } else { one.1.total_cmp(&other.1) }
        };
        let (Some(worst), Some(last)) = (seen().max_by(worse), seen().next_back()) else { return };
        let mut dot = |(at, value): (i64, f64), lift: f64| {
            let (at, y) = (place(at), height(value));
            let (words, anchor) = if at > 96.0 { (at - 1.4, "end") } else { (at, "middle") };
            let _ = write!(
                svg,
                "<circle class=\"now\" cx=\"{at:.2}%\" cy=\"{y:.1}\" r=\"4\"/>\
                 <text class=\"ink {anchor}\" x=\"{words:.2}%\" y=\"{:.1}\">{}</text>",
                (y + lift).max(f64::from(HEAD) + 11.0),
                super::words::figure(value, self.unit)
            );
        };
        if worst.0 != last.0 {
            dot(worst, if self.below { 18.0 } else { -9.0 });
        }
        // Under the axis it would lie over the times.
        let is_low = height(last.1) + 20.0 > f64::from(HEAD + HEIGHT);
        dot(last, if self.below || is_low { -10.0 } else { 20.0 });
    }

    fn times(&self, field: &Field) -> String {
        let mut svg = String::new();
        for mark in marks(field.from, field.to, Zone::Utc) {
            let class = if mark.minor { "tick mid minor" } else { "tick mid" };
            let _ = write!(svg, "<text class=\"{class}\" x=\"{:.2}%\" y=\"13\">{}</text>", mark.x, mark.text);
        }
        let end = if field.to - field.from < 172_800 {
            // Room for the marks beside it: the caption says whose time it is.
            Zone::Utc.minute(field.to)
        } else {
            Zone::Utc.date(field.to)
        };
        let _ = write!(svg, "<text class=\"tick\" x=\"100%\" y=\"13\">{end}</text>");
        svg
    }

    fn table(&self) -> AnyView {
        let every = self.values.len().div_ceil(ROWS).max(1);
        let days = self.to - self.from > 172_800_000;
        let row = |value: &BacktestValue| {
            let at = value.at / 1_000;
            let when = if days {
                format!("{}, {}", Zone::Utc.date(at), Zone::Utc.minute(at))
            } else {
                Zone::Utc.clock(at)
            };
            let value = value.value.map_or_else(|| "no data".into(), |value| amount(value, self.unit));
            view! {
                <tr>
                    <th scope="row"><time datetime=time::iso(at)>{when}</time></th>
                    <td class="num">{value}</td>
                </tr>
            }
        };
        // The worst value of what a row stands for.
        let worst = |some: &[BacktestValue]| {
            let seen = some.iter().filter(|value| value.value.is_some()).copied();
            let worse = |one: &BacktestValue, other: &BacktestValue| {
                let (one, other) = (one.value.unwrap_or(0.0), other.value.unwrap_or(0.0));
                if self.below { other.total_cmp(&one) } else { one.total_cmp(&other) }
            };
            seen.max_by(worse).or_else(|| some.first().copied())
        };
        let rows = self.values.chunks(every).filter_map(worst).map(|value| row(&value)).collect_view();
        let caption = if every > 1 { format!("The worst of each {every} steps") } else { "Each step".into() };
        view! {
            <details class="figures">
                <summary>"Table"</summary>
                <div class="scroll" tabindex="0" role="region" aria-label=format!("{}, values", self.title)>
                    <table>
                        <caption class="sr">{caption}</caption>
                        <thead>
                            <tr>
                                <th scope="col">"At, UTC"</th>
                                <th scope="col" class="num">"Value"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        }
        .into_any()
    }
}

/// The threshold, and the level from which on it is clear again, where that is another one.
pub fn lines(threshold: Option<f64>, recover: Option<f64>, unit: &str) -> Vec<Line> {
    let Some(limit) = threshold else { return Vec::new() };
    let first = Line { level: limit, words: format!("threshold {}", level(limit, unit)), class: "limit" };
    let second = recover.filter(|recover| (recover - limit).abs() > f64::EPSILON).map(|recover| Line {
        level: recover,
        words: format!("recovers at {}", level(recover, unit)),
        class: "back",
    });
    [Some(first), second].into_iter().flatten().collect()
}

/// Keys for a legend, by the classes of what is drawn.
pub fn keys(keys: &[(&'static str, &'static str)]) -> AnyView {
    let key = |(class, words): &(&'static str, &'static str)| {
        let sample = match *class {
            "line" => "<line class=\"line ink\" x1=\"0\" x2=\"18\" y1=\"5\" y2=\"5\"/>".to_owned(),
            "limit" | "back" => format!("<line class=\"{class}\" x1=\"0\" x2=\"18\" y1=\"5\" y2=\"5\"/>"),
            class => {
                format!(
                    "<rect class=\"area {class} edged\" x=\".5\" y=\".5\" width=\"17\" height=\"9\" rx=\"1.5\"/>"
                )
            }
        };
        view! { <span class="key"><svg aria-hidden="true" inner_html=sample></svg>{*words}</span> }
    };
    view! { <p class="legend">{keys.iter().map(key).collect_view()}</p> }.into_any()
}
