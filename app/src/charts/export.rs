//! A chart as a picture that stands alone: for a slide or a ticket, light, with its title, legend, axes and caption.

use super::{
    axis::marks,
    figure::{Chart, Window},
    ink::Ink,
    panels,
    plot::{Field, Layer, paths, x},
};
use crate::text::{html::escape, time::Zone};
use std::fmt::Write;
use streamgauge_core::page::board::Overview;

const WIDTH: f64 = 900.0;
/// Around the plot.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const HEAD: f64 = 56.0;
const GAP: f64 = 26.0;
const FOOT: f64 = 52.0;

/// The page's light colours: a picture has no theme to follow.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#5a626c}.title{font-size:16px;font-weight:600;fill:#171a1e}\
    path{vector-effect:non-scaling-stroke;fill:none}.mesh{stroke:#ecece6}.line{stroke-width:1.6}.sse{stroke:#0b6f86}\
    .thin{stroke-width:1;opacity:.75}.poll{stroke:#a65d14;stroke-dasharray:4 4}.ink{stroke:#565e68}\
    .before{stroke:#5a626c;stroke-dasharray:1 3}.band,.fill{stroke:none;fill:#0b6f8624}.fill.ink{fill:#565e681c;stroke:none}\
    .band.sse,.fill.sse{stroke:none}.target{stroke:#171a1e;stroke-dasharray:1 4}.flag line{stroke:#171a1e;stroke-dasharray:2 3}";

/// `None`: there is no such chart.
pub fn chart_svg(id: &str, board: &Overview) -> Option<String> {
    let chart = panels::all().into_iter().find(|chart| chart.id == id)?;
    Some(drawn(&chart, &Window::of(board), board))
}

fn drawn(chart: &Chart, window: &Window, board: &Overview) -> String {
    let plots: Vec<_> = chart.plots.iter().filter(|plot| plot.is_shown(window)).collect();
    let height = HEAD + plots.iter().map(|plot| f64::from(plot.height) + GAP).sum::<f64>() + FOOT;
    let inner = WIDTH - LEFT - RIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\"><title>{}</title><style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{}</text>",
        escape(&(chart.summary)(window)),
        escape(chart.title),
    );
    let keys: Vec<String> = (chart.keys)(window).into_iter().map(|(_, words)| words).collect();
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"28\" text-anchor=\"end\">{}</text>",
        WIDTH - RIGHT,
        escape(&keys.join(" \u{b7} "))
    );
    let mut top = HEAD;
    for plot in plots {
        let field =
            Field { from: window.from, to: window.to, height: plot.height, scale: (plot.scale)(window) };
        if !plot.name.is_empty() {
            let _ = write!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\">{}</text>", top - 6.0, escape(plot.name));
        }
        for (value, text) in field.scale.labels() {
            let y = top + field.scale.y(value, field.height) + 4.0;
            let _ = write!(svg, "<text x=\"{}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0);
        }
        let mut lines = paths(&field, &window.points, &(plot.layers)(window));
        if !window.before.is_empty() {
            lines += &paths(&field, &window.before, &[Layer::Line(Ink::Before, plot.headline)]);
        }
        let _ = write!(
            svg,
            "<svg x=\"{LEFT}\" y=\"{top}\" width=\"{inner}\" height=\"{}\" viewBox=\"{}\" preserveAspectRatio=\"none\">\
             {lines}</svg>",
            plot.height,
            super::plot::view_box(plot.height),
        );
        for flag in window.flags.iter().filter(|flag| (field.from..=field.to).contains(&flag.at)) {
            let at = LEFT + x(&field, flag.at) / 100.0 * inner;
            let _ = write!(
                svg,
                "<g class=\"flag\"><line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{}\"/><title>{}</title></g>",
                top + f64::from(plot.height),
                escape(&flag.text),
            );
        }
        top += f64::from(plot.height) + GAP;
    }
    for mark in marks(window.from, window.to, Zone::Utc) {
        let at = LEFT + mark.x / 100.0 * inner;
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            top - 8.0,
            mark.text
        );
    }
    let span = format!("{} to {} UTC", Zone::Utc.moment(board.from), Zone::Utc.moment(board.to));
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\">{}</text><text x=\"{}\" y=\"{0:.1}\" text-anchor=\"end\">{span}</text></svg>",
        top + 22.0,
        escape(&(chart.caption)(window)),
        WIDTH - RIGHT,
    );
    svg
}
