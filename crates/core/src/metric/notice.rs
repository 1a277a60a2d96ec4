//! What an operator should know at once, whichever page is open.

use serde::{Deserialize, Serialize};

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// A sentence for the top of the page: the fact, its likely cause, what happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    #[serde(rename = "level")]
    pub severity: Severity,
    /// "The history is not reachable."
    pub fact: String,
    /// "Streams go on; 3 samples wait to be stored."
    pub detail: String,
}
