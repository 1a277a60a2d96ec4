//! What a page shows: the range, the step at which its charts are drawn, and whose figures. It lives in the address.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A range that ends now, or one that somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Range {
    #[default]
    Hour,
    Day,
    Week,
    Month,
    /// `[from, to)`, Unix seconds.
    Custom(i64, i64),
}

/// The shortest custom range, and the longest, seconds.
const SHORTEST: i64 = 60;
const LONGEST: i64 = 366 * 86_400;
/// Steps that charts are drawn in: each a multiple of a tier of the history.
pub const STEPS: [i64; 10] = [10, 60, 300, 900, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800];
/// About as many points as a panel has pixels to spare for.
const POINTS: i64 = 370;

impl Range {
    /// Those that a button offers.
    pub const ALL: [Range; 4] = [Range::Hour, Range::Day, Range::Week, Range::Month];

    /// As in the URL (`?range=24h`, `?range=1795440000-1795443600`) and on the button.
    pub fn as_str(self) -> Cow<'static, str> {
        match self {
            Range::Hour => "1h".into(),
            Range::Day => "24h".into(),
            Range::Week => "7d".into(),
            Range::Month => "30d".into(),
            Range::Custom(from, to) => format!("{from}-{to}").into(),
        }
    }

    /// As in a sentence: "in the last 24 hours".
    pub fn in_words(self) -> &'static str {
        match self {
            Range::Hour => "last hour",
            Range::Day => "last 24 hours",
            Range::Week => "last 7 days",
            Range::Month => "last 30 days",
            Range::Custom(..) => "chosen range",
        }
    }

    /// What the one before it is called: "than in the hour before".
    pub fn before_in_words(self) -> &'static str {
        match self {
            Range::Hour => "hour before",
            Range::Day => "24 hours before",
            Range::Week => "7 days before",
            Range::Month => "30 days before",
            Range::Custom(..) => "time before",
        }
    }

    /// Whole length, seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Range::Hour => 3_600,
            Range::Day => 86_400,
            Range::Week => 7 * 86_400,
            Range::Month => 30 * 86_400,
            Range::Custom(from, to) => to - from,
        }
    }

    /// Seconds between two points of a chart: 360, 288, 168 and 360 points.
    pub const fn step(self) -> i64 {
        match self {
            Range::Hour => 10,
            Range::Day => 300,
            Range::Week => 3_600,
            Range::Month => 7_200,
            Range::Custom(from, to) => {
                let mut index = 0;
                while index < STEPS.len() - 1 && (to - from) / STEPS[index] > POINTS {
                    index += 1;
                }
                STEPS[index]
            }
        }
    }

    /// `None` for anything that is no range.
    pub fn parse(text: &str) -> Option<Range> {
        if let Some(range) = Range::ALL.into_iter().find(|range| range.as_str() == text) {
            return Some(range);
        }
        let (from, to) = text.split_once('-')?;
        Range::custom(from.parse().ok()?, to.parse().ok()?)
    }

    /// Within bounds: from a minute to a year, in times that a calendar has.
    pub fn custom(from: i64, to: i64) -> Option<Range> {
        let sane = 0 < from && from < to && to < 4_102_444_800;
        (sane && (SHORTEST..=LONGEST).contains(&(to - from))).then_some(Range::Custom(from, to))
    }

    /// It moves on as time does.
    pub fn is_live(self) -> bool {
        !matches!(self, Range::Custom(..))
    }

    /// The aligned window `[from, to)` in Unix seconds: its last bucket holds `now`, or the custom range's end.
    pub fn window(self, now: i64) -> (i64, i64) {
        self.window_in(self.step(), now)
    }

    /// The same in steps of another length. It holds all of the range.
    pub fn window_in(self, step: i64, now: i64) -> (i64, i64) {
        if let Range::Custom(from, to) = self {
            return (from.div_euclid(step) * step, (to + step - 1).div_euclid(step) * step);
        }
        let to = now.div_euclid(step) * step + step;
        ((to - self.seconds()).div_euclid(step) * step, to)
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.as_str().into_owned()
    }
}

impl TryFrom<String> for Range {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Range, &'static str> {
        Range::parse(&text).ok_or("no range")
    }
}

/// What a form's two fields say: `2026-11-23T14:00`, UTC.
fn chosen(from: Option<String>, to: Option<String>) -> Option<Range> {
    Range::custom(moment(&from?)?, moment(&to?)?)
}

