//! The signature: a rail, the good range, a tick for the target, a diamond for polling, a dot for the value.

use crate::text::number::{figure, fixed, tick};
use std::fmt::Write;
use streamgauge_core::metric::{
    kpi::{Kpi, KpiKey, KpiState},
    table::Better,
};

/// How values lie on the rail.
struct Rail {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Rail {
    /// Logarithmic where the good, the bad and polling lie decades apart.
    fn of(key: KpiKey) -> Rail {
        let (low, high, logarithmic) = match key {
            KpiKey::UpdateLatency => (1.0, 10_000.0, true),
            KpiKey::RequestReduction => (0.0, 100.0, false),
            KpiKey::ActiveConnections => (1.0, 10_000.0, true),
            KpiKey::ErrorRate => (0.001, 10.0, true),
        };
        Rail { low, high, logarithmic }
    }

    /// Percent of the rail's length.
    fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        100.0
            * if self.logarithmic {
                (value / self.low).ln() / (self.high / self.low).ln()
            } else {
                (value - self.low) / (self.high - self.low)
            }
    }
}

/// The polling side, where it lies on the same rail.
fn polling(kpi: &Kpi) -> Option<(f64, String)> {
    let comparison = kpi.comparison?;
    match kpi.key {
        KpiKey::UpdateLatency => {
            Some((comparison.polling, format!("polling {}", fixed(comparison.polling, 0))))
        }
        // Polling saves no request, by definition.
        KpiKey::RequestReduction => Some((0.0, "polling".into())),
        KpiKey::ActiveConnections => (comparison.polling > 0.0)
            .then(|| (comparison.polling, format!("{} polling", fixed(comparison.polling, 0)))),
        KpiKey::ErrorRate => None,
    }
}

/// What lies inside the `<svg>`, 36 pixels high and as wide as its place.
pub fn drawn(kpi: &Kpi) -> String {
    let rail = Rail::of(kpi.key);
    let target = rail.at(kpi.key.target());
    let (good_from, good_to) = match kpi.key.better() {
        Better::Lower => (0.0, target),
        Better::Higher => (target, 100.0),
    };
    let mut svg = format!(
        "<line class=\"rail\" x1=\"0\" x2=\"100%\" y1=\"12\" y2=\"12\"/>\
         <line class=\"range\" x1=\"{good_from:.1}%\" x2=\"{good_to:.1}%\" y1=\"12\" y2=\"12\"/>\
         <line class=\"target\" x1=\"{target:.1}%\" x2=\"{target:.1}%\" y1=\"5\" y2=\"19\"/>"
    );
    let polling = polling(kpi);
    // Anything under a third of a phone's card apart would run into each other: then both lean away.
    let other = polling.as_ref().map(|(value, _)| rail.at(*value));
    let _ = write!(svg, "{}", label(target, other, "tick", &tick(kpi.key.target())));
    if let (Some((_, text)), Some(x)) = (&polling, other) {
        let _ = write!(
            svg,
            "<svg class=\"poll\" x=\"{x:.1}%\" y=\"12\"><path d=\"M0-5.5 5.5 0 0 5.5-5.5 0Z\"/></svg>{}",
            label(x, Some(target), "tick poll", text)
        );
    }
    if let Some(value) = kpi.value {
        let _ = write!(
            svg,
            "<circle class=\"value {}\" cx=\"{:.1}%\" cy=\"12\" r=\"5.5\"/>",
            class(kpi.state),
            rail.at(value)
        );
    }
    svg
}

fn label(x: f64, other: Option<f64>, class: &str, text: &str) -> String {
    let near = other.filter(|other| (other - x).abs() < 30.0);
    let anchor = match near {
        _ if x > 88.0 => "end",
        _ if x < 12.0 => "start",
        Some(other) if other > x => "end",
        Some(_) => "start",
        None => "middle",
    };
    // A text that leans right near the right end would hang out of the card.
    let (x, anchor) = if anchor == "start" && x > 70.0 { (100.0, "end") } else { (x, anchor) };
    // At an end the text hangs from the rail's end, so that it stays inside the card.
    let x = if x > 88.0 {
        100.0
    } else if x < 12.0 {
        0.0
    } else {
        x
    };
    format!("<text class=\"{class}\" x=\"{x:.1}%\" y=\"33\" text-anchor=\"{anchor}\">{text}</text>")
}

pub fn class(state: KpiState) -> &'static str {
    match state {
        KpiState::Good => "good",
        KpiState::Warning => "warning",
        KpiState::Critical => "critical",
        KpiState::NotEnoughData => "unknown",
    }
}

/// Everything that the drawing says, in words.
pub fn accessible_name(kpi: &Kpi) -> String {
    let key = kpi.key;
    let unit = match key {
        KpiKey::UpdateLatency => " ms",
        KpiKey::ActiveConnections => " streams",
        KpiKey::RequestReduction | KpiKey::ErrorRate => " %",
    };
    let value =
        kpi.value.map_or_else(|| "not enough data".into(), |value| format!("{}{unit}", figure(key, value)));
    let side = match key.better() {
        Better::Lower => "under",
        Better::Higher => "at least",
    };
    let mut name = format!("{}: {value}; target {side} {}{unit}", key.title(), tick(key.target()));
    match (key, kpi.comparison) {
        (KpiKey::UpdateLatency, Some(c)) => {
            let _ = write!(name, "; polling {} ms, {}", fixed(c.polling, 0), c.basis.as_str());
        }
        (KpiKey::ActiveConnections, Some(c)) => {
            let _ = write!(name, "; {} polling", fixed(c.polling, 0));
        }
        _ => {}
    }
    name
}
