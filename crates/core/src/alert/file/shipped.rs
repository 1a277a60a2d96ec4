//! The rules that a new installation has: the epic's five, and two burn rates for each objective.

use super::{AlertFile, Fault, Place, parse};

pub const TEXT: &str = include_str!("shipped.yml");

/// A test proves that they have no fault.
pub fn file() -> Result<AlertFile, Vec<Fault>> {
    parse(TEXT, Place::Database, |_| None)
}
