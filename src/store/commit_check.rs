//! Writes rows that must not be stored twice: fallbacks, pages seen, annotations, and marks of timelines. The answer to a
//! COMMIT may get lost. Before such rows are written again, this module asks PostgreSQL whether the transaction committed.

use super::{
    Traces, WriteBehind,
    bisect::{Bisect, leave_out},
    error::is_refused,
    traces,
};
use crate::{measure::Journal, telemetry::database};
use sqlx::{PgConnection, Postgres, Transaction};
use streamgauge_core::session::{ids::SessionId, timeline::Mark};

/// Marks of sessions' timelines that are written at once.
const MARKS: usize = 2_000;

/// Rows of a transaction whose COMMIT was not answered.
pub(super) struct Doubt {
    /// PostgreSQL's transaction id.
    transaction: i64,
    rows: Rows,
}

impl Doubt {
    /// How many rows are in doubt.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Traces(traces) => traces.len(),
            Rows::Marks(marks) => marks.len(),
        }
    }
}

enum Rows {
    Traces(Traces),
    Marks(Vec<(SessionId, Mark)>),
}

/// A failed write, with the transaction's id if it may have committed all the same.
pub(super) struct Failed {
    error: sqlx::Error,
    unheard: Option<i64>,
}

impl From<Failed> for sqlx::Error {
    fn from(failed: Failed) -> sqlx::Error {
        failed.error
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Failed {
        Failed { error, unheard: None }
    }
}

#[derive(PartialEq)]
enum Fate {
    Stored,
    NotStored,
    /// Still in progress: PostgreSQL has not noticed yet that the connection is gone.
    Open,
}

pub(super) async fn commit(mut transaction: Transaction<'_, Postgres>) -> Result<(), Failed> {
    let number =
        sqlx::query_scalar!(r#"SELECT txid_current() AS "number!""#).fetch_one(&mut *transaction).await?;
    transaction.commit().await.map_err(|error| Failed { error, unheard: Some(number) })
}

async fn fate(connection: &mut PgConnection, transaction: i64) -> sqlx::Result<Fate> {
    match sqlx::query_scalar!("SELECT txid_status($1)", transaction).fetch_one(connection).await {
        Ok(status) => Ok(match status.as_deref() {
            Some("committed") => Fate::Stored,
            Some("in progress") => Fate::Open,
            _ => Fate::NotStored,
        }),
        // Invalid parameter, "in the future": a replica took over that never saw this transaction.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("22023") => Ok(Fate::NotStored),
        Err(error) => Err(error),
    }
}

/// The notes that wait to be written, and their node.
pub(super) struct Noted<'a> {
    pub node: &'a str,
    pub write_behind: &'a WriteBehind,
    pub journal: &'a Journal,
}

impl Noted<'_> {
    /// Writes the notes. If a COMMIT is not answered, its rows stay in `doubt` and are settled at the next write.
    pub async fn write(&self, connection: &mut PgConnection, doubt: &mut Option<Doubt>) -> sqlx::Result<()> {
        if !self.settle(connection, doubt).await? {
            return Ok(());
        }
        let failed = match self.write_traces(connection).await {
            Ok(()) => self.write_marks(connection).await.err(),
            failed => failed.err(),
        };
        let Some((error, unheard)) = failed else { return Ok(()) };
        *doubt = unheard;
        Err(error)
    }

    /// Whether nothing is in doubt any more. Rows that did not commit are queued again.
    async fn settle(&self, connection: &mut PgConnection, doubt: &mut Option<Doubt>) -> sqlx::Result<bool> {
        let Some(Doubt { transaction, .. }) = doubt else { return Ok(true) };
        let fate = fate(connection, *transaction).await?;
        if fate == Fate::Open {
            return Ok(false);
        }
        match doubt.take().map(|doubt| doubt.rows) {
            Some(Rows::Traces(traces)) if fate == Fate::NotStored => self.write_behind.traces_back(traces),
            Some(Rows::Marks(marks)) if fate == Fate::NotStored => self.journal.back(marks),
            _ => {}
        }
        Ok(true)
    }

    async fn write_traces(&self, connection: &mut PgConnection) -> Result<(), (sqlx::Error, Option<Doubt>)> {
        let traces = self.write_behind.take_traces();
        if traces.is_empty() {
            return Ok(());
        }
        let Err(Failed { error, unheard }) =
            database("write traces", traces::write(connection, self.node, &traces)).await
        else {
            return Ok(());
        };
        if let Some(transaction) = unheard {
            return Err((error, Some(Doubt { transaction, rows: Rows::Traces(traces) })));
        }
        if is_refused(&error) {
            // This program made every value in these rows, so no input from outside can cause this.
            tracing::error!(%error, "PostgreSQL refuses what was noted beside the numbers: it is left out");
            self.write_behind.lose(traces.len());
            return Ok(());
        }
        self.write_behind.traces_back(traces);
        Err((error, None))
    }

    async fn write_marks(&self, connection: &mut PgConnection) -> Result<(), (sqlx::Error, Option<Doubt>)> {
        // Only the marks that wait now, not those that arrive during the write.
        for _ in 0..self.journal.waiting().div_ceil(MARKS) {
            self.write_part(connection, self.journal.take(MARKS)).await?;
        }
        Ok(())
    }

    async fn write_part(
        &self,
        connection: &mut PgConnection,
        marks: Vec<(SessionId, Mark)>,
    ) -> Result<(), (sqlx::Error, Option<Doubt>)> {
        let mut marks = Bisect::new(marks, MARKS);
        while let Some(part) = marks.part() {
            let written = match database("write timelines", traces::write_marks(connection, &part)).await {
                Err(Failed { error, unheard: Some(transaction) }) => {
                    self.journal.back(marks.rest());
                    return Err((error, Some(Doubt { transaction, rows: Rows::Marks(part) })));
                }
                written => written.map_err(|failed| failed.error),
            };
            match marks.judge(part, written) {
                Ok(refused) => leave_out(self.write_behind, refused, |(session, _)| session.to_string()),
                Err(error) => {
                    self.journal.back(marks.rest());
                    return Err((error, None));
                }
            }
        }
        Ok(())
    }
}
