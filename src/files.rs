//! The limit of open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that are not connections: database, Redis, listeners, logs.
const SPARE: u64 = 64;
/// Connections that no stream takes, at most.
const OTHERS: u32 = 1_024;

/// Takes all that this process may have, and answers how many connections that leaves room for. What a shell gives by
/// default (often 1,024) is meant for programs that wait with `select`, which cannot count further; this one does not.
pub fn most_connections() -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = if raised.is_ok() { limit.maximum } else { limit.current };
    room(now.unwrap_or(1 << 20))
}

fn room(files: u64) -> u32 {
    u32::try_from(files.saturating_sub(SPARE).max(1)).unwrap_or(u32::MAX)
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
        for (files, expected) in [(0, 1), (64, 1), (1_024, 960), (1 << 40, u32::MAX)] {
            assert_eq!(room(files), expected, "{files}");
        }
    }

    #[test]
    fn some_connections_are_no_streams() {
        for (connections, expected) in [(1, 1), (2, 1), (192, 168), (960, 840), (20_000, 18_976)] {
            assert_eq!(most_streams(connections), expected, "{connections}");
        }
    }
}
