//! What streaming saves.

pub mod roi; // against what it cost: total savings, ROI, payback
pub mod satisfaction; // what users answered: mean ratings and NPS, each with its interval
pub mod traffic; // what streaming saves against polling, in bytes, requests and money

pub use traffic::*;
