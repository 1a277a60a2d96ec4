//! PostgreSQL: all SQL of the server, and what waits while the database is away.

mod access; // API keys, signing secrets
mod embedded; // a private PostgreSQL in the data folder
mod history; // charts and figures of a range, from the tier that fits
mod load_tests; // results of load tests, the newest 500
mod outbox; // what is to be written, bounded
mod rollup; // 10 s rows merged to minutes and hours
mod samples; // rows of metric_samples
mod sessions; // rows of sessions
mod writer; // connects, migrates, writes, and says how it goes

pub use access::{StoredKey, add_key, keys, list_keys, revoke_key, signing_secret};
pub use embedded::{Private, PrivateError};
pub use history::load;
pub use load_tests::{add as add_load_test, find as find_load_test, list as list_load_tests};
pub use outbox::{Outbox, SessionNote};
pub use samples::{of_others_since, recent};
pub use sessions::{abandon, find as find_session, restorable, running};
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
