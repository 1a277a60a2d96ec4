//! Whose turn it is where processors are short. Linux alone: elsewhere nothing is done.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, getpriority_process, setpriority_process};

/// As much lower than usual as `nice` goes by default: a tenth of what others get, where they want all.
const NICE: i32 = 10;

/// Lowers the processes of a server that were not lowered yet. Best effort: one may end meanwhile.
pub fn lower(parent: Pid) {
    let parent = parent.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
        if getpriority_process(Some(child)).is_ok_and(|nice| nice < NICE) {
            let _ = setpriority_process(Some(child), NICE);
        }
        lower_group(Path::new(&format!("/proc/{}/autogroup", child.as_raw_nonzero())));
    }
}

/// Each of PostgreSQL's processes is a session of its own. Where no cgroup says otherwise, sessions share processors like
/// users, each as much as another ("autogroup", sched(7)), and the nice value inside one says nothing to the next.
fn lower_group(file: &Path) {
    // `/autogroup-77 nice 0`
    let Ok(line) = fs::read_to_string(file) else { return };
    let nice = line.split_whitespace().last().and_then(|nice| nice.parse::<i32>().ok());
    if nice.is_some_and(|nice| nice < NICE) {
        // Of who is not root the kernel takes ten a second: the next round tries again.
        let _ = fs::write(file, NICE.to_string());
    }
}
