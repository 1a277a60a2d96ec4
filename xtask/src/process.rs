//! Processes that we start: each in a group of its own, which ends with us.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::steps::{Outcome, fail};

/// How long a process may take to end by itself, before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// On Ctrl-C and its like every process that we started is asked to end. The main thread sees that
/// its child has ended, and leaves through its clean-up. A second Ctrl-C kills.
pub fn catch_signals() -> Outcome {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                signal_all(Signal::KILL);
                continue;
            }
            signal_all(Signal::TERM);
            thread::spawn(|| {
                thread::sleep(PATIENCE);
                signal_all(Signal::KILL);
            });
        }
    });
    Ok(())
}

pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// An error after Ctrl-C, so that no further step begins.
pub fn check_interrupted() -> Outcome {
    if interrupted() { fail("Stopped.") } else { Ok(()) }
}

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal_all(signal: Signal) {
    for group in groups().iter() {
        // Gone already: nothing to do.
        let _ = kill_process_group(*group, signal);
    }
}

/// A process and what it starts; ends when dropped.
pub struct Running {
    child: Child,
    group: Pid,
}

/// Without input: a group in the background that reads the terminal would be stopped by it.
pub fn spawn(command: &mut Command) -> Outcome<Running> {
    check_interrupted()?;
    let name = command.get_program().to_string_lossy().into_owned();
    let child = match command.process_group(0).stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => return fail(format!("`{name}` could not be started: {error}.")),
    };
    let group = Pid::from_child(&child);
    groups().push(group);
    Ok(Running { child, group })
}

impl Running {
    pub fn wait(&mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait()?)
    }

    pub fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it prints, if that was piped; once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended processes may have left some of their own behind, in the same group.
        let _ = kill_process_group(self.group, Signal::TERM);
        if !self.ends_within(PATIENCE) {
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = self.child.wait();
        }
        groups().retain(|group| *group != self.group);
    }
}

/// Runs to the end; anything but success is a failure that names the command.
pub fn run(command: &mut Command) -> Outcome {
    let status = spawn(command)?.wait()?;
    check_interrupted()?;
    if status.success() { Ok(()) } else { fail(format!("`{}` failed ({status}).", described(command))) }
}

/// The command as one would type it.
pub fn described(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}

/// `cargo`, with its progress bar at a terminal and only warnings and errors elsewhere.
pub fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand);
    if !std::io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    // What is committed decides, not a database that somebody's shell happens to name.
    command.env("SQLX_OFFLINE", "true").env_remove("DATABASE_URL");
    command
}