fn moment(text: &str) -> Option<i64> {
    // A browser that escapes the colon is not wrong.
    let text = text.replace("%3A", ":").replace("%3a", ":");
    let (date, time) = text.split_once('T')?;
    let numbers =
        |text: &str, mark| text.split(mark).map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>();
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let ([year, month, day], [hour, minute, ..]) = (&date[..], &time[..]) else { return None };
    let good = (1970..2100).contains(year) && (1..=12).contains(month) && (1..=31).contains(day);
    if !good || !(0..24).contains(hour) || !(0..60).contains(minute) {
        return None;
    }
    // Days since 1970 (Howard Hinnant's `days_from_civil`).
    let year = if *month <= 2 { year - 1 } else { *year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let of_era = year - era * 400;
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60)
}

/// Whose figures a page shows, over which range, and beside what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    pub range: Range,
    /// The range before is drawn along.
    pub compare: bool,
    /// Empty: all.
    pub node: String,
    /// Empty: all.
    pub region: String,
}

impl View {
    /// From the values of an address; what makes no sense is left out.
    pub fn of(mut get: impl FnMut(&str) -> Option<String>) -> View {
        let name = |text: Option<String>| {
            let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            text.filter(|text| text.len() <= 64 && text.chars().all(good)).unwrap_or_default()
        };
        View {
            // A form names the ends of a custom range in words of its own.
            range: chosen(get("from"), get("to"))
                .or_else(|| get("range").and_then(|text| Range::parse(&text)))
                .unwrap_or_default(),
            compare: get("compare").is_some_and(|text| text == "1"),
            node: name(get("node")),
            region: name(get("region")),
        }
    }

    /// As an address has it, without the question mark. None of it needs escaping.
    pub fn query(&self) -> String {
        let mut query = format!("range={}", self.range.as_str());
        if self.compare {
            query.push_str("&compare=1");
        }
        for (name, value) in [("node", &self.node), ("region", &self.region)] {
            if !value.is_empty() {
                query.push_str(&format!("&{name}={value}"));
            }
        }
        query
    }

    pub fn parse(query: &str) -> View {
        View::of(|name| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        })
    }

    /// All nodes, all regions.
    pub fn is_whole(&self) -> bool {
        self.node.is_empty() && self.region.is_empty()
    }

    /// The last hour of everything, which the live stream tells.
    pub fn is_live(&self) -> bool {
        self.range == Range::Hour && self.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::range::Range::Custom;

    #[test]
    fn windows_are_aligned_and_hold_now() {
        for range in Range::ALL {
            assert_eq!(Range::parse(&range.as_str()), Some(range));
            for now in [0, 1, 9, 10, 1_763_890_123] {
                let (from, to) = range.window(now);
                assert!(to % range.step() == 0 && now < to && now >= to - range.step());
                assert_eq!(to - from, range.seconds());
            }
        }
        assert_eq!(Range::parse("5y"), None);
    }

    #[test]
    fn a_chosen_range_has_its_bounds_and_steps() {
        let check = |text: &str, expected| assert_eq!(Range::parse(text), expected, "{text}");
        check("1795440000-1795443600", Some(Custom(1_795_440_000, 1_795_443_600)));
        for bad in [
            "1795443600-1795440000",
            "1-2",
            "a-b",
            "1795440000-1795440059",
            "0-60",
            "-1-100",
            "1-99999999999",
        ] {
            check(bad, None);
        }
        for (seconds, step) in
            [(60, 10), (3_600, 10), (7_200, 60), (86_400, 300), (30 * 86_400, 7_200), (366 * 86_400, 86_400)]
        {
            let range = Custom(1_795_440_007, 1_795_440_007 + seconds);
            assert_eq!(range.step(), step, "{seconds}");
            let (from, to) = range.window(0);
            assert!(
                from <= 1_795_440_007 && to >= 1_795_440_007 + seconds && from % step == 0 && to % step == 0
            );
        }
    }

    #[test]
    fn a_view_lives_in_the_address() {
        let view =
            View { range: Range::Week, compare: true, node: "fra-1".into(), region: "eu-central".into() };
        assert_eq!(view.query(), "range=7d&compare=1&node=fra-1&region=eu-central");
        assert_eq!(View::parse(&view.query()), view);
        assert_eq!(View::parse("range=x&node=a%20b&region=<script>&compare=yes"), View::default());
        assert!(View::default().is_live() && !view.is_live());
        let form = View::parse("from=2026-11-23T13%3A42&to=2026-11-23T14:42&node=&region=");
        assert_eq!(form.range, Custom(1_795_441_320, 1_795_444_920));
        assert_eq!(View::parse("from=yesterday&to=2026-11-23T14:42&range=7d").range, Range::Week);
    }
}
