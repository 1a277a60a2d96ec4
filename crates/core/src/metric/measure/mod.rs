//! How the numbers are counted and merged: counters that add up, histograms that merge.

pub mod counters; // what is counted, by name
pub mod history; // samples to chart points and headline figures
pub mod layout; // where a value falls in a histogram; shared by the recorder and HDR
pub mod packed; // a sample as it is kept in memory
pub mod past; // a made-up past for the demo
pub mod sample; // what one node measured in one stretch of time
pub mod tiers; // 10 s, a minute, an hour, a day: which of them tells a stretch of time
