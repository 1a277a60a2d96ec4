//! A server process of a benchmark's own, with a private PostgreSQL in a folder that goes with it.
#![allow(dead_code, reason = "each benchmark takes what it needs")]

use reqwest::Client;
use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// From the environment, or the default.
pub fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().expect(name))
}

/// Where a server keeps its data.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        let folder = tempfile::Builder::new().prefix("sg-bench-").tempdir_in("/var/tmp").expect("a folder");
        // As root the server's private PostgreSQL runs as another user, who has to pass.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        Folder(folder)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

/// Stopped when dropped.
pub struct Server {
    process: Child,
    pub base: String,
}

impl Server {
    pub async fn start(folder: &Folder, flags: &[&str]) -> Server {
        let probe = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr());
        let address = format!("127.0.0.1:{}", probe.expect("a free port").port());
        let process = Command::new(env!("CARGO_BIN_EXE_streamgauge"))
            .args(["serve", "--listen", &address, "--data-dir"])
            .arg(folder.data_dir())
            .args(flags)
            .stderr(Stdio::null())
            .spawn();
        let server =
            Server { process: process.expect("the server starts"), base: format!("http://{address}") };
        let (client, ready) = (Client::new(), format!("{}/readyz", server.base));
        timeout(Duration::from_secs(60), async {
            while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .expect("the server gets ready");
        server
    }

    /// User and system time until now.
    pub fn cpu_seconds(&self) -> f64 {
        let process = procfs::process::Process::new(self.process.id() as i32);
        let stat = process.and_then(|process| process.stat()).expect("a process");
        (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64
    }

    /// As an operator would, so that its database is stopped too.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
