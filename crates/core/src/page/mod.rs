//! What the pages show.

pub mod alerts; // rules, incidents, silences and backtests, as the API answers them
pub mod annotation; // flags on the charts: deploys, restarts, changes, notes
pub mod board; // what a dashboard shows at one moment, and the admin stream's message
pub mod panels; // the Overview's quieter panels
pub mod view; // what the pages other than the board show
