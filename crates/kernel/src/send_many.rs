//! The same bytes to many sockets by one system call (io_uring), and not by one for each: a status event is written to
//! all followers of its session, and each call costs its way into the kernel and back.
//!
//! Nothing here is asynchronous. Every send is tried at once and never waits for room, and all of them are answered when
//! the call returns; so nothing that is lent for it is in the kernel's hands any longer.

use io_uring::{IoUring, opcode, types};
use std::{
    io::{self, ErrorKind},
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    process, thread,
};

/// Keeps a ring of its own, about 10 kB.
pub struct Sender {
    ring: IoUring,
    /// The sockets of one call. Collected before the ring gets the first, because the ring sends its entries even if
    /// the iterator panics at the next one.
    sockets: Vec<RawFd>,
}

impl Sender {
    /// Sockets in one call, at most.
    pub const MOST: usize = 64;

    /// An error: the kernel has no io_uring, or does not let this process use it, as in many containers.
    pub fn new() -> io::Result<Sender> {
        Ok(Sender { ring: IoUring::new(Self::MOST as u32)?, sockets: Vec::with_capacity(Self::MOST) })
    }

    /// Sends what fits into each socket's buffer now. `results`, in the order of the sockets: how many bytes were taken,
    /// or as a `send` that must not wait would fail. Sockets past [`Sender::MOST`] are left out of it.
    pub fn send<'a>(
        &mut self,
        bytes: &[u8],
        sockets: impl IntoIterator<Item = BorrowedFd<'a>>,
        results: &mut Vec<io::Result<usize>>,
    ) {
        self.sockets.clear();
        self.sockets.extend(sockets.into_iter().take(Self::MOST).map(|socket| socket.as_raw_fd()));
        results.clear();
        results.extend(self.sockets.iter().map(|_| Err(ErrorKind::WouldBlock.into())));
        // More than the kernel takes at once is left for the next call, like what does not fit.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut queue = self.ring.submission();
        for (index, &socket) in (0u64..).zip(&self.sockets) {
            let entry = opcode::Send::new(types::Fd(socket), bytes.as_ptr(), length)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .build()
                .user_data(index);
            // SAFETY: `bytes` and the sockets are borrowed until this function returns, and that is not before all that
            // was queued is answered.
            let queued = unsafe { queue.push(&entry) };
            // The queue is empty at the beginning, and has room for all.
            debug_assert!(queued.is_ok());
        }
        drop(queue);
        let mut left = self.sockets.len();
        while left > 0 {
            match self.ring.submit_and_wait(left) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel is out of memory for the moment.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => {
                    thread::yield_now();
                }
                // The ring is no ring any more. To return would leave what is lent to it in its hands.
                Err(_) => process::abort(),
            }
            for answer in self.ring.completion() {
                left -= 1;
                if let Some(result) = results.get_mut(answer.user_data() as usize) {
                    *result = match usize::try_from(answer.result()) {
                        Ok(taken) => Ok(taken),
                        Err(_) => Err(io::Error::from_raw_os_error(-answer.result())),
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        net::{Shutdown, TcpListener, TcpStream},
        os::fd::AsFd,
    };

    /// `None`: not to be had here, as in many containers; then there is nothing to test.
    fn sender() -> io::Result<Option<Sender>> {
        match Sender::new() {
            Ok(sender) => Ok(Some(sender)),
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn pairs(count: usize) -> io::Result<Vec<(TcpStream, TcpStream)>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let pair = |_| {
            let far = TcpStream::connect(listener.local_addr()?)?;
            let (near, _) = listener.accept()?;
            near.set_nonblocking(true)?;
            Ok((near, far))
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn each_socket_has_its_own_answer() -> io::Result<()> {
        let Some(mut sender) = sender()? else { return Ok(()) };
        let mut pairs = pairs(Sender::MOST + 2)?;
        pairs[3].0.shutdown(Shutdown::Write)?;
        let mut results = Vec::new();
        for _ in 0..3 {
            sender.send(b"event", pairs.iter().map(|(near, _)| near.as_fd()), &mut results);
            assert_eq!(results.len(), Sender::MOST);
            for (index, result) in results.iter().enumerate() {
                match result {
                    Ok(taken) => assert_eq!((*taken, index == 3), (5, false)),
                    Err(error) => assert_eq!((error.kind(), index), (ErrorKind::BrokenPipe, 3)),
                }
            }
        }
        for (index, (_, far)) in
            pairs.iter_mut().enumerate().take(Sender::MOST).filter(|(index, _)| *index != 3)
        {
            let mut heard = [0; 15];
            far.read_exact(&mut heard)?;
            assert_eq!(&heard, b"eventeventevent", "{index}");
        }
        sender.send(b"event", [], &mut results);
        assert!(results.is_empty());
        Ok(())
    }

    #[test]
    fn nothing_waits_for_room() -> io::Result<()> {
        let Some(mut sender) = sender()? else { return Ok(()) };
        let mut pairs = pairs(2)?;
        let large = vec![7; 8 << 20];
        let mut results = Vec::new();
        let mut taken = [0; 2];
        // The kernel makes buffers larger while their reader is quick, so the first refusal need not be the last.
        while {
            sender.send(&large, pairs.iter().map(|(near, _)| near.as_fd()), &mut results);
            results.iter().any(Result::is_ok)
        } {
            for (taken, result) in taken.iter_mut().zip(&results) {
                let part = *result.as_ref().unwrap_or(&0);
                assert!(part < large.len(), "all of it at once");
                *taken += part;
            }
        }
        for result in &results {
            assert_eq!(result.as_ref().map_err(io::Error::kind), Err(ErrorKind::WouldBlock));
        }
        // One of them reads, and has room again.
        let mut heard = vec![0; taken[0]];
        pairs[0].1.read_exact(&mut heard)?;
        assert!(heard.iter().all(|byte| *byte == 7));
        sender.send(b"more", pairs.iter().map(|(near, _)| near.as_fd()), &mut results);
        assert_eq!(results[0].as_ref().ok(), Some(&4));
        assert_eq!(results[1].as_ref().map_err(io::Error::kind), Err(ErrorKind::WouldBlock));
        Ok(())
    }
}
