//! Amounts, names and times as the pages say them.

use crate::text::{
    number::{brief, fixed},
    time::{self, Zone},
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::RuleView;

/// `3.1`, `742`, `97.2`: a percentage keeps its decimal, since 99.4 and 99.0 are worlds apart.
pub fn figure(value: f64, unit: &str) -> String {
    match unit {
        "%" if value >= 9.95 && (value * 10.0).round() % 10.0 != 0.0 => fixed(value, 1),
        _ => brief(value),
    }
}

/// `3.1 %`; the unit never leaves its number.
pub fn amount(value: f64, unit: &str) -> String {
    let figure = figure(value, unit);
    if unit.is_empty() { figure } else { format!("{figure}\u{a0}{unit}") }
}

/// A threshold as it was written: `1 %`, `0.25 %`, `99.95 %`.
pub fn level(value: f64, unit: &str) -> String {
    let text = fixed(value, 4);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if unit.is_empty() { text.to_owned() } else { format!("{text}\u{a0}{unit}") }
}

/// A rule for a narrow place: "Error rate" of "Error rate is above 1 %", "Error budget fast burn" of a burn rule, of which
/// there are several a metric.
pub fn short(name: &str, title: &str) -> String {
    match title.split_once(" is ") {
        Some((metric, _)) => metric.to_owned(),
        None => {
            let words = name.replace('_', " ");
            let mut letters = words.chars();
            let first = letters.next().map(String::from).unwrap_or_default();
            first + &letters.as_str().to_lowercase()
        }
    }
}

/// A rule by [`short`].
pub fn short_of(rule: &RuleView) -> String {
    short(&rule.name, &rule.title)
}

/// `9 min` between two moments in milliseconds.
pub fn lasted(from: i64, to: i64) -> String {
    time::span((to - from) / 1_000).replace(' ', "\u{a0}")
}

/// `03:04:32` today, `22 Nov, 14:42` on another day.
pub fn when(at: i64, now: i64) -> String {
    let (at, now) = (at / 1_000, now / 1_000);
    match at.div_euclid(86_400) == now.div_euclid(86_400) {
        true => Zone::Utc.clock(at),
        false => format!("{}, {}", Zone::Utc.date(at), Zone::Utc.minute(at)),
    }
}

/// [`when`] for machines as well.
pub fn moment(at: i64, now: i64) -> impl IntoView + use<> {
    view! { <time datetime=time::iso(at / 1_000)>{when(at, now)}</time> }
}

/// "email, slack and pagerduty".
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_their_metric_needs() {
        let check = |got: String, expected: &str| assert_eq!(got, expected.replace('_', "\u{a0}"));
        check(amount(3.12, "%"), "3.1_%");
        check(amount(97.24, "%"), "97.2_%");
        check(amount(100.0, "%"), "100_%");
        check(amount(742.4, "ms"), "742_ms");
        check(amount(12.0, ""), "12");
        check(level(1.0, "%"), "1_%");
        check(level(99.95, "%"), "99.95_%");
        check(level(500.0, "ms"), "500_ms");
        check(lasted(0, 3_720_000), "1_h_02_min");
    }

    #[test]
    fn a_rule_has_a_short_name() {
        let check = |name, title, expected: &str| assert_eq!(short(name, title), expected);
        check("SSE_High_Error_Rate", "Error rate is above 1 %", "Error rate");
        check("Error_Budget_Fast_Burn", "Error rate burns its budget", "Error budget fast burn");
    }

    #[test]
    fn another_day_is_named() {
        let now = 1_795_444_927_000;
        assert_eq!(when(now - 60_000, now), "14:41:07");
        assert_eq!(when(now - 86_400_000, now), "22 Nov, 14:42");
    }
}
