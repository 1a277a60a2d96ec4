//! The shape of the window beside a headline figure: no axis, no unit, the newest value as a dot.

use super::figure::Window;
use crate::components::bound::text;
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::metric::{kpi::KpiKey, table::Metric};

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 28.0;
const EDGE: f64 = 3.0;
/// More would be less than a pixel apart.
const STEPS: usize = 60;

#[component]
pub fn Spark(key: KpiKey, window: Memo<Window>) -> impl IntoView {
    let metric = key.metric();
    let lines = text(move || window.with(|window| shape(&thinned(window, metric))));
    view! {
        <svg class="spark" viewBox="0 0 96 28" width="96" height="28" aria-hidden="true" inner_html=lines></svg>
    }
}

/// The mean of each of [`STEPS`] stretches; a stretch without figures is a hole.
fn thinned(window: &Window, metric: Metric) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0u32); STEPS];
    let span = (window.to - window.from).max(1) as f64;
    for point in window.points.iter() {
        let step = ((point.at - window.from) as f64 / span * (STEPS - 1) as f64).round() as usize;
        if let (Some(sum), Some(value)) = (sums.get_mut(step), point.shown(metric)) {
            *sum = (sum.0 + value, sum.1 + 1);
        }
    }
    sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
}

fn shape(values: &[Option<f64>]) -> String {
    let there = || values.iter().flatten().copied();
    let (low, high) = (there().fold(f64::INFINITY, f64::min), there().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return String::new();
    }
    // A flat line lies in the middle; a tremor of a thousandth is flat.
    let span = high - low;
    let flat = span <= high.abs() * 1e-3;
    let y = |value: f64| {
        let share = if flat { 0.5 } else { (value - low) / span };
        HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE)
    };
    let x = |step: usize| EDGE + step as f64 / (STEPS - 1) as f64 * (WIDTH - 2.0 * EDGE);
    let mut d = String::new();
    let mut pen_down = false;
    let mut newest = None;
    for (step, value) in values.iter().enumerate() {
        if let Some(value) = *value {
            let command = if pen_down { 'L' } else { 'M' };
            let _ = write!(d, "{command}{:.1} {:.1}", x(step), y(value));
            newest = Some((x(step), y(value)));
        }
        pen_down = value.is_some();
    }
    let dot = newest.map(|(x, y)| format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"));
    format!("<path class=\"line sse\" d=\"{d}\"/>{}", dot.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn holes_and_flat_lines() {
        let check = |values: &[Option<f64>], subpaths: usize| {
            assert_eq!(shape(values).matches('M').count(), subpaths, "{values:?}");
        };
        check(&[], 0);
        check(&[None, None], 0);
        check(&[Some(1.0), Some(2.0), None, Some(3.0)], 2);
        assert!(shape(&[Some(5.0), Some(5.0)]).contains(" 14.0"));
    }
}
