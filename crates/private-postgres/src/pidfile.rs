//! `postmaster.pid`: who runs PostgreSQL in a folder, and whether it accepts connections.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

pub const FILE: &str = "postmaster.pid";

/// No process has this id, which is above what any kernel gives out.
const NOBODY: i32 = i32::MAX;

#[derive(Debug, PartialEq, Eq)]
pub struct PidFile {
    pid: i32,
    folder: PathBuf,
    ready: bool,
}

pub fn read(data: &Path) -> Option<PidFile> {
    parse(&fs::read_to_string(data.join(FILE)).ok()?)
}

/// Line 1 is the pid, 2 the data folder, 8 the state (`starting`, `stopping`, `ready`).
fn parse(text: &str) -> Option<PidFile> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(PidFile {
        pid: lines.first()?.parse().ok()?,
        folder: PathBuf::from(lines.get(1)?),
        ready: lines.get(7) == Some(&"ready"),
    })
}

impl PidFile {
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether the process lives and is the PostgreSQL of this folder, not a program that got its old pid.
    pub fn is_live(&self, data: &Path) -> bool {
        self.process_exists() && self.folder == data && works_in(self.pid, data)
    }

    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.pid.max(0))
    }

    pub fn process_exists(&self) -> bool {
        self.pid().is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
    }
}

/// PostgreSQL works in its data folder. Where there is no `/proc` (macOS) the name has to do.
fn works_in(pid: i32, data: &Path) -> bool {
    if Path::new("/proc/self/cwd").exists() {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    }
    std::process::Command::new("ps")
        .args(["-o", "comm=", "-p", &pid.to_string()])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"))
}

/// The text with a pid that nobody has. PostgreSQL would refuse to start over the pid of any living
/// program; removing the file instead would also take its check that no old backend still holds the memory.
pub fn with_nobody(text: &str) -> String {
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    format!("{NOBODY}\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "4711\n/srv/pg\n1790000000\n5432\n/srv/pg\n\n  123 456\nready   \n";

    #[test]
    fn the_lines_are_read_by_place() {
        let file = parse(TEXT).unwrap();
        assert_eq!((file.pid, file.folder.as_path(), file.ready), (4711, Path::new("/srv/pg"), true));
        assert!(!parse(&TEXT.replace("ready", "starting")).unwrap().ready);
        assert_eq!(parse(""), None);
        assert_eq!(parse("nonsense\n/srv/pg"), None);
    }

    #[test]
    fn a_living_program_that_is_not_postgresql_is_not_taken_for_it() {
        let here = std::env::current_dir().unwrap();
        let text = TEXT.replace("4711", &std::process::id().to_string());
        assert!(!parse(&text).unwrap().is_live(Path::new("/srv/pg")));
        assert!(!parse(&with_nobody(&text)).unwrap().process_exists());
        assert!(parse(&text).unwrap().process_exists());
        assert!(!parse(&text).unwrap().is_live(&here), "another folder");
    }
}
