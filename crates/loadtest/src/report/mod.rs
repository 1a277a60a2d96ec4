//! What a run came to, for people.

mod chart; // one SVG chart
mod page; // the HTML file
mod progress; // a line now and then while it runs
mod table; // the table in the terminal

pub use page::page;
pub use progress::Lines;
pub use table::table;
