use super::Server;
use std::time::{Duration, Instant};

/// The memory that a server had asked for at a time when nothing was open.
pub struct Memory(u64);

impl Memory {
    pub fn of(server: &Server) -> Memory {
        Memory(server.allocated())
    }

    /// It is back where it was, but for `kept` bytes: what the allocator keeps of a crowd's memory serves the next one.
    pub async fn is_back(&self, server: &Server, kept: u64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.allocated() > self.0 + kept {
            let (before, now) = (self.0, server.allocated());
            assert!(Instant::now() < deadline, "{now} bytes, and before it {before}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
