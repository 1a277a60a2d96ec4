//! What several pages are put together from.

pub mod alarm; // what every page says of all alerts
pub mod bound; // what changes on a page, in as few types as can be
pub mod empty; // nothing to show, loading, unreadable: each its own look
pub mod frame; // the page's frame: brand, navigation, the main part
pub mod kpi; // one headline figure with everything that belongs to it
pub mod live_state; // "live, as of 14:42:07"
#[cfg(feature = "ssr")]
pub mod load_test; // a load test's result, on its page and in the tool's file
pub mod navigation; // the groups of pages, at the side and at the bottom
pub mod notice; // a sentence at the top: the fact, its cause, what happens next
#[cfg(feature = "ssr")]
pub mod options; // what a load test was run with
pub mod progress; // how far a session is
pub mod ranges; // whose figures, over which range: as the address has it
pub mod running; // the newest sessions, briefly
pub mod slot; // a part that the server alone renders
