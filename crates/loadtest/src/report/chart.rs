//! One SVG chart: lines over the run's time, drawn with classes, so that the page's style decides light and dark.

use std::fmt::Write;

pub struct Line<'a> {
    pub name: &'a str,
    /// A class of the page's style: `main`, `soft`, `other`.
    pub class: &'static str,
    /// Seconds after the start, and the value; a hole where nothing was measured.
    pub points: Vec<(f64, Option<f64>)>,
}

pub struct Chart<'a> {
    pub title: &'a str,
    pub unit: &'a str,
    pub lines: Vec<Line<'a>>,
    /// A target to draw across, with its words.
    pub target: Option<(f64, &'a str)>,
    /// Takes a whole row of the page.
    pub is_wide: bool,
}

/// A chart is drawn for the width that it will have, so that its text keeps its size; the style shows one of them.
const ROW: f64 = 1_086.0;
const HALF: f64 = 516.0;
const PHONE: f64 = 322.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 24.0;

impl Chart<'_> {
    pub fn has_data(&self) -> bool {
        self.lines.iter().any(|line| line.points.iter().any(|(_, value)| value.is_some()))
    }

    pub fn svg(&self) -> String {
        self.drawn(if self.is_wide { ROW } else { HALF }, "desk") + &self.drawn(PHONE, "phone")
    }

    fn drawn(&self, width: f64, class: &str) -> String {
        let values = || self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
        let last =
            self.lines.iter().filter_map(|line| line.points.last()).map(|(at, _)| *at).fold(1.0, f64::max);
        let target = self.target.map_or(0.0, |(value, _)| value);
        // A target far above everything measured would press the lines flat: it is then only named.
        let most = values().fold(0.0, f64::max);
        let shows_target = target > 0.0 && target <= most * 4.0;
        let top = nice(if shows_target { most.max(target) } else { most });
        let x = |at: f64| LEFT + at / last * (width - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg class=\"chart {class}\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.spoken()
        );
        for part in 0..=4 {
            let value = top * f64::from(part) / 4.0;
            let (at, label) = (y(value), tick(value));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick end\" x=\"{:.0}\" y=\"{:.1}\">{label}</text>",
                width - RIGHT,
                LEFT - 8.0,
                at + 4.0
            );
        }
        for part in 0..=4 {
            let at = last * f64::from(part) / 4.0;
            let class = match part {
                0 => "tick",
                4 => "tick end",
                _ => "tick mid",
            };
            let clock = crate::scenario::span::clock(std::time::Duration::from_secs_f64(at));
            let _ = write!(
                svg,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.0}\">{clock}</text>",
                x(at),
                HEIGHT - 6.0
            );
        }
        if let Some((value, words)) = self.target.filter(|_| shows_target) {
            let at = y(value);
            let _ = write!(
                svg,
                "<line class=\"target\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick end\" x=\"{:.0}\" y=\"{:.1}\">{words}</text>",
                width - RIGHT,
                width - RIGHT,
                at - 5.0
            );
        }
        for line in &self.lines {
            let mut path = String::new();
            let mut pen_down = false;
            for (at, value) in &line.points {
                if let Some(value) = value {
                    let _ =
                        write!(path, "{}{:.1} {:.1}", if pen_down { 'L' } else { 'M' }, x(*at), y(*value));
                }
                pen_down = value.is_some();
            }
            // Round caps make a dot of a point that stands alone.
            let _ = write!(svg, "<path class=\"line {}\" d=\"{}\"/>", line.class, dots(&path));
        }
        svg + "</svg>"
    }

    /// For who cannot see it; the table beside has the rest.
    fn spoken(&self) -> String {
        let parts: Vec<String> = self
            .lines
            .iter()
            .map(|line| {
                let most = line.points.iter().filter_map(|(_, value)| *value).fold(0.0, f64::max);
                format!("{} at most {}", line.name, tick(most))
            })
            .collect();
        format!("{}, {}: {}", self.title, self.unit, parts.join(", "))
    }
}

/// A lone `M` draws nothing; with a zero-length line it is a dot.
fn dots(path: &str) -> String {
    path.split_inclusive('M')
        .collect::<String>()
        .split('M')
        .filter(|part| !part.is_empty())
        .map(|part| if part.contains('L') { format!("M{part}") } else { format!("M{part}h0") })
        .collect()
}

/// The next of 1, 2, 4, 5, 8 times a power of ten: a scale whose quarters are round.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().find(|step| value <= step * power * 1.000_001);
    step.unwrap_or(10.0) * power
}

fn tick(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        streamgauge_core::metric::kpi::thousands(value.round() as u64)
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_hold_the_value() {
        let check =
            |value, expected: f64| assert!((nice(value) - expected).abs() < expected * 1e-6, "{value}");
        check(0.0, 1.0);
        check(0.3, 0.4);
        check(1.0, 1.0);
        check(73.0, 80.0);
        check(101.0, 200.0);
        check(4_999.0, 8_000.0);
    }

    #[test]
    fn a_hole_is_a_hole_and_a_lone_point_a_dot() {
        let points = vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(1.0)), (4.0, None)];
        let line = Line { name: "p95", class: "main", points };
        let chart = Chart {
            title: "Latency",
            unit: "ms",
            lines: vec![line],
            target: Some((100.0, "target 100 ms")),
            is_wide: false,
        };
        let svg = chart.svg();
        let path = svg.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count(), path.matches("h0").count()),
            (2, 1, 1),
            "{path}"
        );
        assert!(!svg.contains("target 100 ms"), "too far above to be drawn");
        assert!(chart.has_data() && svg.contains("aria-label=\"Latency, ms: p95 at most 2\""), "{svg}");
    }
}
