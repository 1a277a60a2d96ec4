//! A process's memory and CPU.

use procfs::process::Process;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Proportional set size, bytes: what is shared with other processes counts by its share.
    pub pss: Option<u64>,
}

/// `with_pss`: reading it walks all pages of the process, so it is not asked for each second.
pub fn read(pid: i32, with_pss: bool) -> Option<Usage> {
    let process = Process::new(pid).ok()?;
    let stat = process.stat().ok()?;
    let rollup = || {
        let rollup = process.smaps_rollup().ok()?;
        rollup.memory_map_rollup.iter().find_map(|map| map.extension.map.get("Pss").copied())
    };
    Some(Usage {
        cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        rss: stat.rss * procfs::page_size(),
        pss: with_pss.then(rollup).flatten(),
    })
}

pub fn own_cpu_seconds() -> f64 {
    read(std::process::id().cast_signed(), false).map_or(0.0, |usage| usage.cpu_seconds)
}

pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let usage = read(std::process::id().cast_signed(), true).expect("readable");
        assert!(usage.rss > 100_000 && usage.pss.is_some_and(|pss| pss > 100_000), "{usage:?}");
        assert_eq!(read(-1, true), None);
    }
}
