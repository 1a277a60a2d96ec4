//! The kinds of rules: how each reads a bucket, judges its history and says its value.

mod burn; // over an error budget
mod mean; // over a mean
mod ratio; // over a share of events, or of values beyond a limit
mod share; // over a level

pub use burn::Burn;
pub use mean::Mean;
pub use ratio::Ratio;
pub use share::Share;

use super::{
    super::{
        buckets::{History, Tally},
        judge::Verdict,
        ratio::Counts,
        state::Row,
        tables::Critical,
    },
    gauge::Gauge,
    reading::Part,
};

pub trait Kind: Send {
    type Bucket: Tally + Send;

    /// How many present buckets a judgement looks at.
    fn keep(&self) -> usize;

    /// How many buckets its value is over: the duration.
    fn span(&self) -> usize;

    /// What its value needs beside the buckets.
    fn gauge(&self) -> Gauge {
        Gauge::None
    }

    fn read(&self, index: i64, part: &Part, gauge: &mut Gauge) -> Self::Bucket;

    fn judge(&self, history: &History<Self::Bucket>, row: &Row) -> Verdict;

    /// Over the newest present buckets, in the unit of the rule's threshold.
    fn value(&self, history: &History<Self::Bucket>, gauge: &Gauge, buckets: usize) -> Option<f64>;

    /// Whether the plain condition is true, as `mode: literal` has it.
    fn holds(&self, history: &History<Self::Bucket>, gauge: &Gauge, buckets: usize) -> bool;

    /// Events or samples of the newest buckets.
    fn n(&self, history: &History<Self::Bucket>) -> u64;

    /// Events or samples of one bucket.
    fn size(&self, bucket: &Self::Bucket) -> u64;

    /// Whether the value for `mode: literal` is that of the newest bucket: levels are. What is counted needs the duration.
    fn is_level(&self) -> bool {
        false
    }

    /// The counts from which on a minute is an outage and not a burst. `None`: this kind of rule does not measure bursts.
    fn critical(&self) -> Option<&Critical> {
        None
    }

    /// The events of a bucket, for the bursts.
    fn events(&self, _bucket: &Self::Bucket) -> Counts {
        Counts::default()
    }
}
