//! An Overview on its way to the browser: the points as columns of rounded numbers. As objects they were two thirds
//! of the page, and digits that no chart can show were half of them.
//!
//! The server draws from the same rounded numbers, so that the browser finds what it would have drawn itself.

use serde::{Deserialize, Serialize};
use streamgauge_core::{
    metric::{point::Point, table::Metric},
    page::board::Overview,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// Without its points.
    board: Overview,
    columns: Columns,
    before: Columns,
}

impl From<Overview> for Carried {
    fn from(mut board: Overview) -> Carried {
        let points = std::mem::take(&mut board.points);
        let before = std::mem::take(&mut board.before);
        Carried { board, columns: Columns::of(&points), before: Columns::of(&before) }
    }
}

impl From<Carried> for Overview {
    fn from(carried: Carried) -> Overview {
        Overview { points: carried.columns.points(), before: carried.before.points(), ..carried.board }
    }
}

/// Metric by metric; `at` holds the first time and then the seconds to each next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Columns {
    at: Vec<i64>,
    /// In [`Metric::CHARTED`]'s order.
    figures: Vec<Vec<Option<f64>>>,
}

impl Columns {
    fn of(points: &[Point]) -> Columns {
        let mut last = 0;
        let at = points.iter().map(|point| point.at - std::mem::replace(&mut last, point.at)).collect();
        let figures = Metric::CHARTED.iter().zip(0usize..).map(|(metric, slot)| {
            // Bytes: whole ones.
            let digits = if metric.unit().per_shown() > 1.0 { 1.0 } else { 1_000.0 };
            let rounded = |value: f64| (value * digits).round() / digits;
            points.iter().map(|point| point.values[slot].map(rounded)).collect()
        });
        Columns { at, figures: figures.collect() }
    }

    /// Columns of unequal length (no server of ours sends them) read as holes.
    fn points(&self) -> Vec<Point> {
        let mut at = 0;
        let point = |(index, step): (usize, &i64)| {
            at += step;
            let value = |slot: usize| *self.figures.get(slot)?.get(index)?;
            Point { at, values: std::array::from_fn(value) }
        };
        self.at.iter().enumerate().map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_arrive_as_they_left_but_for_their_last_digits() {
        let point = |at| {
            let value = |slot: usize| Some(f64::from(u32::try_from(slot).expect("a small number")) + 1.0);
            Point { at, values: std::array::from_fn(value) }.with(Metric::ErrorRate, Some(0.013))
        };
        let points = [point(1_795_444_920), Point::hole(1_795_444_930), point(1_795_444_950)];
        assert_eq!(Columns::of(&points).points(), points);
        let long = point(0)
            .with(Metric::DeliveryLatencyP95, Some(14.123_456_789))
            .with(Metric::Memory, Some(1_234.56));
        let arrived = Columns::of(&[long]).points()[0];
        let figures = [Metric::DeliveryLatencyP95, Metric::Memory].map(|metric| arrived.of(metric));
        assert_eq!(figures, [Some(14.123), Some(1_235.0)]);
    }

    #[test]
    fn columns_of_unequal_length_read_as_holes() {
        let columns = Columns { at: vec![10, 10], figures: vec![vec![Some(1.0)]] };
        let mut first = Point::hole(10);
        first.values[0] = Some(1.0);
        assert_eq!(columns.points(), [first, Point::hole(20)]);
    }
}
