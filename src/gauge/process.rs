//! What the operating system says of this process.

use procfs::{Current, WithCurrentSystemInfo, process::LimitValue};
use std::fs;

/// Of this moment.
pub struct Process {
    /// Since its start, user and system.
    pub cpu_seconds: f64,
    /// Bytes.
    pub resident: u64,
    pub open_files: u64,
    /// `None`: without limit.
    pub most_files: Option<u64>,
    /// What it may use, bytes: its control group's limit, or all that the machine has.
    pub memory_limit: Option<u64>,
}

impl Process {
    /// `None` where there is no /proc.
    pub fn look() -> Option<Process> {
        let process = procfs::process::Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let most_files = process.limits().ok()?.max_open_files.soft_limit;
        Some(Process {
            cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            resident: stat.rss_bytes().get(),
            open_files: u64::try_from(process.fd_count().ok()?).ok()?,
            most_files: match most_files {
                LimitValue::Value(most) => Some(most),
                LimitValue::Unlimited => None,
            },
            memory_limit: memory_limit(),
        })
    }
}

/// What this process may use, bytes: its control group's limit, or all that the machine has.
pub fn memory_limit() -> Option<u64> {
    let machine = procfs::Meminfo::current().ok()?.mem_total;
    Some(group_limit().map_or(machine, |limit| limit.min(machine)))
}

/// Of the control group's second version, where one is set. Within a container its own group is the root.
fn group_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let limit = |path: &str| fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.max")).ok();
    limit(path).or_else(|| limit(""))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself() {
        let process = Process::look().expect("Linux");
        assert!(process.open_files > 0 && process.resident > 0);
        assert!(process.memory_limit.is_some_and(|limit| limit > process.resident));
    }
}
