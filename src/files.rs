//! The limit of open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that are not connections: database, Redis, listeners, logs.
const SPARE: u64 = 56;
/// The same for each core: of its runtime, and of its half of a thread that writes to streams.
const SPARE_A_CORE: u64 = 8;
/// Connections that no stream takes, at most.
const OTHERS: u32 = 1_024;

/// Takes all that this process may have, and answers how many connections that leaves room for. What a shell gives by
/// default (often 1,024) is meant for programs that wait with `select`, which cannot count further; this one does not.
pub fn most_connections(cores: usize) -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = if raised.is_ok() { limit.maximum } else { limit.current };
    room(now.unwrap_or(1 << 20), cores as u64)
}

fn room(files: u64, cores: u64) -> u32 {
    let spared = SPARE + SPARE_A_CORE * cores;
    u32::try_from(files.saturating_sub(spared).max(1)).unwrap_or(u32::MAX)
}

/// How many of `connections` may be streams: publishing and polling go on when streams are full, and so does the refusal
/// that names the poll route.
pub fn most_streams(connections: u32) -> u32 {
    let others = (connections / 8).clamp(1, OTHERS);
    connections.saturating_sub(others).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_spared() {
        for (files, cores, expected) in
            [(0, 1, 1), (64, 1, 1), (1_024, 1, 960), (1_024, 16, 840), (1 << 40, 2, u32::MAX)]
        {
            assert_eq!(room(files, cores), expected, "{files}, {cores}");
        }
    }

    #[test]
    fn some_connections_are_no_streams() {
        for (connections, expected) in [(1, 1), (2, 1), (192, 168), (960, 840), (20_000, 18_976)] {
            assert_eq!(most_streams(connections), expected, "{connections}");
        }
    }
}
