//! Finds rows that PostgreSQL rejects. PostgreSQL stores all rows of a statement or none, so one bad row would block the
//! rows in its statement, and every row after them, forever.

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

/// Rows to be written, in parts. A part that PostgreSQL rejects is halved until the bad row is alone: one bad row among
/// 360 costs 18 more statements.
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

    /// The part to write next. Pass it to [`Bisect::judge`] afterwards.
    pub fn part(&mut self) -> Option<Vec<T>> {
        self.0.pop_front()
    }

    /// Takes the result of writing the part. Answers the row if it was alone and PostgreSQL rejected it. An error means that
    /// nothing can be written now; the part is queued again.
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

    /// Rows that were not written, in their order.
    pub fn rest(self) -> Vec<T> {
        self.0.into_iter().flatten().collect()
    }
}
