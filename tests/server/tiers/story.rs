//! Stories: who writes which rows, in which order, and what else happens.

use super::counted::Counted;
use proptest::prelude::*;
use streamgauge_core::metric::measure::{counters::Counter, sample::Measure};

pub const DAY: i64 = 86_400;
/// A midnight: the days of a story lie in two months and two years.
pub const FROM: i64 = 19_722 * DAY;
pub const DAYS: i64 = 3;
pub const TO: i64 = FROM + DAYS * DAY;
const NODES: [&str; 3] = ["a", "b", "c"];
/// The first: rows about all followers.
const REGIONS: [&str; 3] = ["", "de", "us"];

/// A 10 s row of one process.
#[derive(Clone, Debug)]
pub struct Row {
    pub region: &'static str,
    pub at: i64,
    pub counted: Counted,
}

/// Rows that one process stores in one go.
#[derive(Clone, Debug)]
pub struct Batch {
    pub node: &'static str,
    pub run: i64,
    pub rows: Vec<Row>,
}

/// What happens with a batch being written.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    Nothing,
    /// Afterwards, what is due up to a moment is merged.
    Merge(i64),
    /// While the rows are written, by two nodes that both take themselves for the elected one.
    MergeMeanwhile,
    /// Afterwards, rows of so many of the first days are beyond their time, by tier, finest first.
    Drop([i64; 4]),
    /// The same with all being merged before.
    MergeAndDrop([i64; 4]),
    /// While the rows are written and merged by two, the days before them are beyond their time.
    DropMeanwhile,
}

fn rows() -> impl Strategy<Value = Row> {
    // Few hours and minutes, the first and the last of a day among them: most rows meet others.
    let moment =
        (0i64..3, prop::sample::select(vec![0i64, 9, 23]), prop::sample::select(vec![0i64, 1, 59]), 0i64..6);
    let at = moment
        .prop_map(|(day, hour, minute, slot)| FROM + day * DAY + hour * 3_600 + minute * 60 + slot * 10);
    let values = prop::collection::vec((0..Measure::ALL.len(), 1u64..90_000_000, 1u64..5), 0..5);
    let counters = (0u64..=10, 0u64..1_000, 0u64..1 << 40);
    (prop::sample::select(&REGIONS), at, counters, values).prop_map(|(region, at, counters, values)| {
        let (seconds, published, memory) = counters;
        let mut counted = Counted::default();
        for (counter, amount) in [
            (Counter::Seconds, seconds),
            (Counter::CoveredSeconds, seconds),
            (Counter::Published, published),
            (Counter::MemorySum, memory),
        ] {
            counted.add(counter.name(), amount);
        }
        for (measure, value, count) in values {
            counted.record(measure, value, count);
        }
        Row { region, at, counted }
    })
}

/// Batches, and the order in which they are written: each of them, some more than once.
pub fn story() -> impl Strategy<Value = (Vec<Batch>, Vec<(usize, Then)>)> {
    let batch = (prop::sample::select(&NODES), 1i64..3, prop::collection::vec(rows(), 1..10));
    let batch = batch.prop_map(|(node, run, rows)| Batch { node, run, rows });
    let days = prop::array::uniform4(0..=DAYS);
    let then = prop_oneof![
        Just(Then::Nothing),
        Just(Then::Merge(TO)),
        (FROM..TO).prop_map(Then::Merge),
        Just(Then::MergeMeanwhile),
        days.clone().prop_map(Then::Drop),
        days.prop_map(Then::MergeAndDrop),
        Just(Then::DropMeanwhile),
    ];
    prop::collection::vec(batch, 3..7).prop_flat_map(move |batches| {
        let count = batches.len();
        let again = prop::collection::vec(0..count, 0..3);
        let order = again.prop_map(move |again| (0..count).chain(again).collect::<Vec<_>>()).prop_shuffle();
        let then = prop::collection::vec(then.clone(), count + 2);
        (Just(batches), order, then)
            .prop_map(|(batches, order, then)| (batches, order.into_iter().zip(then).collect()))
    })
}
