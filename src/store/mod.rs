//! PostgreSQL: all SQL of the server, and what waits while PostgreSQL is unreachable.
//!
//! The rest of the server asks by the methods of [`Store`], grouped by area: `sessions()`, `history()`, `rollups()`,
//! `traces()`, `load_tests()`, `access()`, `audit()`, `alerts()`. Each call is a step of the current trace, counts as time spent in PostgreSQL, is
//! not tried while PostgreSQL is unreachable, and fails with a [`StoreError`].

mod access; // API keys, signing secrets, ended sign-ins
pub mod alerts; // rules, states, incidents, silences
mod audit; // who changed what, written in the transaction of the change
mod bisect; // finds the rows that PostgreSQL rejects
mod commit_check; // rows that would count twice if they were written twice
mod embedded; // a private PostgreSQL in the data folder
mod endings; // which sessions have ended, for when the broker has forgotten them
mod error; // why the store did not do what it was asked
mod history; // charts and figures of a range, from the tier that fits
mod leader; // which node does what must be done once
mod load_tests; // results of load tests, the newest 500
mod nodes; // which processes measured when
mod past; // the demo's made-up past
mod rollup; // 10 s rows merged to minutes, hours and days; what is too old is dropped
mod samples; // rows of metric_samples
mod sessions; // rows of sessions
mod traces; // fallbacks, pages, annotations, session timelines
mod unusable; // why PostgreSQL cannot be used, and what to do
mod write_behind; // the write-behind buffer: what waits in memory for PostgreSQL, bounded
mod writer; // connects, migrates, writes, and says how it goes

pub use access::{SignOut, StoredKey};
pub use embedded::{Private, PrivateError};
pub use endings::Endings;
pub use error::StoreError;
pub use past::{Day, Written};
pub use samples::Whose;
pub use unusable::Unusable;
pub use write_behind::{Fallen, Place, SessionNote, Traces, WriteBehind};
pub use writer::{Health, Store};

/// All migrations, inside the binary.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Unix seconds as PostgreSQL takes them.
fn seconds(at: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(at, 0).unwrap_or_default()
}

/// Unix milliseconds as PostgreSQL takes them.
fn millis(at: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(at).unwrap_or_default()
}
