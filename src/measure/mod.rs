//! What is counted while the server works, on the paths that everything else calls.

mod journal; // what happened to single sessions, on its way to PostgreSQL
mod recorder; // the hot path: counters and histograms per thread

pub use journal::Journal;
pub use recorder::{AtRegion, Recorder};

use streamgauge_core::session::{cohort::Cohort, ids::SessionId};

/// Who follows by stream, as far as it matters here.
pub trait Streamed {
    /// For how much of a second the cohort's sessions are followed by streams of this node, ms, summed over them.
    fn followed_ms(&self, cohort: Cohort) -> u64;
    fn has(&self, session: &SessionId) -> bool;
}
