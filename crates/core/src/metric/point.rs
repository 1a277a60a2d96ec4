//! The metrics of one step of time, as charts and histograms show them.

use crate::metric::table::Metric;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use std::fmt;

/// One step of the charts. On the wire an object of `at` and the metrics' names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Start of the bucket, Unix seconds.
    pub at: i64,
    /// In [`Metric::CHARTED`]'s order and the metrics' units. `None` where nothing was measured: a hole, never a zero.
    pub values: [Option<f64>; Metric::CHARTED.len()],
}

impl Point {
    /// A step in which nothing was measured.
    pub fn hole(at: i64) -> Point {
        Point { at, ..Point::default() }
    }

    pub fn with(mut self, metric: Metric, value: Option<f64>) -> Point {
        if let Some(slot) = slot(metric) {
            self.values[slot] = value;
        }
        self
    }

    /// In the metric's unit. `None` also for a metric that charts do not draw.
    pub fn of(&self, metric: Metric) -> Option<f64> {
        self.values[slot(metric)?]
    }

    /// As a page shows it, in [`Unit::shown`](crate::metric::table::Unit::shown).
    pub fn shown(&self, metric: Metric) -> Option<f64> {
        self.of(metric).map(|value| value / metric.unit().per_shown())
    }
}

/// Apart from [`Metric::name`], which would bring the names of all metrics to the browser.
const NAMES: [&str; Metric::CHARTED.len()] = {
    let mut names = [""; Metric::CHARTED.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Metric::CHARTED[at].name();
        at += 1;
    }
    names
};

fn slot(metric: Metric) -> Option<usize> {
    Metric::CHARTED.iter().position(|&each| each == metric)
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.values.len()))?;
        map.serialize_entry("at", &self.at)?;
        for (name, value) in NAMES.iter().zip(&self.values) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Point, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

/// Reads what is known by name. A server of another version may have more metrics, or fewer.
struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = Point;

    fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
        words.write_str("a point")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Point, A::Error> {
        let mut point = Point::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "at" {
                point.at = map.next_value()?;
            } else if let Some(slot) = NAMES.iter().position(|known| *known == name) {
                point.values[slot] = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(point)
    }
}

/// Upper bounds of the millisecond histograms on the wire.
pub const HISTOGRAM_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Upper bounds of the duration histogram on the wire, seconds.
pub const DURATION_BOUNDS_S: [u64; 9] = [1, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_back_by_the_names_of_its_metrics() {
        let mut point = Point::hole(100);
        for (value, metric) in (1..).zip(Metric::CHARTED) {
            point = point.with(metric, Some(f64::from(value) + 0.5));
        }
        let point = point.with(Metric::RedisMemory, None);
        let json = serde_json::to_value(point).expect("JSON");
        assert_eq!((&json["at"], &json["redis_memory"]), (&100.into(), &serde_json::Value::Null));
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(1 + Metric::CHARTED.len()));
        assert_eq!(serde_json::from_value::<Point>(json).expect("a point"), point);
    }

    #[test]
    fn metrics_of_another_version_are_passed_over() {
        let read: Point =
            serde_json::from_str(r#"{"newer": [1, {"a": 2}], "at": 7, "cpu": 4.5}"#).expect("read");
        assert_eq!(read, Point::hole(7).with(Metric::Cpu, Some(4.5)));
    }

    #[test]
    fn a_metric_that_charts_do_not_draw_is_in_no_point() {
        assert_eq!(Point::hole(0).with(Metric::Uptime, Some(1.0)), Point::hole(0));
        assert_eq!(Point::hole(0).of(Metric::Uptime), None);
    }

    #[test]
    fn pages_show_bytes_as_megabytes() {
        let point = Point::hole(0).with(Metric::Memory, Some(43e6)).with(Metric::Cpu, Some(4.0));
        assert_eq!((point.shown(Metric::Memory), point.shown(Metric::Cpu)), (Some(43.0), Some(4.0)));
    }
}
