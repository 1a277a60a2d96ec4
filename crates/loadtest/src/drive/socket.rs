//! Non-blocking connections. One client address has about 28,000 ports, so a test of this machine spreads its streams
//! over several addresses of the loopback network.

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
};

/// Streams from one address; well under its ports, since a closed connection keeps its port for a minute.
const EACH: u32 = 10_000;

#[derive(Clone, Copy, Debug)]
pub struct Sources(u32);

impl Sources {
    pub fn new(target: SocketAddr, streams: u32) -> Sources {
        let loopback = matches!(target.ip(), IpAddr::V4(ip) if ip.is_loopback());
        Sources(if loopback && streams > EACH / 2 { streams.div_ceil(EACH).clamp(2, 200) } else { 1 })
    }

    /// `None`: whatever the kernel takes.
    fn address(self, stream: u32) -> Option<SocketAddr> {
        let last = u8::try_from(stream % self.0 + 1).ok().filter(|_| self.0 > 1)?;
        Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
    }

    /// Begins to connect; the socket becomes writable when it has.
    pub fn open(self, target: SocketAddr, stream: u32) -> io::Result<OwnedFd> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if let Some(source) = self.address(stream) {
            bind(&socket, &source)?;
        }
        match connect(&socket, &target) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }
}

/// Takes as many file descriptors as this process may have, and answers how many that is.
pub fn most_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = if raised.is_ok() { limit.maximum } else { limit.current };
    now.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_streams_to_this_machine_are_spread() {
        let local: SocketAddr = "127.0.0.1:3000".parse().expect("an address");
        let check = |target: &str, streams, expected| {
            assert_eq!(
                Sources::new(target.parse().expect("an address"), streams).0,
                expected,
                "{target} {streams}"
            );
        };
        check("127.0.0.1:3000", 500, 1);
        check("127.0.0.1:3000", 18_000, 2);
        check("127.0.0.1:3000", 60_000, 6);
        check("10.0.0.1:3000", 18_000, 1);
        check("[::1]:3000", 18_000, 1);
        assert_eq!(Sources::new(local, 500).address(7), None);
        assert_eq!(
            Sources::new(local, 20_000).address(7).map(|a| a.to_string()).as_deref(),
            Some("127.0.0.2:0")
        );
    }
}
