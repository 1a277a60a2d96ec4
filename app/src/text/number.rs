//! Figures as they are read: thousands separated, as many decimals as mean something, a true minus.

use streamgauge_core::metric::kpi::{KpiKey, thousands};

/// Rounded to `decimals`, thousands separated: `1,520` or `0.021`. Trailing zeros stay: digits must not jump about.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    let is_zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    let sign = if value < 0.0 && !is_zero { "\u{2212}" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// About three digits: `0.4`, `6.1`, `14`, `1,520`.
pub fn brief(value: f64) -> String {
    let size = value.abs();
    fixed(
        value,
        if size >= 9.95 || size == 0.0 {
            0
        } else if size >= 0.095 {
            1
        } else {
            2
        },
    )
}

/// A tick of an axis: `0`, `0.5`, `2,500`.
pub fn tick(value: f64) -> String {
    let decimals = (0..3).find(|&n| (value * 10f64.powi(n) - (value * 10f64.powi(n)).round()).abs() < 1e-6);
    fixed(value, decimals.map_or(3, |n| n as usize))
}

/// A headline figure, or its change, with the decimals of its key.
pub fn figure(key: KpiKey, value: f64) -> String {
    match key {
        KpiKey::UpdateLatency => brief(value),
        KpiKey::RequestReduction => fixed(value, 1),
        KpiKey::ActiveConnections => fixed(value, 0),
        KpiKey::ErrorRate if value == 0.0 => "0".into(),
        KpiKey::ErrorRate if value.abs() < 1.0 => fixed(value, 3),
        KpiKey::ErrorRate => fixed(value, 2),
    }
}

/// `1 event`, `2 events`, `1,204 events`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_figures() {
        let check = |got: String, expected: &str| assert_eq!(got, expected);
        check(fixed(1520.4, 0), "1,520");
        check(fixed(-0.004, 3), "\u{2212}0.004");
        check(fixed(-0.0004, 3), "0.000");
        check(fixed(97.84, 1), "97.8");
        check(brief(0.044), "0.04");
        check(brief(0.44), "0.4");
        check(brief(9.96), "10");
        check(brief(14.2), "14");
        check(brief(0.0), "0");
        check(tick(0.5), "0.5");
        check(tick(2500.0), "2,500");
        check(tick(0.01), "0.01");
        check(figure(KpiKey::ErrorRate, 0.021), "0.021");
        check(figure(KpiKey::ErrorRate, 0.0), "0");
        check(count(1, "event", "events"), "1 event");
        check(count(1204, "event", "events"), "1,204 events");
    }
}
