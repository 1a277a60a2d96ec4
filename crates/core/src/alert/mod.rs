//! When an alert rule fires and when it resolves. Pure: buckets in, verdicts and transitions out.

pub mod binomial; // exact tails and bounds of a count of failures
pub mod student; // quantiles of Student's t
pub mod tables; // the least count that is evidence, for each count of events
pub mod threshold; // a limit as an exact fraction
