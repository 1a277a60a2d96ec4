//! A session: its events, who follows it, and what becomes of it.

pub mod age; // how old things are, whatever is done to the wall clock
pub mod cohort; // stream or poll: how a session's followers follow it
pub mod conflation; // which updates a slow reader no longer needs
pub mod data; // what a publisher adds to an event: any JSON
pub mod follow; // what a request for a stream asks, and what its client says afterwards
pub mod frame; // Server-Sent Events as text
pub mod heard; // what a node does with a message that it hears of a session
pub mod history; // bounded events of one session, and what a resuming follower gets
pub mod ids; // session ids, epochs, event ids
pub mod plain; // what back ends publish to Redis by themselves
pub mod status; // a status event, and what a publisher may say in it
pub mod timeline; // what happened to one session
