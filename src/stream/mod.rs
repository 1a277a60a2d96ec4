//! Connections: accepting them, counting their bytes, and the streams that stay open.
//!
//! A stream begins as an ordinary request. Once its head is sent, its socket is parked: a reactor's thread writes to it
//! from then on. Over HTTP/1.0 and HTTP/2 it stays an ordinary response body, with the same frames from the same hub.

mod admission; // who may open one more stream
mod body; // the frames of one stream, as a response body
mod hub; // who follows what on this node
mod jitter; // chance, so that a crowd does not return as one
mod limits; // the limits in force, which may change while the server runs
mod message; // one event, framed once
mod meter; // every byte of a connection, attributed to what was asked
mod multiplexed; // the same on HTTP/2, where requests share a connection
mod open; // a request for a stream: from session and Last-Event-ID to what it is told first
mod parking; // from a connection that hyper serves to a socket that a reactor holds
mod places; // who has a place for a connection, and who gives it up when they run short
mod queue; // what waits for a follower that no reactor holds
mod reactor; // parked streams: no task, no timer, no buffer each
mod selftest; // places for streams of no session
mod server; // the accept loop
mod wheel;
mod worker_pool; // threads that each serve connections of their own // one coarse timer for all parked streams

pub use admission::{AdmissionControl, Over, Who};
pub use body::{Member, StreamBody};
pub use hub::Hub;
pub use jitter::jitter;
pub use limits::LiveLimits;
pub use message::Message;
pub use meter::{ConnectionMeter, Traffic};
pub use open::{Opened, Refusal, StreamContext, open};
pub use places::{Connection, Place, Places};
pub use reactor::Arrival;
pub use selftest::SelfTest;
pub use server::{Answers, Caller, Serving, serve};
pub use worker_pool::WorkerPool;
