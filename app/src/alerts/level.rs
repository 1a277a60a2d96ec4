//! A value on its rail: the good side, the threshold as a tick, the worst value of a day as a ring, the value as a dot.

use super::{
    shape::Tone,
    words::{amount, level},
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::page::alerts::{Incident, RuleView};

pub struct Level<'a> {
    pub value: Option<f64>,
    /// The ring.
    pub worst: Option<f64>,
    /// What the ring is: "worst in 24 hours", "peak".
    pub worst_is: &'a str,
    pub threshold: f64,
    pub below: bool,
    pub unit: &'a str,
    pub tone: Tone,
}

impl<'a> Level<'a> {
    /// Nothing for a rule without a threshold: a burn is a factor, not a level.
    pub fn of_rule(rule: &'a RuleView, tone: Tone) -> Option<Level<'a>> {
        Some(Level {
            value: rule.value,
            worst: rule.worst,
            worst_is: "worst in 24 hours",
            threshold: rule.threshold?,
            below: rule.below,
            unit: &rule.unit,
            tone,
        })
    }

    pub fn of_incident(incident: &'a Incident, value: Option<f64>, tone: Tone) -> Option<Level<'a>> {
        Some(Level {
            value,
            worst: incident.peak,
            worst_is: "peak",
            threshold: incident.threshold?,
            below: incident.below,
            unit: &incident.unit,
            tone,
        })
    }

    /// The values at both ends of the rail. The threshold is never near one of them.
    fn ends(&self) -> (f64, f64) {
        let seen = || [self.value, self.worst].into_iter().flatten();
        match (self.below, self.unit) {
            (true, "%") if self.threshold <= 100.0 => {
                let lowest = seen().fold(self.threshold, f64::min);
                let room = ((100.0 - self.threshold) * 2.4).max((100.0 - lowest) * 1.1).max(0.1);
                ((100.0 - room).max(0.0), 100.0)
            }
            (false, "%") if self.threshold >= 50.0 => (0.0, 100.0),
            _ => {
                let highest = seen().fold(self.threshold * 2.0, |high, value| high.max(value * 1.08));
                (0.0, if highest > 0.0 { highest } else { 1.0 })
            }
        }
    }

    pub fn view(&self) -> AnyView {
        let (low, high) = self.ends();
        let x = |value: f64| 2.0 + 96.0 * ((value - low) / (high - low)).clamp(0.0, 1.0);
        let limit = x(self.threshold);
        let (from, to) = if self.below { (limit, 98.0) } else { (2.0, limit) };
        let anchor = if limit < 18.0 {
            "start"
        } else if limit > 82.0 {
            "end"
        } else {
            "middle"
        };
        let words = level(self.threshold, self.unit);
        let mut svg = format!(
            "<line class=\"rail\" x1=\"2%\" x2=\"98%\" y1=\"10\" y2=\"10\"/>\
             <line class=\"fine\" x1=\"{from:.1}%\" x2=\"{to:.1}%\" y1=\"10\" y2=\"10\"/>\
             <line class=\"limit\" x1=\"{limit:.1}%\" x2=\"{limit:.1}%\" y1=\"3\" y2=\"17\"/>\
             <text x=\"{limit:.1}%\" y=\"31\" text-anchor=\"{anchor}\">threshold {words}</text>"
        );
        // A ring under the dot would say nothing.
        let apart = |worst: f64| self.value.is_none_or(|value| (x(value) - x(worst)).abs() > 1.5);
        if let Some(worst) = self.worst.filter(|&worst| apart(worst)) {
            let _ = write!(svg, "<circle class=\"ring\" cx=\"{:.1}%\" cy=\"10\" r=\"4\"/>", x(worst));
        }
        if let Some(value) = self.value {
            let tone = self.tone.class();
            let _ = write!(svg, "<circle class=\"dot {tone}\" cx=\"{:.1}%\" cy=\"10\" r=\"5.5\"/>", x(value));
        }
        view! { <svg class="rail-gauge" role="img" aria-label=self.said() inner_html=svg></svg> }.into_any()
    }

    /// "3.1 %, threshold 1 %, peak 4.6 %".
    fn said(&self) -> String {
        let value = self.value.map_or_else(|| "no value".into(), |value| amount(value, self.unit));
        let side = if self.below { "at least " } else { "" };
        let worst = self.worst.map(|worst| format!(", {} {}", self.worst_is, amount(worst, self.unit)));
        format!("{value}, threshold {side}{}{}", level(self.threshold, self.unit), worst.unwrap_or_default())
    }
}
