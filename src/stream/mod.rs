//! Connections: accepting them, counting their bytes, and the streams that stay open.
//!
//! A stream is served as an ordinary response body for now. What knows that is `body.rs`; the routes see
//! [`open`], the broker sees [`Hub`].

mod body; // the frames of one stream, as a response body
mod hub; // who follows what on this node
mod meter; // every byte of a connection, attributed to what was asked
mod open; // a request for a stream: from session and Last-Event-ID to a response
mod server; // the accept loop

pub use body::{Pace, jitter};
pub use hub::{Hub, Message};
pub use meter::{ConnectionMeter, Traffic};
pub use open::{Door, Refusal, open};
pub use server::serve;
