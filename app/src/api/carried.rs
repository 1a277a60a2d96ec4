//! An Overview on its way to the browser: the points as columns of rounded numbers. As objects they were two thirds
//! of the page, and digits that no chart can show were half of them.
//!
//! The server draws from the same rounded numbers, so that the browser finds what it would have drawn itself.

use serde::{Deserialize, Serialize};
use streamgauge_core::{metric::point::Point, page::board::Overview};

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

type Column = Vec<Option<f64>>;

/// Field by field; `at` holds the first time and then the seconds to each next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Columns {
    at: Vec<i64>,
    deliveries: Vec<u64>,
    figures: [Column; 13],
}

/// The figures of a point in the order of their columns.
fn figures(point: &Point) -> [Option<f64>; 13] {
    [
        point.p50,
        point.p95,
        point.p99,
        point.polling,
        point.streams,
        point.pollers,
        point.published,
        point.delivered,
        // Bytes: whole ones.
        point.memory.map(f64::round),
        point.cpu,
        point.redis_memory.map(f64::round),
        point.request_reduction,
        point.error_rate,
    ]
}

impl Columns {
    fn of(points: &[Point]) -> Columns {
        let mut columns = Columns::default();
        let mut last = 0;
        for point in points {
            columns.at.push(point.at - last);
            columns.deliveries.push(point.deliveries);
            last = point.at;
            for (column, figure) in columns.figures.iter_mut().zip(figures(point)) {
                column.push(figure.map(|value| (value * 1_000.0).round() / 1_000.0));
            }
        }
        columns
    }

    /// Columns of unequal length (no server of ours sends them) read as holes.
    fn points(&self) -> Vec<Point> {
        let mut at = 0;
        let row = |(index, step): (usize, &i64)| {
            at += step;
            let [
                p50,
                p95,
                p99,
                polling,
                streams,
                pollers,
                published,
                delivered,
                memory,
                cpu,
                redis_memory,
                reduction,
                errors,
            ] = self.figures.each_ref().map(|column| column.get(index).copied().flatten());
            Point {
                at,
                deliveries: self.deliveries.get(index).copied().unwrap_or_default(),
                p50,
                p95,
                p99,
                polling,
                streams,
                pollers,
                published,
                delivered,
                memory,
                cpu,
                redis_memory,
                request_reduction: reduction,
                error_rate: errors,
            }
        };
        self.at.iter().enumerate().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_arrive_as_they_left_but_for_their_last_digits() {
        let point = |at| Point {
            at,
            p50: Some(1.0),
            p95: Some(2.0),
            p99: Some(3.0),
            deliveries: 4,
            polling: Some(5.0),
            streams: Some(6.0),
            pollers: Some(7.0),
            published: Some(8.0),
            delivered: Some(9.0),
            memory: Some(10.0),
            cpu: Some(11.0),
            redis_memory: Some(14.0),
            request_reduction: Some(12.0),
            error_rate: Some(0.013),
        };
        let points =
            [point(1_795_444_920), Point { at: 1_795_444_930, ..Point::default() }, point(1_795_444_950)];
        assert_eq!(Columns::of(&points).points(), points);
        let long = Point { p95: Some(14.123_456_789), ..point(0) };
        assert_eq!(Columns::of(&[long]).points()[0].p95, Some(14.123));
    }
}
