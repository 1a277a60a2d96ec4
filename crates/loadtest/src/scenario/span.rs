//! Times as people write them: `30s`, `5m`, `2h`, `250ms`.

use std::time::Duration;

/// The end of the sentence "… must be …".
pub const ALLOWED: &str = "a time above zero and up to 24h, such as 250ms, 30s, 5m or 2h";

pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = (digits.parse::<f64>().ok()?, &text[digits.len()..]);
    let seconds = match unit {
        "ms" => number / 1_000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return None,
    };
    (seconds > 0.0 && seconds <= 86_400.0).then(|| Duration::from_secs_f64(seconds))
}

/// Short, for a line of progress: `1:05` or `2:00:00`.
pub fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        let check =
            |text: &str, ms: Option<u128>| assert_eq!(parse(text).map(|d| d.as_millis()), ms, "{text}");
        check("250ms", Some(250));
        check("30s", Some(30_000));
        check("1.5m", Some(90_000));
        check("2h", Some(7_200_000));
        for bad in ["", "30", "s", "0s", "-1s", "25h", "30 s", "1d", "NaNs", "infs"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_clock_shows_hours_only_when_there_are_any() {
        let check = |seconds, text| assert_eq!(clock(Duration::from_secs(seconds)), text);
        check(65, "1:05");
        check(7_200, "2:00:00");
    }
}
