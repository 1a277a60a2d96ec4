//! The process that listens on a port of this machine, through /proc.

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, all_processes},
};
use std::net::SocketAddr;

/// `None`: it is another machine's, or another user's and not readable.
pub fn listening_on(target: SocketAddr) -> Option<i32> {
    // An address is this machine's if it can be bound to.
    std::net::UdpSocket::bind((target.ip(), 0)).ok()?;
    let entries = tcp().unwrap_or_default().into_iter().chain(tcp6().unwrap_or_default());
    let inodes: Vec<u64> = entries
        .filter(|entry| entry.state == TcpState::Listen && entry.local_address.port() == target.port())
        .filter(|entry| entry.local_address.ip() == target.ip() || entry.local_address.ip().is_unspecified())
        .map(|entry| entry.inode)
        .collect();
    let holds = |process: &procfs::process::Process| {
        process.fd().is_ok_and(|mut files| {
            files.any(|file| {
                file.is_ok_and(
                    |file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)),
                )
            })
        })
    };
    all_processes().ok()?.flatten().find(holds).map(|process| process.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = listener.local_addr().expect("an address");
        assert_eq!(listening_on(target), Some(std::process::id().cast_signed()));
        assert_eq!(listening_on("192.0.2.1:80".parse().expect("an address")), None);
    }
}
