//! Real traffic for a first look.
use std::net::SocketAddr;
pub async fn run(_address: SocketAddr, _poll_interval_ms: u32) {}
