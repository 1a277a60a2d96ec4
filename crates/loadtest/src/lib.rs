//! The load tool: a process of its own that knows only HTTP, so that what it measures is what a client sees.

pub mod args; // the command line
mod call; // single requests beside the load
mod command; // from the command line to the exit status
mod drive; // the load itself: threads, sockets, sessions
mod host; // the server's process, when it runs on this machine
mod judge; // the epic's benchmarks, and what of them was met
mod limit; // step by step faster until something gives
mod outcome; // what a run came to, out of what was tallied
mod peak; // response times in the busiest ten seconds
mod plan; // when everything is due
mod report; // for people: progress and table
mod run; // one run from start to outcome
pub mod scenario; // what a load test does
mod seen; // losses and repetitions by number
mod tally; // counts and histograms
mod timeline; // the run over time
mod watch; // the server's memory and CPU during a run
mod wire; // HTTP and event streams as bytes

pub use command::{USAGE, command, main};
pub use run::{Options, Progress, RunError, run};
pub use streamgauge_core::load_test::Outcome;
pub use wire::target::{Target, resolve};
