//! Everything of Streamgauge that can be decided without IO, clock or randomness.
//!
//! `now`, ids and seeds are arguments, so every rule here is tested as a table or a property.

pub mod access; // API keys, scopes, tickets
pub mod age; // how old things are, whatever is done to the wall clock
pub mod annotation; // flags on the charts: deploys, restarts, changes, notes
pub mod beacon; // what a page saw, within its bounds
pub mod board; // what a dashboard shows at one moment, and the admin stream's message
pub mod cohort; // stream or poll: which way a session's clients are told to follow it
pub mod config; // typed settings out of strings, with the sentence that a bad value earns
pub mod data; // what a publisher adds to an event: any JSON
pub mod fallback; // why clients left the stream: counts, patterns in words
pub mod follow; // what a request for a stream asks, and what its client says afterwards
pub mod frame; // Server-Sent Events as text
pub mod heard; // what a node does with a message that it hears of a session
pub mod history; // bounded events of one session, and what a resuming follower is owed
pub mod ids; // session ids, epochs, event ids
pub mod kpi; // the four headline figures: value, target, state, trend, comparison
pub mod ledger; // every number of a window: value, unit, what it rests on, how it comes about
pub mod limits; // the numbers that may be turned while a node runs
pub mod load_test; // a load test's result: its document, its bounds, how runs compare
pub mod numbers; // every number's one definition: unit, formula, window
pub mod object; // JSON objects, and no arrays in their place
pub mod panels; // the Overview's quieter panels
pub mod places; // places for connections: how many are kept back, and who gives one up
pub mod plain; // what back ends publish to Redis by themselves
pub mod range; // what a page shows: range, step, whose figures; as the address has it
pub mod region; // where followers are: names, networks, places on the map
pub mod roi; // what streaming is worth against what it cost: total savings, ROI, payback
pub mod said; // a parser's words, fit to be repeated
pub mod satisfaction; // what users answered: mean ratings and NPS, each with its interval
pub mod savings; // what streaming spares against polling, in bytes, requests and money
pub mod site; // the server's own names, and what pages of other sites may not do
pub mod sla; // service levels: objectives, budgets, burn rates, uptime
pub mod sources; // one number from several sources, and every delivery accounted for
pub mod status; // a status event, and what a publisher may say in it
pub mod text; // what a person reads: nothing in it may hide
pub mod timeline; // what happened to one session
pub mod trace; // whom a request continues, and whether its span is kept
pub mod view; // what the pages other than the board show

#[cfg(feature = "measure")]
pub mod export; // the same under the names by which other systems know it
#[cfg(feature = "measure")]
pub mod measure; // counters, histograms, samples: how the numbers are counted and merged
