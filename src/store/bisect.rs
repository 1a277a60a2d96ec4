//! Rows that PostgreSQL can never take. It takes all rows of a statement or none, so one such row would keep those that
//! it comes with, and whatever is to be written after them, waiting for ever.

use super::{WriteBehind, error::is_refused};
use std::collections::VecDeque;

/// A row that PostgreSQL refused, and why.
pub(super) type Refused<T> = (T, sqlx::Error);

/// Says which row PostgreSQL refused, and counts it as lost.
pub(super) fn leave_out<T>(
    write_behind: &WriteBehind,
    refused: Option<Refused<T>>,
    name: impl Fn(&T) -> String,
) {
    let Some((row, error)) = refused else { return };
    tracing::error!(row = name(&row), %error, "PostgreSQL refuses a row: it is left out");
    write_behind.lose(1);
}

/// Rows on their way to PostgreSQL, in parts. A part that it refuses is halved until the row at fault is alone: one among
/// 360 costs 18 statements more.
pub(super) struct Bisect<T>(VecDeque<Vec<T>>);

impl<T> Bisect<T> {
    /// `most`: rows of a part.
    pub fn new(mut rows: Vec<T>, most: usize) -> Bisect<T> {
        let mut parts = VecDeque::new();
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(most));
            parts.push_back(std::mem::replace(&mut rows, rest));
        }
        Bisect(parts)
    }

    /// What is to be written next; [`Bisect::judge`] wants it back.
    pub fn part(&mut self) -> Option<Vec<T>> {
        self.0.pop_front()
    }

    /// What became of the part. Answers its row where it had one, and that can never be written. An error: nothing can be
    /// written now, and the part is among the rest again.
    pub fn judge(&mut self, mut part: Vec<T>, written: sqlx::Result<()>) -> sqlx::Result<Option<Refused<T>>> {
        match written {
            Ok(()) => Ok(None),
            Err(error) if !is_refused(&error) => {
                self.0.push_front(part);
                Err(error)
            }
            Err(error) if part.len() < 2 => Ok(part.pop().map(|row| (row, error))),
            Err(_) => {
                let second = part.split_off(part.len() / 2);
                self.0.push_front(second);
                self.0.push_front(part);
                Ok(None)
            }
        }
    }

    /// What was not written, in its order.
    pub fn rest(self) -> Vec<T> {
        self.0.into_iter().flatten().collect()
    }
}
