//! What a row of the metric table makes of a measured distribution: SQL, JSON, `/metrics` and pages take names and words
//! from it. The rows are in [`crate::metric::table`].

pub use crate::metric::table::Measure;

macro_rules! histograms {
    ($(
        $variant:ident {
            name: $name:literal, title: $title:literal, step: $step:ident,
            by_region: $by_region:literal, samples: $samples:literal, help: $help:literal $(,)?
        }
    )*) => {
        /// Histograms merge; percentiles are read from the merged one only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Measure { $(#[doc = $help] $variant,)* }

        impl Measure {
            pub const ALL: [Measure; [$($name),*].len()] = [$(Measure::$variant),*];

            /// Its one name: in the map that PostgreSQL stores and in `/metrics`, and the beginning of its columns in CSV and JSON
            /// and of its metrics' names.
            pub fn name(self) -> &'static str {
                match self { $(Measure::$variant => $name,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Measure::$variant => $title,)* }
            }

            pub fn step(self) -> $crate::metric::histogram::Step {
                match self { $(Measure::$variant => $crate::metric::histogram::Step::$step,)* }
            }

            /// Whether it is kept by the follower's region too.
            pub fn is_by_region(self) -> bool {
                match self { $(Measure::$variant => $by_region,)* }
            }

            /// What its values are of.
            pub fn samples(self) -> &'static str {
                match self { $(Measure::$variant => $samples,)* }
            }

            /// From where to where it is measured.
            pub fn help(self) -> &'static str {
                match self { $(Measure::$variant => $help,)* }
            }
        }
    };
}
pub(super) use histograms;

/// What a histogram counts time in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Micros,
    Millis,
}

impl Measure {
    /// Steps in a second.
    pub fn per_second(self) -> u64 {
        match self.step() {
            Step::Micros => 1_000_000,
            Step::Millis => 1_000,
        }
    }

    /// A value in milliseconds.
    pub fn ms(self, value: f64) -> f64 {
        match self.step() {
            Step::Micros => value / 1_000.0,
            Step::Millis => value,
        }
    }
}
