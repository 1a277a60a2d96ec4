//! Layers over a time axis, drawn. A hole in the figures stays a hole in the line.

use super::{
    axis::Scale,
    canvas::{Canvas, WIDTH},
    ink::Ink,
};
use plotters::{
    coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged},
    prelude::*,
};
use std::ops::Range;
use streamgauge_core::metric::{point::Point, table::Metric};

/// One thing in a plot.
#[derive(Clone, Copy)]
pub enum Layer {
    Line(Ink, Metric),
    /// The surface under a line.
    Area(Ink, Metric),
    /// The surface between two metrics.
    Band(Ink, Metric, Metric),
    /// A level across the whole width.
    Rule(Ink, f64),
}

impl Layer {
    /// Nothing of the points is in it; a rule rests on none.
    pub fn is_empty(&self, points: &[Point]) -> bool {
        match *self {
            Layer::Line(_, metric) | Layer::Area(_, metric) | Layer::Band(_, metric, _) => {
                points.iter().all(|point| point.of(metric).is_none())
            }
            Layer::Rule(..) => true,
        }
    }
}

/// The box that a plot is drawn in.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The first and the last point's time, Unix seconds.
    pub from: i64,
    pub to: i64,
    /// CSS pixels.
    pub height: u32,
    pub scale: Scale,
}

/// SVG paths for the box `0 0 WIDTH height * FINE`.
pub fn paths(field: &Field, points: &[Point], layers: &[Layer]) -> String {
    let mut paths = String::new();
    // The canvas cannot fail; were plotters to refuse an axis, an empty plot says so better than a panic.
    if draw(field, points, layers, &mut paths).is_err() { String::new() } else { paths }
}

/// Our scale is plotters' vertical axis. One type for linear and logarithmic: plotters' own two would bring every
/// drawing function into the WASM twice.
impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    /// `limit`: the pixels of the low and of the high end.
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.share(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

type Refused = Box<dyn std::error::Error>;

fn draw(field: &Field, points: &[Point], layers: &[Layer], paths: &mut String) -> Result<(), Refused> {
    let area = Canvas::new(paths, field.height).into_drawing_area();
    let last = field.to.max(field.from + 1);
    let mut chart = ChartBuilder::on(&area).build_cartesian_2d(field.from..last, field.scale.clone())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_axes()
        .bold_line_style(Ink::Grid.color())
        .light_line_style(TRANSPARENT)
        .draw()?;
    for layer in layers {
        match *layer {
            Layer::Line(ink, metric) => {
                for run in runs(points, &field.scale, |point| point.shown(metric).map(|value| [value])) {
                    chart.draw_series(LineSeries::new(run.iter().map(|(at, [y])| (*at, *y)), ink.color()))?;
                }
            }
            Layer::Area(ink, metric) => {
                let ground = field.scale.low;
                let surface = |point: &Point| point.shown(metric).map(|value| [ground, value]);
                for run in runs(points, &field.scale, surface) {
                    chart.draw_series([between(&run, ink)])?;
                }
            }
            Layer::Band(ink, below, above) => {
                let both = |point: &Point| Some([point.shown(below)?, point.shown(above)?]);
                for run in runs(points, &field.scale, both) {
                    chart.draw_series([between(&run, ink)])?;
                }
            }
            Layer::Rule(ink, level) => {
                let level = field.scale.clamp(level);
                chart.draw_series(LineSeries::new([(field.from, level), (last, level)], ink.color()))?;
            }
        }
    }
    Ok(())
}

type Run<const N: usize> = Vec<(i64, [f64; N])>;

/// The stretches without a hole.
fn runs<const N: usize>(
    points: &[Point],
    scale: &Scale,
    read: impl Fn(&Point) -> Option<[f64; N]>,
) -> Vec<Run<N>> {
    let mut runs = Vec::new();
    let mut run = Vec::new();
    for point in points {
        match read(point) {
            Some(values) => run.push((point.at, values.map(|value| scale.clamp(value)))),
            None if run.is_empty() => {}
            None => runs.push(std::mem::take(&mut run)),
        }
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

fn between(run: &Run<2>, ink: Ink) -> Polygon<(i64, f64)> {
    let there = run.iter().map(|(at, [low, _])| (*at, *low));
    let back = run.iter().rev().map(|(at, [_, high])| (*at, *high));
    Polygon::new(there.chain(back).collect::<Vec<_>>(), ink.color().filled())
}

/// Percent of the width at which a moment lies.
pub fn x(field: &Field, at: i64) -> f64 {
    (at - field.from) as f64 / (field.to - field.from).max(1) as f64 * 100.0
}

/// `viewBox` of a plot.
pub fn view_box(height: u32) -> String {
    format!("0 0 {WIDTH} {}", height * super::canvas::FINE)
}
