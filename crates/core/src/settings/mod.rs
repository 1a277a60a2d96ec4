//! What an operator sets.

pub mod config; // typed settings out of strings, with the sentence that a bad value gets
pub mod limits; // the settings that may change while a node runs
