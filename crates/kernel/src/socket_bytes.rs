//! What the kernel says that a TCP socket carried: a second opinion on bytes that were counted by hand.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Payload, without headers of TCP and IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Received, whether or not they were read.
    pub received: u64,
    /// Taken over for sending, whether or not they have arrived; each byte once, however often it was sent.
    pub sent: u64,
}

/// Asks the kernel (TCP_INFO). An error: it is no TCP socket, or the kernel is older than 4.19 and does not count.
pub fn carried(socket: BorrowedFd<'_>) -> io::Result<Carried> {
    // SAFETY: tcp_info holds integers alone, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let size = mem::size_of::<libc::tcp_info>();
    let mut length = size as libc::socklen_t;
    // SAFETY: the socket is open while it is borrowed; the kernel writes at most `length` bytes, which `info` has.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    let needed = mem::offset_of!(libc::tcp_info, tcpi_bytes_retrans) + mem::size_of::<u64>();
    if (length as usize) < needed {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    // The end of the other side's stream counts as one byte received (it has a sequence number), and is none.
    const ENDED: [u8; 4] = [6, 8, 9, 11]; // TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING
    let end = u64::from(ENDED.contains(&info.tcpi_state));
    let sent = info.tcpi_bytes_sent.saturating_sub(info.tcpi_bytes_retrans);
    Ok(Carried {
        received: info.tcpi_bytes_received.saturating_sub(end),
        sent: sent + u64::from(info.tcpi_notsent_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        os::fd::AsFd,
    };

    #[test]
    fn both_ends_agree_to_the_byte() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut near = TcpStream::connect(listener.local_addr()?)?;
        let (mut far, _) = listener.accept()?;
        near.write_all(&[7; 10_000])?;
        far.write_all(b"yes")?;
        near.read_exact(&mut [0; 3])?;
        far.read_exact(&mut [0; 10_000])?;
        assert_eq!(carried(near.as_fd())?, Carried { received: 3, sent: 10_000 });
        assert_eq!(carried(far.as_fd())?, Carried { received: 10_000, sent: 3 });
        drop(near);
        assert_eq!(far.read(&mut [0; 1])?, 0, "the end");
        assert_eq!(carried(far.as_fd())?, Carried { received: 10_000, sent: 3 });
        assert!(carried(io::stdin().as_fd()).is_err());
        Ok(())
    }
}
