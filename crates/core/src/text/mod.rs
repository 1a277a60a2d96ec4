//! Text from outside.

pub mod object; // JSON objects, and no arrays in their place
pub mod said; // a parser's words, fit to be repeated
pub mod visible; // what a person reads: nothing in it may hide

pub use visible::*;
