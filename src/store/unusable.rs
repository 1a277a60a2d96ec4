//! Why PostgreSQL cannot be used: one sentence for each reason, with what to do about it.
//!
//! No sentence holds the address, which may hold a password. What PostgreSQL says names users, databases and hosts only.

use super::error::ABSENT;
use sqlx::{
    Error,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgSslMode},
};

#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("database_url cannot be used: {0}")]
    Address(Error),
    #[error(
        "database_url or PGSSLMODE asks for TLS, which is not supported for PostgreSQL yet: connect on the same machine \
         or over a private network with sslmode=disable, or through a TLS proxy such as stunnel"
    )]
    Tls,
    /// Unreachable for now: it may come back without a change of settings.
    #[error("PostgreSQL cannot be reached: {0}")]
    Unreachable(String),
    #[error("PostgreSQL refuses the user name or the password in database_url")]
    Password,
    #[error(
        "PostgreSQL does not let this user in from here, or only over TLS, which is not supported yet ({0}): see its \
         pg_hba.conf"
    )]
    NotLetIn(String),
    #[error(
        "PostgreSQL does not have the database that database_url names ({0}): create it with CREATE DATABASE"
    )]
    NoDatabase(String),
    #[error("this user may not connect to the database ({0}): GRANT CONNECT ON DATABASE … TO this user")]
    NoConnect(String),
    #[error(
        "this user may not create the tables ({0}): make it the owner of the database, or GRANT CREATE ON SCHEMA \
         public TO this user"
    )]
    NotPermitted(String),
    #[error("PostgreSQL takes no changes ({0}): database_url must name the primary, not a replica")]
    ReadOnly(String),
    #[error(
        "a newer version of streamgauge changed this database (migration {0}, which this version does not have): run \
         that version, or restore a backup from before it"
    )]
    Newer(i64),
    #[error(
        "migration {0} of this database is not the one that this version has: another build made it; run that build, or \
         use a new database"
    )]
    Changed(i64),
    #[error("the tables cannot be brought to this version's shape: {0}")]
    Migration(MigrateError),
    #[error(transparent)]
    Sql(#[from] Error),
}

impl Unusable {
    /// What is known before the first connection.
    pub(super) fn before_connecting(options: &PgConnectOptions) -> Result<(), Unusable> {
        match options.get_ssl_mode() {
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => Err(Unusable::Tls),
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Ok(()),
        }
    }

    /// Why a connection was not made.
    pub(super) fn connecting(error: Error) -> Unusable {
        let Some((code, said)) = said(&error) else { return Unusable::of(error) };
        match code.as_str() {
            "28P01" => Unusable::Password,
            "28000" => Unusable::NotLetIn(said),
            "3D000" => Unusable::NoDatabase(said),
            "42501" => Unusable::NoConnect(said),
            _ => Unusable::of(error),
        }
    }

    fn of(error: Error) -> Unusable {
        let away = match &error {
            Error::Io(error) => Some(error.to_string()),
            Error::PoolTimedOut => Some("no connection within 2 s".into()),
            Error::PoolClosed => Some("the connection was closed".into()),
            // Starting, stopping, or without a free place.
            error => said(error).filter(|(code, _)| ABSENT.contains(&code.as_str())).map(|(_, said)| said),
        };
        away.map_or(Unusable::Sql(error), Unusable::Unreachable)
    }

    /// Whether it may come back without a change on this side.
    pub fn is_absence(&self) -> bool {
        matches!(self, Unusable::Unreachable(_))
    }
}

impl From<MigrateError> for Unusable {
    fn from(error: MigrateError) -> Unusable {
        match error {
            MigrateError::VersionMissing(version) => Unusable::Newer(version),
            MigrateError::VersionMismatch(version) => Unusable::Changed(version),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match said(&error) {
                Some((code, said)) if code == "42501" => Unusable::NotPermitted(said),
                Some((code, said)) if code == "25006" => Unusable::ReadOnly(said),
                _ => Unusable::of(error),
            },
            other => Unusable::Migration(other),
        }
    }
}

/// The code by which PostgreSQL names an error, and its words.
fn said(error: &Error) -> Option<(String, String)> {
    let error = error.as_database_error()?;
    Some((error.code()?.into_owned(), error.message().to_owned()))
}
