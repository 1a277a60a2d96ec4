use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::{Child, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

/// A child that ends with its holder: asked first, then made to.
pub struct Process(Child);

impl Process {
    pub fn new(child: Child) -> Process {
        Process(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.id().cast_signed()).expect("a pid");
        kill_process(pid, signal).expect("a living process");
    }

    /// `None`: it still runs.
    pub fn exit_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.0.try_wait().expect("a child of ours");
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.0.kill().expect("a living process");
        self.0.wait().expect("a child of ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit_within(Duration::ZERO).is_none() {
            self.signal(Signal::TERM);
            if self.exit_within(Duration::from_secs(12)).is_none() {
                self.kill();
            }
        }
    }
}
