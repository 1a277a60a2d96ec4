//! The gauge: what is measured, once a second, and what the dashboards make of it.

mod beacons; // what pages report, counted once
mod board; // the last two hours in memory: figures and charts of the last hour
mod cohorts; // for how long which cohort's sessions were followed
mod collectors; // connection, message, resource, business: what the recorder cannot see
mod journal; // what happened to single sessions, on its way to PostgreSQL
mod levels; // how the service levels stand
mod process; // what the operating system says of this process
mod recorder; // the hot path: counters and histograms per thread
mod regions; // the same buckets by region
mod ticker; // once a second: collect, show, store
mod totals; // everything since the process started

pub use beacons::Beacons;
pub use board::{Board, Facts, KEPT};
pub use cohorts::{Polled, Streamed};
pub use journal::Journal;
pub use levels::levels;
pub use process::Process;
pub use recorder::{AtRegion, Recorder};
pub use ticker::run as run_ticker;
pub use totals::Totals;
