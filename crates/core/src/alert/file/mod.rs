//! The alerts file: YAML in, rules and channels out, or every fault with its line.
//!
//! Nothing here reads a file or the environment: both are arguments, so that the page's editor, the command and the
//! server judge a rule by the same code.

pub mod burn; // how fast an error budget may burn
mod change; // two versions of a rule, compared in words
pub mod channel; // where notifications go
pub mod condition; // metric, comparison, number, unit
mod export; // the file written back
pub mod fault; // what is wrong, on which line, and what is allowed
pub(super) mod links; // what rules say of each other and of channels
mod mail; // addresses of mail and its servers
pub mod number; // exact decimals and durations
mod read; // the file out of its fields
pub(super) mod reading; // fields out of YAML, with the environment's values
pub mod rule; // one rule
pub(super) mod rule_fields; // a rule out of its fields
pub mod secret; // what no page, log or export shows
pub mod shipped; // the rules that a new installation has
pub mod subject; // what a rule watches, and how it is tested
#[cfg(test)]
mod tests;
pub(super) mod tree; // YAML as texts, lists and maps with their lines

pub use channel::Channel;
pub use fault::Fault;
pub use read::{parse, parse_bytes, parse_rule};
pub use rule::Rule;

use number::Seconds;
use secret::Secret;
use std::collections::BTreeSet;

/// Everything that the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFile {
    pub channels: Vec<Channel>,
    /// Requested each minute while evaluation and delivery work. Its path is usually its password.
    pub heartbeat_url: Option<Secret>,
    /// In the order of their delays.
    pub escalation: Vec<Step>,
    pub rules: Vec<Rule>,
}

impl AlertFile {
    /// Channels that rules or the escalation name and that do not exist yet: who is not notified.
    pub fn not_set_up(&self) -> BTreeSet<&str> {
        let of_rules = self.rules.iter().filter(|rule| rule.enabled).flat_map(|rule| &rule.notification);
        let named = of_rules.chain(self.escalation.iter().map(|step| &step.notification));
        let exists = |name: &&str| self.channels.iter().any(|channel| channel.name == *name);
        named.map(String::as_str).filter(|name| !exists(name)).collect()
    }
}

/// Who is notified when nobody has acknowledged a critical incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Since the incident was opened.
    pub after: Seconds,
    /// A channel's name.
    pub notification: String,
}

/// Where the rules stand, which decides what a channel that is missing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file is complete: a channel that it does not have is a slip of the pen.
    File,
    /// [`Place::NOT_SET_UP`] may be named before they are set up, so that the shipped rules run at once.
    Database,
}

impl Place {
    /// Channels that a database has from the start.
    pub const NOT_SET_UP: [&'static str; 3] = ["email", "slack", "pagerduty"];
}
