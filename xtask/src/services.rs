//! Folders for the services of one run. Whatever runs in one is stopped when the run ends, and what a
//! run that was killed left behind is stopped by the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use private_postgres::Postgres;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::steps::Outcome;
use crate::workspace::Workspace;

/// Services are not looked for deeper than this.
const DEPTH: usize = 5;

pub struct Scratch {
    pub path: PathBuf,
}

impl Scratch {
    pub fn new(workspace: &Workspace, name: &str) -> Outcome<Scratch> {
        let runs = workspace.service_folder("runs")?;
        fs::create_dir_all(&runs)?;
        for entry in fs::read_dir(&runs)?.flatten() {
            if !belongs_to_the_living(&entry.path()) {
                clear(&entry.path());
            }
        }
        let path = runs.join(format!("{name}-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// The name ends in the pid of the run.
fn belongs_to_the_living(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let pid = name.rsplit('-').next().and_then(|pid| pid.parse().ok());
    pid.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn clear(folder: &Path) {
    stop_services(folder);
    if let Err(error) = fs::remove_dir_all(folder) {
        eprintln!("{} could not be removed: {error}.", folder.display());
    }
}

/// Stops every PostgreSQL, Redis and nginx whose folder is below this one.
pub fn stop_services(folder: &Path) {
    stop_below(folder, DEPTH);
}

fn stop_below(folder: &Path, depth: usize) {
    if folder.join("PG_VERSION").exists() {
        if let Err(error) = Postgres::at(folder).and_then(|postgres| postgres.stop()) {
            eprintln!("{error}.");
        }
        return;
    }
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.is_dir() && !path.is_symlink() {
            if depth > 0 {
                stop_below(&path, depth - 1);
            }
        } else if path.extension().is_some_and(|e| e == "pid") {
            stop_program(&path);
        }
    }
}

/// A pid file outlives its process: only what is called as expected is ended.
fn stop_program(pid_file: &Path) {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return;
    };
    if !is_ours(pid) || kill_process(pid, Signal::TERM).is_err() {
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while is_ours(pid) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    if is_ours(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn is_ours(pid: Pid) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-o", "comm=", "-p", &pid.as_raw_nonzero().to_string()])
        .output();
    output.is_ok_and(|output| {
        let name = String::from_utf8_lossy(&output.stdout);
        ["redis-server", "nginx"].iter().any(|ours| name.contains(ours))
    })
}
