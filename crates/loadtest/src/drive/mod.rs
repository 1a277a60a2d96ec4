//! The load itself: a few threads, each with one epoll, its share of the sessions, and all streams of those.

mod agenda; // what is due when
mod fanout; // when the last of a session's followers has a message
mod follower; // one stream
mod publisher; // one keep-alive connection for messages
mod socket; // non-blocking connections from several addresses
mod worker; // a thread: its loop, its sessions, its sockets

pub use socket::{Sources, most_files};
pub use worker::{News, Orders, Setup, Worker};
