//! What an operator sets.

pub mod config; // typed settings out of strings, with the sentence that a bad value gets
pub mod limits; // the settings that may change while a node runs
mod parse; // what a text of a setting means
pub mod setting; // what is known of one setting
pub mod table; // every setting's one definition
