//! What is measured: how it is counted, what each metric means, and how good it is.

pub mod beacon; // what a page saw, within its bounds
pub mod fallback; // why followers left the stream: counts, patterns in words
pub mod histogram; // every measured distribution: name, unit, title
pub mod kpi; // the four headline figures: value, target, state, trend, comparison
pub mod notice; // what an operator should know at once
pub mod numbers; // every metric's formula
pub mod point; // one step of the charts, and the bounds of histograms on the wire
pub mod range; // which time a page shows: range, step, whose figures; as the address has it
pub mod region; // where followers are: names, networks, places on the map
pub mod sla; // service levels: objectives, budgets, burn rates, uptime
pub mod sources; // one metric from several sources, and every delivery accounted for
pub mod table; // every metric's one definition

#[cfg(feature = "measure")]
pub mod export; // the names by which other systems know the metrics
#[cfg(feature = "measure")]
pub mod measure; // counters, histograms, samples: how metrics are counted and merged
