//! Everything of Streamgauge that can be decided without IO, clock or randomness.
//!
//! `now`, ids and seeds are arguments, so every rule here is tested as a table or a property.

pub mod access; // who may do what, from where
#[cfg(feature = "alert")]
pub mod alert; // alert rules: read from their file, and judged
pub mod load_test; // a load test's result: its document, its bounds, how runs compare
pub mod metric; // what is measured: counted, named, judged
pub mod page; // what the pages show
pub mod savings; // what streaming is worth: traffic, money, satisfaction
pub mod session; // a session, its events and its followers
pub mod settings; // what an operator sets
pub mod text; // text from outside
pub mod trace; // whom a request continues, and whether its span is kept
