//! What a run came to, in the terminal. The HTML file is the app's: it shows what the run's page on a server shows.

mod progress; // a line now and then while it runs
mod table; // the table in the terminal

pub use progress::Lines;
pub use table::table;
