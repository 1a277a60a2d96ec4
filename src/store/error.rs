//! Why the store did not do what it was asked.

use super::Health;

/// What went wrong with a question or a change. None of its texts holds an address or a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not even tried, because PostgreSQL was unreachable a moment ago: a request must not wait for a time-out.
    #[error("PostgreSQL is unreachable and was not asked")]
    NotTried,
    /// Tried, without an answer. It may work later without any change here.
    #[error("PostgreSQL is unreachable: {0}")]
    Unreachable(#[source] Cause),
    /// PostgreSQL can never store this value: its type cannot hold it, or it breaks a named rule of its table.
    #[error("PostgreSQL refuses a value: {0}")]
    Refused(#[source] Cause),
    /// Another row has the value that must be unique, or a row that is referred to is missing; by the constraint's name.
    #[error("the constraint {0} does not allow this row")]
    Taken(String),
    /// The task that merges rows ended early.
    #[error("a task of the store ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Anything else that PostgreSQL or its driver reports.
    #[error(transparent)]
    Sql(Cause),
}

/// The driver's error, which stays behind the store.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(sqlx::Error);

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        if is_absence(&error) {
            return StoreError::Unreachable(Cause(error));
        }
        if is_refused(&error) {
            return StoreError::Refused(Cause(error));
        }
        let Some(database) = error.as_database_error() else { return StoreError::Sql(Cause(error)) };
        let constraint = database.constraint().map(str::to_owned);
        // Integrity constraint violations: unique and foreign key.
        match (database.code().as_deref(), constraint) {
            (Some("23505" | "23503"), Some(name)) => StoreError::Taken(name),
            _ => StoreError::Sql(Cause(error)),
        }
    }
}

impl StoreError {
    /// `Err` unless PostgreSQL can be reached, as far as the writer knows.
    pub(super) fn check(health: &Health) -> Result<(), StoreError> {
        if *health == Health::Good { Ok(()) } else { Err(StoreError::NotTried) }
    }
}

/// Whether the row is at fault, and not the database: a value that its type cannot hold (class 22), or that breaks a named
/// rule of its table. Anything else may be taken next time: a key that is taken only until sequences caught up after a
/// failover, a partition that is missing, a column that a newer version wants.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let code = error.code().unwrap_or_default();
    code.starts_with("22") || (code == "23514" && error.constraint().is_some())
}

/// Codes of a PostgreSQL that starts, stops, or has no free place.
pub(super) const ABSENT: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];

fn is_absence(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        error => error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| ABSENT.contains(&code.as_ref())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::error::{DatabaseError, ErrorKind};
    use std::{error::Error, fmt};

    /// An error as PostgreSQL reports it.
    #[derive(Debug)]
    struct Reported(&'static str, Option<&'static str>);

    impl fmt::Display for Reported {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "code {}", self.0)
        }
    }

    impl Error for Reported {}

    impl DatabaseError for Reported {
        fn message(&self) -> &str {
            "a message"
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn constraint(&self) -> Option<&str> {
            self.1
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn kind(error: sqlx::Error) -> &'static str {
        match StoreError::from(error) {
            StoreError::NotTried => "not tried",
            StoreError::Unreachable(_) => "unreachable",
            StoreError::Refused(_) => "refused",
            StoreError::Taken(name) if name == "sessions_pkey" => "taken",
            StoreError::Taken(_) | StoreError::Task(_) => "another",
            StoreError::Sql(_) => "sql",
        }
    }

    #[test]
    fn each_error_of_the_driver_has_its_case() {
        let check = |code, constraint, expected| {
            assert_eq!(kind(sqlx::Error::Database(Box::new(Reported(code, constraint)))), expected, "{code}");
        };
        check("57P03", None, "unreachable");
        check("53300", None, "unreachable");
        check("22003", None, "refused");
        check("23514", Some("sessions_state_check"), "refused");
        check("23514", None, "sql");
        check("23505", Some("sessions_pkey"), "taken");
        check("23503", Some("sessions_pkey"), "taken");
        check("42P01", None, "sql");
        assert_eq!(kind(sqlx::Error::PoolTimedOut), "unreachable");
        assert_eq!(kind(sqlx::Error::RowNotFound), "sql");
        assert!(matches!(StoreError::check(&Health::Starting), Err(StoreError::NotTried)));
        assert!(StoreError::check(&Health::Good).is_ok());
    }
}
