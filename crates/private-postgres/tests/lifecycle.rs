//! A real PostgreSQL, made, started, adopted, killed and stopped. Needs its programs on the machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use private_postgres::{NAME, Postgres, Started};
use rustix::process::{Pid, Signal, getpriority_process, kill_process};
use tempfile::TempDir;

/// A folder that another user can pass: `tempdir` makes it 0700. `cargo xtask test` names where, and
/// clears up after a test that was killed.
fn folder() -> TempDir {
    let base = std::env::var_os("STREAMGAUGE_TEST_DIR").unwrap_or_else(|| "/var/tmp".into());
    let folder = tempfile::tempdir_in(base).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn at(data: &Path) -> Postgres {
    Postgres::at(data).unwrap().throwaway()
}

/// Stops it also when the test fails.
struct Stop(Postgres);

impl Drop for Stop {
    fn drop(&mut self) {
        let _ = self.0.stop();
    }
}

fn ask(postgres: &Postgres, sql: &str) -> String {
    let output = Command::new(postgres.binaries().join("psql"))
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &postgres.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

#[test]
fn it_lives_through_stops_and_a_second_start() {
    let folder = folder();
    let data = folder.path().join("deep/pg data");
    let postgres = at(&data);
    let _stop = Stop(postgres.clone());

    assert!(!postgres.is_running());
    assert_eq!(postgres.start().unwrap(), Started::New);
    assert!(postgres.is_running());
    assert_eq!(ask(&postgres, "select current_database()"), NAME);
    ask(&postgres, "create table kept (n int); insert into kept values (7)");

    assert_eq!(at(&data).start().unwrap(), Started::Adopted);
    assert_eq!(ask(&postgres, "show listen_addresses"), "");

    postgres.stop().unwrap();
    assert!(!postgres.is_running());
    postgres.stop().unwrap();

    assert_eq!(postgres.start().unwrap(), Started::Started);
    assert_eq!(ask(&postgres, "select n from kept"), "7");
}

#[test]
fn a_stale_pid_file_does_not_block() {
    let folder = folder();
    let data = folder.path().join("pg");
    let postgres = at(&data);
    let _stop = Stop(postgres.clone());
    postgres.start().unwrap();
    let pid_file = data.join("postmaster.pid");
    let running = fs::read_to_string(&pid_file).unwrap();
    let pid = Pid::from_raw(running.lines().next().unwrap().parse().unwrap()).unwrap();
    ask(&postgres, "create table kept as select 7 as n");
    ask(&postgres, "checkpoint"); // Without it a throwaway may lose its last commit.

    kill_process(pid, Signal::KILL).unwrap();
    while postgres.is_running() {
        std::thread::yield_now();
    }
    // What is left now names a program that lives, and that PostgreSQL's user could signal.
    let stranger = Stranger::of(&data);
    let stale = running.replacen(&pid.as_raw_nonzero().to_string(), &stranger.pid().to_string(), 1);
    fs::write(&pid_file, &stale).unwrap();
    fs::write(data.join(".s.PGSQL.5432.lock"), &stale).unwrap();
    assert!(!postgres.is_running());

    assert_eq!(postgres.start().unwrap(), Started::Started);
    assert_eq!(ask(&postgres, "select n from kept"), "7");
}

#[test]
fn a_folder_with_something_else_is_left_alone() {
    let folder = folder();
    let data = folder.path().join("pg");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("thesis.txt"), "years of work").unwrap();
    let error = at(&data).start().unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert!(data.join("thesis.txt").exists());
}

#[test]
fn a_path_too_long_for_a_socket_works() {
    let folder = folder();
    let postgres = at(&folder.path().join("long-".repeat(25)));
    let _stop = Stop(postgres.clone());
    postgres.start().unwrap();
    assert_eq!(ask(&postgres, "select 1"), "1");
    let socket = postgres.socket_folder().to_path_buf();
    assert!(socket.starts_with("/tmp"));
    postgres.stop().unwrap();
    assert!(!socket.exists());
}

/// `sleep`, run by the owner of the data folder.
struct Stranger(std::process::Child);

impl Stranger {
    fn of(data: &Path) -> Stranger {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        let mut command = Command::new("sleep");
        let owner = fs::metadata(data).unwrap();
        if rustix::process::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Stranger(command.arg("600").current_dir("/").spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_gives_way_to_others() {
    let folder = folder();
    let data = folder.path().join("pg");
    let postgres = at(&data);
    let _stop = Stop(postgres.clone());
    postgres.start().unwrap();
    let running = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let parent = running.lines().next().unwrap().to_string();
    let children = || fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let nice = |pid: &str| getpriority_process(Pid::from_raw(pid.parse().unwrap())).ok();
    let before = nice(&parent);
    // `None` where the kernel puts no sessions into groups.
    let group = |pid: &str| fs::read_to_string(format!("/proc/{pid}/autogroup")).ok();
    let lowered = |pid: &str| {
        nice(pid) == Some(10) && group(pid).is_none_or(|line| line.trim_end().ends_with("nice 10"))
    };
    assert!(!children().split_whitespace().any(lowered));

    assert!(children().split_whitespace().count() > 2, "its own processes");
    let patience = Instant::now() + Duration::from_secs(20);
    let mut all = false;
    while !all && Instant::now() < patience {
        postgres.give_way();
        // Who is not root may lower ten a second.
        sleep(Duration::from_millis(150));
        all = children().split_whitespace().all(lowered);
    }
    assert!(all);
    assert_eq!(nice(&parent), before, "its parent stays");
}
