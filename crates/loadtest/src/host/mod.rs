//! The server's process, when it runs on this machine: memory and CPU.

mod find; // the process that listens on a port
mod usage; // its memory and CPU

pub use find::listening_on;
pub use usage::{Usage, cores, own_cpu_seconds, read};
