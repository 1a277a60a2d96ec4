//! HTTP/1.1 and Server-Sent Events as bytes: nothing here does IO.

pub mod answers; // the answers on a publisher's connection, in order
pub mod body; // how long a body is, and what of the bytes belongs to it
pub mod events; // a line scanner for event streams
pub mod head; // status and framing of an answer
pub mod mark; // what a message says about itself: number, due, sent
pub mod request; // requests as text
pub mod target; // the server's address
