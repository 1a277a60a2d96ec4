//! Who may do what, from where: decisions only, the secrets stay with the caller.

pub mod actor; // who acts: who made a request or a change
pub mod audit; // what an audit row holds
pub mod keys; // API keys, scopes, tickets
pub mod places; // places for connections: how many are kept back, and who gives one up
pub mod site; // the server's own names, and what pages of other sites may not do

pub use actor::{Actor, Identity, KeyHolder, Role};
pub use keys::*;
