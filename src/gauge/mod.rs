//! The gauge: what the dashboards make of what is measured.

mod beacons; // what pages report, counted once
mod board; // the last two hours in memory: figures and charts of the last hour
mod cohorts; // for how long which cohort's sessions were followed
mod collectors; // connection, message, resource, business: what the recorder cannot see
mod levels; // how the service levels stand
mod process; // what the operating system says of this process
mod regions; // the same buckets by region
mod totals; // everything since the process started

pub use beacons::Beacons;
pub use board::{Board, Facts, KEPT, Levels};
pub use cohorts::Polled;
pub use collectors::{BusinessCollector, ConnectionCollector, MessageCollector, ResourceCollector};
pub use levels::levels;
pub use process::Process;
pub use regions::RegionBuckets;
pub use totals::Totals;
