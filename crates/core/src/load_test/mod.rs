//! A load test's result: the document that the tool writes, what of it is believed, and how runs compare.

mod change; // better or worse than the run before
mod changes; // what the command line changed in a scenario, and the command that repeats it
mod check; // a document from outside, within its bounds
mod counts; // everything that a run counts
mod document; // the shape of it all
mod row; // one line of the list of runs
mod words; // a run in words

pub use change::{Change, change};
pub use changes::Changes;
pub use check::{BadOutcome, LONGEST};
pub use counts::Counts;
pub use document::{Figures, Finding, Outcome, Point, ServerFigures, Step, Summary, ToolFigures, Verdict};
pub use row::{Kept, KeptList, Row, Trend};
pub use words::{MEMORY_DRIFT, figures, verdict};
