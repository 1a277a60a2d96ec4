//! What is measured, under the names by which other systems know it: Prometheus and OpenTelemetry alike.
//!
//! Values are cumulative since the process started, in base units (seconds, bytes). Labels are bounded: none ever
//! holds a session, a user or an address.

mod accept; // which of the two texts a scraper wants
mod counters; // every counter's name
mod distributions; // every histogram's name and bounds
mod text; // the two texts

pub use accept::Format;
pub use counters::counters;
pub use distributions::distributions;
pub use text::write;

use std::borrow::Cow;

/// What every name of ours begins with.
pub const PREFIX: &str = "streamgauge_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Bytes,
    /// Things that are counted.
    One,
}

impl Unit {
    /// As Prometheus spells it, and as a name ends.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Unit::Seconds => Some("seconds"),
            Unit::Bytes => Some("bytes"),
            Unit::One => None,
        }
    }
}

/// One metric with all its series.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// With its unit at its end, without `_total`.
    pub name: Cow<'static, str>,
    pub unit: Unit,
    /// A sentence.
    pub help: &'static str,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Only grows.
    Counter(Vec<Point>),
    Gauge(Vec<Point>),
    /// What the process is, in labels.
    Info(Vec<Label>),
    Histogram(Distribution),
}

pub type Label = (&'static str, Cow<'static, str>);

#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub label: Option<Label>,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Upper bounds, in the family's unit.
    pub bounds: Vec<f64>,
    /// Values in each bucket alone; one more than bounds, for what is above.
    pub counts: Vec<u64>,
    /// Of all values; as precise as the histogram, 1 %.
    pub sum: f64,
}

impl Family {
    pub fn gauge(name: impl Into<Cow<'static, str>>, unit: Unit, help: &'static str, value: f64) -> Family {
        let values = Values::Gauge(vec![Point { label: None, value }]);
        Family { name: name.into(), unit, help, values }
    }

    pub fn counter(name: impl Into<Cow<'static, str>>, unit: Unit, help: &'static str, value: f64) -> Family {
        let values = Values::Counter(vec![Point { label: None, value }]);
        Family { name: name.into(), unit, help, values }
    }
}
