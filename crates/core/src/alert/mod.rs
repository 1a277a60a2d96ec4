//! Alert rules: read from their file, and judged. Pure: text and buckets in, rules, verdicts and transitions out.

pub mod backtest; // a rule over stored history: when it would have fired
pub mod binomial; // exact tails and bounds of a count of failures
pub mod buckets; // what 10 s of a metric hold, and sums over the newest of them
pub mod burn; // rules over the speed at which an error budget burns
pub mod dispersion; // whether errors come in bursts: phi
pub mod file; // the alerts file: rules, channels, escalation; read, checked, written back
pub mod judge; // the windows of a rule, and what ratio and mean rules share
pub mod literal; // Prometheus' own state machine
pub mod machine; // one rule, runnable: samples in, transitions out
pub mod mean; // rules over a mean, such as latency
pub mod mute; // silences, maintenance, dependencies: why a rule that fires sends nothing
pub mod precision; // how many incidents were real
pub mod ratio; // rules over a share of failures
pub mod reason; // why a rule fires or does not, in words
#[cfg(feature = "measure")]
pub mod scenario; // scenario files: series in, what must come of them
pub mod share; // rules over a level, one node at a time
pub mod state; // ok, pending, firing, recovering; the stored row
pub mod student; // quantiles of Student's t
pub mod tables; // the least count that is evidence, for each count of events
pub mod threshold; // a limit as an exact fraction
